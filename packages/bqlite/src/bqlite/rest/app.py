"""The Starlette application: which address means which handler, and how errors look."""

import logging
import zlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bqlite.errors import BqliteError, InvalidError, RequestTooLargeError, UnsupportedError
from bqlite.faults import ConnectionLostError, Faults, InjectedError
from bqlite.rest import datasets, discovery, jobs, stubs, tables
from bqlite.rest.call import Call, Services
from bqlite.rest.insert_all import insert_all
from bqlite.rest.slow_bodies import in_time
from bqlite.rest.threads import in_thread
from bqlite.rest.uploads import MAX_MULTIPART_BYTES, Uploads
from bqlite.web_guard import WebGuard

MAX_BODY_BYTES = 16 << 20
MAX_TOKEN_BYTES = 64 << 10

log = logging.getLogger("bqlite")

Handler = Callable[[Call], dict[str, Any] | None]
Endpoint = Callable[[Request], Awaitable[Response]]
_PROJECT = "/bigquery/v2/projects/{project}"
_DATASET = _PROJECT + "/datasets/{dataset}"
_TABLE = _DATASET + "/tables/{table}"
_JOB = _PROJECT + "/jobs/{job}"
_GRANT = "/token"
# Google's name of the call, method, address, handler.
ROUTES: list[tuple[str, str, str, Handler]] = [
    ("projects.list", "GET", "/bigquery/v2/projects", datasets.list_projects),
    ("datasets.list", "GET", _PROJECT + "/datasets", datasets.list_),
    ("datasets.insert", "POST", _PROJECT + "/datasets", datasets.insert),
    ("datasets.get", "GET", _DATASET, datasets.get),
    ("datasets.patch", "PATCH", _DATASET, datasets.patch),
    ("datasets.delete", "DELETE", _DATASET, datasets.delete),
    ("tables.list", "GET", _DATASET + "/tables", tables.list_),
    ("tables.insert", "POST", _DATASET + "/tables", tables.insert),
    ("tables.get", "GET", _TABLE, tables.get),
    ("tables.patch", "PATCH", _TABLE, tables.patch),
    ("tables.delete", "DELETE", _TABLE, tables.delete),
    ("tables.getIamPolicy", "POST", _TABLE + ":getIamPolicy", stubs.refuse_policies),
    ("tables.setIamPolicy", "POST", _TABLE + ":setIamPolicy", stubs.refuse_policies),
    ("tables.testIamPermissions", "POST", _TABLE + ":testIamPermissions", stubs.refuse_policies),
    ("routines.list", "GET", _DATASET + "/routines", stubs.list_routines),
    ("routines.insert", "POST", _DATASET + "/routines", stubs.refuse_routines),
    ("models.list", "GET", _DATASET + "/models", stubs.list_models),
    ("tabledata.list", "GET", _TABLE + "/data", tables.list_rows),
    ("tabledata.insertAll", "POST", _TABLE + "/insertAll", insert_all),
    ("jobs.query", "POST", _PROJECT + "/queries", jobs.query),
    ("jobs.getQueryResults", "GET", _PROJECT + "/queries/{job}", jobs.query_results),
    ("jobs.list", "GET", _PROJECT + "/jobs", jobs.list_),
    ("jobs.insert", "POST", _PROJECT + "/jobs", jobs.insert),
    ("jobs.get", "GET", _JOB, jobs.get),
    ("jobs.cancel", "POST", _JOB + "/cancel", jobs.cancel),
]


def build(services: Services, *, has_faults: bool) -> ASGIApp:
    """The application over the given services; `has_faults` lets clients arm faults."""
    routes = [
        Route(where, _endpoint(services, name, _answer(handler, services)), methods=[method])
        for name, method, where, handler in ROUTES
    ]
    upload = _endpoint(services, "jobs.upload", _upload(Uploads(services.uploads), services))
    routes.append(Route("/upload" + _PROJECT + "/jobs", upload, methods=["POST", "PUT"]))
    routes.append(Route(_GRANT, _endpoint(services, "token", _token), methods=["POST"]))
    found = [JSONResponse(discovery.document(ROUTES, services.address))]
    routes += [Route(where, lambda _: found[0]) for where in discovery.PATHS]
    routes.append(Route("/", lambda _: JSONResponse({"name": "bqlite"})))
    if has_faults:
        control = _control(services.faults)
        routes.append(Route("/bqlite/faults", control, methods=["GET", "POST", "DELETE"]))
    services.faults.calls.update({name for name, _, _, _ in ROUTES}, {"jobs.upload"})
    app = Starlette(
        routes=routes,
        exception_handlers={404: _unknown, 405: _unknown, Exception: _unexpected},
    )
    return WebGuard(app, _refused_page, form_paths={_GRANT})


