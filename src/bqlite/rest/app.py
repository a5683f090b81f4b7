"""The Starlette application: which address means which handler, and how errors look."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bqlite.errors import BqliteError, ResourceError, UnsupportedError
from bqlite.rest import datasets, jobs, tables
from bqlite.rest.call import Call, Services
from bqlite.rest.uploads import MAX_MULTIPART_BYTES, Uploads

MAX_BODY_BYTES = 16 << 20

log = logging.getLogger("bqlite")

Handler = Callable[[Call], dict[str, Any] | None]
_PROJECT = "/bigquery/v2/projects/{project}"
_DATASET = _PROJECT + "/datasets/{dataset}"
_TABLE = _DATASET + "/tables/{table}"
_JOB = _PROJECT + "/jobs/{job}"
ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/bigquery/v2/projects", datasets.list_projects),
    ("GET", _PROJECT + "/datasets", datasets.list_),
    ("POST", _PROJECT + "/datasets", datasets.insert),
    ("GET", _DATASET, datasets.get),
    ("PATCH", _DATASET, datasets.patch),
    ("DELETE", _DATASET, datasets.delete),
    ("GET", _DATASET + "/tables", tables.list_),
    ("POST", _DATASET + "/tables", tables.insert),
    ("GET", _TABLE, tables.get),
    ("PATCH", _TABLE, tables.patch),
    ("DELETE", _TABLE, tables.delete),
    ("GET", _TABLE + "/data", tables.list_rows),
    ("POST", _PROJECT + "/queries", jobs.query),
    ("GET", _PROJECT + "/queries/{job}", jobs.query_results),
    ("GET", _PROJECT + "/jobs", jobs.list_),
    ("POST", _PROJECT + "/jobs", jobs.insert),
    ("GET", _JOB, jobs.get),
    ("POST", _JOB + "/cancel", jobs.cancel),
]


def build(services: Services) -> Starlette:
    """The application over the given services."""
    uploads = Uploads(services.uploads)
    upload = _upload_endpoint(uploads, services)
    path = "/upload" + _PROJECT + "/jobs"
    routes = [Route(where, _endpoint(h, services), methods=[m]) for m, where, h in ROUTES]
    routes.append(Route(path, upload, methods=["POST", "PUT"]))
    routes.append(Route("/", lambda _: JSONResponse({"name": "bqlite"})))
    return Starlette(
        routes=routes,
        exception_handlers={404: _unknown, 405: _unknown, Exception: _unexpected},
    )


def _endpoint(handler: Handler, services: Services) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            call = await _call(request, services, MAX_BODY_BYTES)
            answer = await run_in_threadpool(handler, call)
        except BqliteError as error:
            return _refusal(error)
        return Response(status_code=204) if answer is None else JSONResponse(answer)

    return endpoint


def _upload_endpoint(
    uploads: Uploads, services: Services
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        kind = request.query_params.get("uploadType", "")
        try:
            if request.method == "PUT":
                call = await _call(request, services, 0)
                received, job = await uploads.receive(call, request.stream())
                if job is not None:
                    return JSONResponse(job)
                headers = {"Range": f"bytes=0-{received - 1}"} if received else {}
                return Response(status_code=308, headers=headers)
            if kind == "resumable":
                call = await _call(request, services, MAX_BODY_BYTES)
                return Response(headers={"Location": uploads.begin(call)})
            if kind == "multipart":
                call = await _call(request, services, MAX_MULTIPART_BYTES)
                return JSONResponse(await run_in_threadpool(uploads.multipart, call))
            raise UnsupportedError(f"bqlite does not support uploadType '{kind}'")
        except BqliteError as error:
            return _refusal(error)

    return endpoint


async def _call(request: Request, services: Services, limit: int) -> Call:
    body = b"" if limit == 0 else await _read(request.stream(), limit)
    return Call(
        request.path_params,
        dict(request.query_params),
        {name.lower(): value for name, value in request.headers.items()},
        body,
        str(request.base_url),
        services,
    )


async def _read(stream: AsyncIterator[bytes], limit: int) -> bytes:
    pieces, size = [], 0
    async for piece in stream:
        size += len(piece)
        if size > limit:
            raise ResourceError(f"the request is larger than {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _refusal(error: BqliteError) -> JSONResponse:
    detail = error.to_proto()
    body = {"code": error.status, "message": error.message, "errors": [detail]}
    return JSONResponse({"error": body}, status_code=error.status)


async def _unknown(request: Request, _: Exception) -> Response:
    return _refusal(UnsupportedError(f"bqlite does not have {request.method} {request.url.path}"))


async def _unexpected(request: Request, error: Exception) -> Response:
    what = f"{request.method} {request.url.path}"
    log.error("%s failed in a way bqlite did not foresee", what, exc_info=error)
    failure = BqliteError(f"bqlite failed unexpectedly: {type(error).__name__}: {error}")
    failure.reason, failure.status = "unexpected", 500
    return _refusal(failure)
