"""moto's S3 on loopback, which answers one request at a time: what it checks, it then writes.

Conditions of a write are kept as S3 keeps them, but in a bucket whose name begins with `careless`:
that one is as a store that has never heard of them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import obstore
import psutil
from obstore.store import S3Store

_START_TIMEOUT_S = 60
_RECORD = "s3-server"


@dataclass(frozen=True)
class S3Server:
    """An S3 server that runs."""

    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def make_bucket(self, name: str) -> str:
        """Make a bucket; its URL."""
        httpx.put(f"{self.address}/{name}", content=b"").raise_for_status()
        return f"s3://{name}"

    def put(self, path: str, content: bytes) -> None:
        """Write an object, past all conditions; `path` begins with the bucket."""
        bucket, name = self._place(path)
        obstore.put(bucket, name, content)

    def get(self, path: str) -> bytes:
        """What an object holds."""
        bucket, name = self._place(path)
        return bytes(obstore.get(bucket, name).bytes())

    def delete(self, path: str) -> None:
        """Remove an object."""
        bucket, name = self._place(path)
        obstore.delete(bucket, name)

    def _place(self, path: str) -> tuple[S3Store, str]:
        bucket, _, name = path.partition("/")
        credentials = {"access_key_id": "AKIATESTONLY", "secret_access_key": "any"}
        client = {"allow_http": True}
        config = {"endpoint": self.address, "region": "us-east-1", **credentials}
        return S3Store(bucket, config=config, client_options=client), name

    def environment(self) -> dict[str, str]:
        """The variables by which a client finds it."""
        return environment(self.address)


def environment(address: str) -> dict[str, str]:
    """The variables by which a client finds a server at an address."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIATESTONLY",
        "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-may-see",
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
    }


def running_server(directory: Path) -> S3Server:
    """The server whose record is in a directory; the first who asks starts it.

    `tests.keeper` ends it with the run.
    """
    record = directory / _RECORD
    if not record.exists():
        with (directory / "s3-server.log").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "tests.s3_server", str(directory)],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not record.exists():
            assert time.monotonic() < deadline, "moto's server did not start"
            time.sleep(0.05)
    return S3Server(int(record.read_text().split()[0]))


def end(directory: Path) -> None:
    """End the servers whose records are below a directory."""
    for record in directory.rglob(_RECORD):
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(record.read_text().split()[1]))
            if str(record.parent) in process.cmdline():
                process.kill()


def main() -> None:
    """Serve until somebody ends the process."""
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - it takes a second
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415 - likewise

    directory = Path(sys.argv[1])
    moto = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def one_at_a_time(asked: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if asked["PATH_INFO"].startswith("/careless"):
            asked.pop("HTTP_IF_MATCH", None)
            asked.pop("HTTP_IF_NONE_MATCH", None)
        with turn:
            return moto(asked, start)

    server = make_server(
        "127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=MotoRequestHandler
    )
    draft = directory / f"{_RECORD}.draft"
    draft.write_text(f"{server.server_port} {os.getpid()}\n")
    draft.rename(directory / _RECORD)
    server.serve_forever()


if __name__ == "__main__":
    main()
