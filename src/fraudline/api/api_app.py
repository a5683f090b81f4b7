"""The ASGI application: scoring without a detour, everything else by Starlette's routes."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from fraudline.access import ApiKey
from fraudline.api.door import Door
from fraudline.api.problems import CONTENT_TYPE, Problem, Refused, refused
from fraudline.api.routes import ROUTES, SCORE, RouteRule
from fraudline.api.scoring_turns import Said, ScoringTurns
from fraudline.metrics.api_counts import ApiCounts
from fraudline.settings import ApiSettings

Answered = tuple[int, bytes, bytes]
"""Status, content type and body."""
Look = Callable[[Request], Awaitable[Answered]]
"""What answers a route that is no scoring."""

JSON = b"application/json"
RETRY_AFTER_S = 1
MOST_HELD_BYTES = 256 << 20
"""Of all bodies that have not come whole."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_LOG = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_several = msgspec.json.Decoder(list[msgspec.Raw]).decode


class SeveralAnswers(msgspec.Struct):
    """What is said of several transactions.

    Attributes:
        decided: How many have a decision.
        refused: How many have none.
        results: A decision or a problem for each, in their order.
    """

    decided: int
    refused: int
    results: list[Any]


class ApiApp:
    """Answers requests.

    Args:
        turns: Decides transactions.
        door: Lets in who may.
        counts: Told of each answer.
        settings: The limits.
        looks: What answers each other route.

    Attributes:
        counts: As given.
    """

    def __init__(
        self,
        turns: ScoringTurns,
        door: Door,
        counts: ApiCounts,
        settings: ApiSettings,
        looks: dict[RouteRule, Look],
    ) -> None:
        self._turns, self._door, self.counts = turns, door, counts
        self._settings = settings
        self._askers: dict[str, int] = {}  # by their keys
        self._held_bytes = 0
        self._most_bytes = int(settings.max_body_mb * 1_000_000)
        self._ids = map(f"{secrets.token_hex(4)}-{{:x}}".format, itertools.count(1))
        self._others = Starlette(
            routes=[
                Route(rule.path, self._endpoint(rule, look), methods=[rule.method])
                for rule, look in looks.items()
            ],
            exception_handlers={HTTPException: _no_such_route},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        begun = time.perf_counter()
        request_id = self._request_id(scope)
        route, status = scope["path"], 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            if route == SCORE.path and scope["method"] == SCORE.method:
                await self._score(scope, receive, watched)
            else:
                await self._others(scope, receive, watched)
                route = getattr(scope.get("route"), "path", "other")
        except ClientDisconnect:
            status = 499  # as nginx calls it: nobody was there to be answered
        except Exception:  # noqa: BLE001 - told to who asks, and to the log
            _LOG.exception("serve: request %s could not be answered", request_id.decode())
            detail = "This is a fault of the server; its log tells it by the request's id."
            problem = refused(HTTPStatus.INTERNAL_SERVER_ERROR, "server_fault", detail)
            await _send_problem(watched, problem)
        self.counts.answered(route, status, time.perf_counter() - begun)

    async def _score(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            roles = SCORE.roles or frozenset()
            key = self._door.admit(scope["headers"], _address(scope), roles)
            body = await self._body(scope, receive)
            values, is_one = self._transactions(body, key)
            self._require_room(len(values))
            self._door.spend(key, len(values))
            said = await self._turns.decide(
                values, self._askers.setdefault(key.id, len(self._askers))
            )
        except Refused as refusal:
            await _send_problem(send, refusal)
            return
        if is_one:
            only = said[0]
            status, kind = (only.status, CONTENT_TYPE) if isinstance(only, Problem) else (200, JSON)
            await _send(send, status, kind, _encode(only))
            return
        await _send(send, 200, JSON, _encode(_together(said)))

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The body of a request for scoring.

        Raises:
            Refused: it is no JSON, or larger than may be.
            ClientDisconnect: the client has gone.
        """
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != JSON:
            raise refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "no_json",
                f"Content-Type is {kind.decode('latin-1')[:100] or 'missing'}; expected "
                "application/json.",
            )
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "packed",
                "The body is packed (Content-Encoding); send it as it is.",
            )
        declared = headers.get(b"content-length", b"0")
        if int(declared) > self._most_bytes:
            raise self._too_large(int(declared))
        pieces, size = [], 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                self._held_bytes += len(pieces[-1])
                if size > self._most_bytes:
                    raise self._too_large(size)
                if not message.get("more_body", False):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
                if self._held_bytes > MOST_HELD_BYTES:
                    raise self._too_many_bodies()
        finally:
            self._held_bytes -= size

    def _too_many_bodies(self) -> Refused:
        return refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "busy",
            f"Requests that are on their way have more than {MOST_HELD_BYTES:,} bytes together. "
            "Nothing of this one was decided.",
            {"Retry-After": str(RETRY_AFTER_S), "Connection": "close"},
        )

    def _too_large(self, size: int) -> Refused:
        return refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
            f"The body has {size:,} bytes or more, and may have {self._most_bytes:,} "
            "(api.max_body_mb). Send fewer transactions at a time.",
            {"Connection": "close"},
        )

    def _transactions(self, body: bytes, key: ApiKey) -> tuple[list[bytes], bool]:
        """The JSON of each transaction, and whether it came alone.

        Raises:
            Refused: it is no list of transactions, or a list of too many or none.
        """
        if not body.lstrip(b" \t\r\n").startswith(b"["):
            return [body], True
        try:
            found = _several(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise refused(
                HTTPStatus.BAD_REQUEST,
                "invalid_json",
                f"The body is no JSON array of transactions: {error}.",
            ) from None
        most = self._settings.max_rows
        if not 1 <= len(found) <= most:
            self._door.spend(key, most)  # splitting it cost as much
            raise refused(
                HTTPStatus.UNPROCESSABLE_ENTITY if not found else HTTPStatus(413),
                "too_many_rows" if found else "no_rows",
                f"The body has {len(found):,} transactions; expected 1 to {most:,} (api.max_rows).",
            )
        return list(map(bytes, found)), False

    def _require_room(self, count: int) -> None:
        """Refuse what would wait long.

        Raises:
            Refused: too many transactions wait.
        """
        waiting, most = self.counts.waiting_rows, self._settings.max_waiting_rows
        if waiting and waiting + count > most:
            raise refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                f"{waiting:,} transactions wait to be decided, and no more than {most:,} may "
                "(api.max_waiting_rows). Nothing of this request was decided.",
                {"Retry-After": str(RETRY_AFTER_S)},
            )

    def _endpoint(self, rule: RouteRule, look: Look) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                if rule.roles is not None:
                    self._door.admit(request.headers.raw, _address(request.scope), rule.roles)
                status, kind, body = await look(request)
            except Refused as refusal:
                headers = {**refusal.headers, "Content-Type": CONTENT_TYPE.decode()}
                return Response(_encode(refusal.problem), refusal.problem.status, headers)
            return Response(body, status, {"Content-Type": kind.decode()})

        return endpoint

    def _request_id(self, scope: Scope) -> bytes:
        """The one that the client gave, if it is fit to be told and logged; else a new one."""
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                return bytes(value)
        return next(self._ids).encode()


def _together(said: list[Said]) -> SeveralAnswers:
    results: list[Any] = []
    count = 0
    for index, each in enumerate(said):
        if isinstance(each, Problem):
            results.append(msgspec.structs.replace(each, index=index))
            count += 1
        else:
            results.append(each)
    return SeveralAnswers(len(said) - count, count, results)


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = ", ".join(f"{rule.method} {rule.path}" for rule in ROUTES)
    reason = "no_such_route" if error.status_code == HTTPStatus.NOT_FOUND else "wrong_method"
    detail = f"There is no {request.method} of this path; there are {known}."
    problem = Problem(HTTPStatus(error.status_code).phrase, error.status_code, detail, reason)
    headers = {**(error.headers or {}), "Content-Type": CONTENT_TYPE.decode()}
    return Response(_encode(problem), error.status_code, headers)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


async def _send_problem(send: Send, refusal: Refused) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    body = _encode(refusal.problem)
    await _send(send, refusal.problem.status, CONTENT_TYPE, body, headers)


async def _send(
    send: Send,
    status: int,
    kind: bytes,
    body: bytes,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    head = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *(headers or ())]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
