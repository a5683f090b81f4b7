"""Load jobs over REST: the file comes in one multipart request, or in resumable pieces."""

import re
import shutil
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import duckdb

from bqlite.errors import (
    InvalidError,
    NotFoundError,
    RequestTooLargeError,
    ResourceError,
    UnsupportedError,
)
from bqlite.loads.load import Load
from bqlite.rest.call import Call, json_object
from bqlite.rest.job_resources import resource
from bqlite.rest.jobs import job_id
from bqlite.work.jobs import Job
from bqlite.work.outcome import Outcome

MAX_UPLOAD_BYTES = 16 << 30
MAX_OPEN = 64  # resumable uploads under way
IDLE_FOR_S = 24 * 3600  # after which one is forgotten
MAX_MULTIPART_BYTES = 64 << 20  # Google's client sends more than 8 MB in resumable pieces


@dataclass
class Upload:
    """A resumable upload under way."""

    path: Path
    body: dict[str, Any]
    received: int = 0
    touched_at: float = field(default_factory=time.monotonic)
    is_busy: bool = False


class Uploads:
    """The uploads under way, each a file below `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.rmtree(directory, ignore_errors=True)  # what a process before this one left behind
        self._open: dict[str, Upload] = {}

    def begin(self, call: Call) -> str:
        """Starts a resumable upload; returns the address its pieces go to."""
        body = call.json
        _load_options(body)
        self._forget_idle()
        if len(self._open) >= MAX_OPEN:
            raise ResourceError(
                f"{MAX_OPEN} uploads are under way, and no more are begun: end one, or wait until "
                f"it has been idle for {IDLE_FOR_S // 3600} hours"
            )
        name = uuid.uuid4().hex
        self._open[name] = Upload(self._new_path(), body)
        path = f"upload/bigquery/v2/projects/{call.project}/jobs"
        return f"{call.services.address}/{path}?uploadType=resumable&upload_id={name}"

    async def receive(
        self, call: Call, pieces: AsyncIterator[bytes]
    ) -> tuple[int, dict[str, Any] | None]:
        """Takes one piece.

        Returns:
            How many bytes have come, and the job once the last piece has.
        """
        name = call.query.get("upload_id", "")
        upload = self._open.get(name)
        if upload is None:
            raise NotFoundError(f"no upload '{name}' is under way")
        first, last, total = _content_range(call.headers.get("content-range", ""))
        if first is not None and first != upload.received:
            raise InvalidError(
                f"upload '{name}': expected the piece from byte {upload.received}, found {first}"
            )
        end = upload.received if last is None else last + 1
        if max(end, total or 0) > MAX_UPLOAD_BYTES:
            raise RequestTooLargeError(f"an upload has {MAX_UPLOAD_BYTES} bytes at most")
        if upload.is_busy:
            raise InvalidError(f"upload '{name}': another piece of it is coming just now")
        upload.is_busy, upload.touched_at = True, time.monotonic()
        try:
            await _append(upload, pieces, end)
        finally:
            upload.is_busy, upload.touched_at = False, time.monotonic()
        if total is None or upload.received < total:
            return upload.received, None
        self._open.pop(name, None)
        return upload.received, start_load(call, upload.body, upload.path)

    def _forget_idle(self) -> None:
        oldest = time.monotonic() - IDLE_FOR_S
        idle = [n for n, one in self._open.items() if not one.is_busy and one.touched_at < oldest]
        for name in idle:
            self._open.pop(name).path.unlink(missing_ok=True)

    def multipart(self, call: Call) -> dict[str, Any]:
        """A whole load in one `multipart/related` request."""
        metadata, content = _split(call.headers.get("content-type", ""), call.body)
        path = self._new_path()
        path.write_bytes(content)
        return start_load(call, metadata, path)

    def _new_path(self) -> Path:
        self.directory.mkdir(0o700, parents=True, exist_ok=True)
        path = self.directory / uuid.uuid4().hex
        path.touch()
        return path


def start_load(call: Call, body: dict[str, Any], path: Path) -> dict[str, Any]:
    """Begins the load of an uploaded file, which is removed when it has ended."""
    try:
        options = _load_options(body)
        load = Load.from_resource(path, options)
        timeout_ms = int(body["configuration"].get("jobTimeoutMs") or 0)
        job = Job(call.project, job_id(body), "LOAD", body["configuration"], timeout_ms=timeout_ms)
    except BaseException:
        path.unlink(missing_ok=True)
        raise

    def work(job: Job, connection: duckdb.DuckDBPyConnection) -> Outcome:
        from bqlite.loads.run_load import run_load  # noqa: PLC0415  # a start need not load Parquet

        try:
            return run_load(call.services.catalog, load, connection, job.store)
        finally:
            path.unlink(missing_ok=True)

    return resource(call.services.jobs.start(job, work), call)


def _load_options(body: dict[str, Any]) -> dict[str, Any]:
    options = (body.get("configuration") or {}).get("load")
    if not isinstance(options, dict):
        raise InvalidError("an upload needs configuration.load")
    if options.get("sourceUris"):
        raise UnsupportedError("bqlite loads uploaded files, not sourceUris", location="sourceUris")
    return options


async def _append(upload: Upload, pieces: AsyncIterator[bytes], end: int) -> None:
    """Writes down a piece that the client says ends before byte `end`; refuses more than that."""
    with upload.path.open("ab") as file:
        async for piece in pieces:
            if upload.received + len(piece) > end:
                raise InvalidError(
                    f"an upload's piece has more bytes than its Content-Range says: it ends before "
                    f"byte {end}"
                )
            file.write(piece)
            upload.received += len(piece)


def _content_range(text: str) -> tuple[int | None, int | None, int | None]:
    """`bytes 0-99/*` as (first byte, last byte, total); None where unknown."""
    match = re.fullmatch(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", text)
    if match is None:
        raise InvalidError(f"Content-Range: expected 'bytes first-last/total', found '{text}'")
    first, last, total = (None if one in {None, "*"} else int(one) for one in match.groups())
    if last is not None and (last < (first or 0) or (total is not None and last >= total)):
        raise InvalidError(f"Content-Range: '{text}' is no range of bytes")
    return first, last, total


def _split(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if not boundary:
        raise InvalidError("a multipart upload needs a boundary in its Content-Type")
    mark = b"--" + str(boundary).encode()
    first, _, rest = body.partition(mark)[2].partition(b"\r\n" + mark)
    end = rest.rfind(b"\r\n" + mark)
    if end < 0:
        raise InvalidError("the multipart body has no second part")
    metadata = json_object(first.partition(b"\r\n\r\n")[2])
    return metadata, rest[:end].partition(b"\r\n\r\n")[2]
