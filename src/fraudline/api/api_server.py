"""The API as a process: its socket, what decides, and what is looked after beside the requests."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import msgspec
import uvicorn
import uvloop
from starlette.requests import Request

from fraudline.access import ApiKeys
from fraudline.api.api_app import JSON, Answered, ApiApp
from fraudline.api.connections import LimitedConnection
from fraudline.api.door import Door
from fraudline.api.openapi import describe
from fraudline.api.routes import HEALTH, METRICS, MODELS, OPENAPI, READY
from fraudline.api.scoring_turns import ScoringTurns
from fraudline.errors import ServiceError
from fraudline.metrics.api_collector import api_metrics
from fraudline.metrics.api_counts import ApiCounts
from fraudline.scoring import RepeatMemory
from fraudline.use_cases.follow_champion import ChampionFollower, Tell, told_of_exploring
from fraudline.use_cases.list_versions import list_versions
from fraudline.use_cases.project import Project

DRAIN_S = 2.0
"""How long requests are still taken after `/ready` has begun to say that it is ending."""
_LOOK_S = 0.25
_TRIED_EVERY_S = 1.0
_KEYS_USED_EVERY_S = 30.0
_ENDS_WITHIN_S = 5
_IDLE_S = 75
_BACKLOG = 1024
_LOG = logging.getLogger(__name__)


class ApiServer:
    """The API of a project's contract, ready to begin: it listens when its block is entered.

    Args:
        project: Whose champion, contract, keys and limits.

    Attributes:
        counts: What it counts.
        look: What a person should know of how it decides at first, if there is anything.
        url: Where it is served.

    Raises:
        BundleError: there is no champion, or it was altered.
        ServiceError: from the block: it is not possible to listen there.
        InputError: the file of the keys cannot be used.
    """

    def __init__(self, project: Project) -> None:
        self.counts = ApiCounts()
        self._project = project
        self._settings = project.settings.api
        contract = project.contract
        memory = None
        if contract.id is not None:
            memory = RepeatMemory(contract, project.settings.scoring.repeat_window_offsets)
        self._keys = ApiKeys(project.settings.home)
        self._keys.reload()
        self._champion = ChampionFollower(project, memory, self.counts, has_challengers=False)
        self.look = self._champion.look
        self._turns = ScoringTurns(lambda: self._champion.deciding, self.counts)
        self._door = Door(self._keys, self._settings.rate)
        self._description = describe(contract, self._settings)
        self._socket: socket.socket | None = None
        self._stop = threading.Event()
        self._keys_fault: str | None = None
        self._listing = asyncio.Semaphore(1)

    @property
    def key_count(self) -> int:
        """How many API keys are in force."""
        return self._keys.count

    @property
    def decided_by(self) -> str:
        """The version that decides, and what share it explores, in words."""
        model = self._champion.model
        return f"{model.version}{told_of_exploring(model.explore_share)}"

    @property
    def url(self) -> str:
        """Where it is served, once it is."""
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def __enter__(self) -> Self:
        """Listen."""
        host, port = self._settings.host, self._settings.port
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listening = socket.socket(family, socket.SOCK_STREAM)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind((host, port))
                listening.listen(_BACKLOG)
            except OSError:
                listening.close()
                raise
        except OSError as error:
            raise ServiceError(
                f"the API cannot be served at {host}, port {port}: {error.strerror or error}. Give "
                "it another one with FRAUDLINE_API__PORT, or api.port in fraudline.toml; 0 takes a "
                "free one."
            ) from None
        self._socket = listening
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the socket."""
        assert self._socket is not None
        self._socket.close()

    def until(self, stop: threading.Event, tell: Tell = lambda _: None) -> str:
        """Answer requests until told to stop, and then those that have come.

        Args:
            stop: Set it to end.
            tell: Called with a sentence for people when another version takes over.

        Returns:
            What was done, in words.
        """
        self._stop = stop
        # All that exists by now stays: the collector need not look at it again and again.
        gc.freeze()
        with (
            self._champion.following(tell),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(self._serve())
        self._keys.note_used(self._door.take_used())
        requests, decided = self.counts.requests.total(), self.counts.decided.total()
        refused = self.counts.rejected.total()
        return f"{requests:,} requests answered; {decided:,} transactions decided, {refused:,} not"

    async def _serve(self) -> None:
        app = ApiApp(
            self._turns,
            self._door,
            self.counts,
            self._settings,
            {
                MODELS: self._models,
                METRICS: self._metrics,
                HEALTH: self._health,
                READY: self._ready,
                OPENAPI: self._openapi,
            },
        )
        config = uvicorn.Config(
            app, http=LimitedConnection, ws="none", lifespan="off", proxy_headers=False,
            log_config=None, access_log=False, server_header=False,
            timeout_keep_alive=_IDLE_S, timeout_graceful_shutdown=_ENDS_WITHIN_S,
        )  # fmt: skip
        server = _Server(config)
        beside = [
            asyncio.create_task(each)
            for each in (self._watch_stop(server), self._watch_keys(), self._watch_model())
        ]
        for each in beside:
            each.add_done_callback(lambda done: _end_if_broken(done, server))
        try:
            await server.serve([self._socket] if self._socket else None)
        finally:
            for each in beside:
                each.cancel()

    async def _watch_stop(self, server: uvicorn.Server) -> None:
        """End when told to; until those who ask whether it is ready know, requests are taken."""
        while not self._stop.is_set():  # noqa: ASYNC110 - a signal's handler sets it
            await asyncio.sleep(_LOOK_S)
        await asyncio.sleep(DRAIN_S)
        server.should_exit = True

    async def _watch_keys(self) -> None:
        """Read which keys are in force, and keep when they were used; what fails is told once."""
        loop, kept_at = asyncio.get_running_loop(), time.monotonic()
        with ThreadPoolExecutor(1, thread_name_prefix="keys") as pool:
            while True:
                fault = None
                try:
                    await loop.run_in_executor(pool, self._keys.reload)
                except Exception as error:  # noqa: BLE001 - those that were in force stay so
                    fault = str(error) or type(error).__name__
                if time.monotonic() - kept_at > _KEYS_USED_EVERY_S:
                    kept_at, used = time.monotonic(), self._door.take_used()
                    try:
                        await loop.run_in_executor(pool, self._keys.note_used, used)
                    except Exception as error:  # noqa: BLE001 - kept the next time
                        self._door.give_back(used)
                        fault = fault or str(error) or type(error).__name__
                if fault is not None and self._keys_fault is None:
                    _LOG.warning("serve: API keys cannot be read or kept: %s", fault)
                self._keys_fault = fault
                await asyncio.sleep(_LOOK_S)

    async def _watch_model(self) -> None:
        """See whether what could not be decided can be, so that it is known without a request."""
        while True:
            await asyncio.sleep(_TRIED_EVERY_S)
            if self._turns.fault is not None and self._turns.failed:
                with contextlib.suppress(Exception):  # told by the turn
                    await self._turns.decide(self._turns.failed)

    async def _models(self, _: Request) -> Answered:
        async with self._listing:  # one at a time: a registry that hangs holds no more threads
            found = await asyncio.to_thread(self._versions)
        return 200, JSON, msgspec.json.encode(found)

    def _versions(self) -> dict[str, Any]:
        found = list_versions(self._project, self._project.contract.name)
        challengers = {each.version for each in found.challengers}
        shares = {each.version: each.share for each in found.rollouts}
        model = self._champion.model
        return {
            "decides": msgspec.to_builtins(model),
            "versions": [
                {
                    "version": each.version,
                    "recipe": each.recipe,
                    "created_at": each.created_at,
                    "is_champion": each.version in found.champions,
                    "champion_since": found.champions.get(each.version),
                    "is_challenger": each.version in challengers,
                    "rollout_share": shares.get(each.version, 0.0),
                    "policy": msgspec.to_builtins(each.policy),
                    "parts": msgspec.to_builtins(each.parts),
                }
                for each in found.manifests
            ],
        }

    async def _metrics(self, request: Request) -> Answered:
        kind, text = api_metrics(self.counts, request.headers.get("accept", ""))
        return 200, kind.encode(), text

    async def _health(self, _: Request) -> Answered:
        return 200, JSON, b'{"is_alive":true}'

    async def _ready(self, _: Request) -> Answered:
        why = self._not_ready()
        told = {"is_ready": not why, "reason": why}
        if self._keys_fault is not None:
            told["keys"] = f"they stay as they were: {self._keys_fault}"
        body = msgspec.json.encode(told)
        return (503 if why else 200), JSON, body

    def _not_ready(self) -> str:
        """Why transactions are not decided at present, in words; empty if they are."""
        if self._stop.is_set():
            return "it is ending"
        if (waits_s := self._turns.oldest_s) > self._project.settings.metrics.stalled_after_s:
            return f"a request has been waiting for {waits_s:.0f} s"
        if self._turns.fault is not None:
            return f"the model could not be run: {self._turns.fault}"
        return ""

    async def _openapi(self, _: Request) -> Answered:
        return 200, JSON, self._description


def _end_if_broken(task: asyncio.Task[None], server: uvicorn.Server) -> None:
    """What looks after the server must not end by itself: nobody would tell it to stop then."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("serve: ends, for what looks after it has failed", exc_info=error)
        server.should_exit = True


class _Server(uvicorn.Server):
    """Leaves signals to the command that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