def _endpoint(services: Services, name: str, answer: Endpoint) -> Endpoint:
    """What is common to all addresses: faults before and after, errors in Google's shape."""
    faults = services.faults

    async def told(request: Request) -> Response:
        try:
            return await answer(request)
        except BqliteError as error:
            return _refusal(error)

    async def endpoint(request: Request) -> Response:
        if not faults.is_armed:
            return await told(request)
        try:
            finish = await in_thread(faults.before, name, request.url.path)
            response = await told(request)
            await in_thread(finish)
        except ConnectionLostError:
            return _Broken()
        except InjectedError as error:
            return _refusal(error)
        return response

    return endpoint


def _answer(handler: Handler, services: Services) -> Endpoint:
    async def answer(request: Request) -> Response:
        found = await in_thread(handler, await _call(request, services, MAX_BODY_BYTES))
        if found is None:
            return Response(status_code=204)
        return Response(msgspec.json.encode(found), media_type="application/json")

    return answer


def _upload(uploads: Uploads, services: Services) -> Endpoint:
    async def answer(request: Request) -> Response:
        kind = request.query_params.get("uploadType", "")
        if request.method == "PUT":
            call = await _call(request, services, 0)
            received, job = await uploads.receive(call, in_time(request.stream()))
            if job is not None:
                return JSONResponse(job)
            headers = {"Range": f"bytes=0-{received - 1}"} if received else {}
            return Response(status_code=308, headers=headers)
        if kind == "resumable":
            call = await _call(request, services, MAX_BODY_BYTES)
            return Response(headers={"Location": uploads.begin(call)})
        if kind == "multipart":
            call = await _call(request, services, MAX_MULTIPART_BYTES)
            return JSONResponse(await in_thread(uploads.multipart, call))
        raise UnsupportedError(f"bqlite does not support uploadType '{kind}'")

    return answer


async def _token(request: Request) -> Response:
    """A token for whoever shows a signed assertion; nobody looks at either again."""
    form = parse_qs((await _read(request, MAX_TOKEN_BYTES)).decode("ascii", "replace"))
    return JSONResponse(
        stubs.token(form.get("grant_type", [""])[0], form.get("assertion", [""])[0])
    )


def _control(faults: Faults) -> Endpoint:
    """Where faults are armed (POST), looked at (GET) and cleared (DELETE)."""

    async def control(request: Request) -> Response:
        try:
            if request.method == "POST":
                faults.arm(await _read(request, MAX_BODY_BYTES))
        except BqliteError as error:
            return _refusal(error)
        if request.method == "DELETE":
            faults.clear()
        return JSONResponse({"faults": faults.to_json()})

    return control


class _Broken(Response):
    """No answer: the connection ends before its first byte."""

    async def __call__(self, _: Scope, receive: Receive, __: Send) -> None:
        # ASGI has no word for it, so this reaches for what uvicorn receives from.
        receive.__self__.transport.abort()  # type: ignore[attr-defined]
        while (await receive())["type"] != "http.disconnect":
            pass


async def _call(request: Request, services: Services, limit: int) -> Call:
    body = b"" if limit == 0 else await _read(request, limit)
    return Call(
        request.path_params,
        dict(request.query_params),
        {name.lower(): value for name, value in request.headers.items()},
        body,
        services,
    )


async def _read(request: Request, limit: int) -> bytes:
    """The body; unpacked if the client packed it, as Google's Java client does."""
    packed = request.headers.get("content-encoding", "").lower() == "gzip"
    unpack = zlib.decompressobj(wbits=31).decompress if packed else None
    pieces, size = [], 0
    async for piece in in_time(request.stream()):
        try:
            pieces.append(unpack(piece, limit + 1 - size) if unpack else piece)
        except zlib.error as error:
            raise InvalidError(f"the request's body is not gzip: {error}") from error
        size += len(pieces[-1])
        if size > limit:
            raise RequestTooLargeError(f"the request is larger than {limit} bytes")
    return b"".join(pieces)


def _refusal(error: BqliteError) -> JSONResponse:
    detail = error.to_proto()
    body = {"code": error.status, "message": error.message, "errors": [detail]}
    return JSONResponse({"error": body}, status_code=error.status)


def _refused_page(status: int, message: str) -> Response:
    error = BqliteError(message)
    error.reason, error.status = "forbidden", status
    return _refusal(error)


async def _unknown(request: Request, _: Exception) -> Response:
    return _refusal(UnsupportedError(f"bqlite does not serve {request.method} {request.url.path}"))


async def _unexpected(request: Request, error: Exception) -> Response:
    what = f"{request.method} {request.url.path}"
    log.error("%s failed in a way bqlite does not expect", what, exc_info=error)
    failure = BqliteError(f"bqlite failed unexpectedly: {type(error).__name__}: {error}")
    failure.reason, failure.status = "unexpected", 500
    return _refusal(failure)
