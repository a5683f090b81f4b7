"""The smallest schema registry that Confluent's clients register with: its REST API, in memory.

It is no mock of our client: others' serialisers write to it, and what they write is read by ours.
`test_apicurio.py` runs the same against a registry that people have.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SmallRegistry:
    """Schemas by id, and ids by subject.

    Attributes:
        asked: The paths that were asked for, in their order.
        login: User and password that are asked for; None: nobody has to log in.
        fault: Answered instead of anything else: a status and a body.
    """

    def __init__(self, port: int = 0) -> None:
        self.asked: list[str] = []
        self.login: tuple[str, str] | None = None
        self.fault: tuple[int, str] | None = None
        self._schemas: dict[int, dict[str, Any]] = {}
        self._subjects: dict[str, list[int]] = {}
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: Any) -> None:
                status, said = registry.answer(self.path, body, self.headers.get("Authorization"))
                text = said if isinstance(said, str) else json.dumps(said)
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def add(self, schema_id: int, text: str, kind: str = "AVRO", references: Any = ()) -> None:
        """A schema that nobody registered."""
        self._schemas[schema_id] = {"schema": text, "schemaType": kind, "references": references}

    def answer(self, path: str, body: Any, authorization: str | None) -> tuple[int, Any]:
        self.asked.append(path)
        if self.fault is not None:
            return self.fault
        if self.login is not None:
            wanted = base64.b64encode(":".join(self.login).encode()).decode()
            if authorization != f"Basic {wanted}":
                return 401, {"error_code": 401, "message": "Unauthorized"}
        path = path.partition("?")[0]
        if match := re.fullmatch(r"/schemas/ids/(\d+)", path):
            schema = self._schemas.get(int(match[1]))
            unknown = {"error_code": 40403, "message": f"Schema {match[1]} not found"}
            return (404, unknown) if schema is None else (200, schema)
        if match := re.fullmatch(r"/subjects/([^/]+)/versions/(\d+)", path):
            one = self._subjects[match[1]][int(match[2]) - 1]
            about = {"subject": match[1], "version": int(match[2]), "id": one}
            return 200, {**about, **self._schemas[one]}
        if match := re.fullmatch(r"/subjects/([^/]+)(/versions)?", path):
            return self._registered(match[1], body, is_new=match[2] is not None)
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _registered(self, subject: str, body: Any, *, is_new: bool) -> tuple[int, Any]:
        schema = {
            "schema": body["schema"],
            "schemaType": body.get("schemaType", "AVRO"),
            "references": body.get("references") or [],
        }
        ids = self._subjects.setdefault(subject, [])
        found = next((one for one in ids if self._schemas[one] == schema), None)
        if found is None and is_new:
            found = max(self._schemas, default=0) + 1
            self._schemas[found] = schema
            ids.append(found)
        if found is None:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 200, {"subject": subject, "version": ids.index(found) + 1, "id": found, **schema}

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def small_registry(port: int = 0) -> Iterator[SmallRegistry]:
    registry = SmallRegistry(port)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()
