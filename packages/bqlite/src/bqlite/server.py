"""The `bqlite` command: opens a directory, listens, says so in one line, ends cleanly."""

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from bqlite import key_file, no_pandas
from bqlite.database.directory import PRIVATE_UMASK, Claim
from bqlite.errors import ServerStartError

DEFAULT_PROJECT = "local"
DEFAULT_MEMORY_LIMIT_MB = 1024
DEFAULT_JOB_TIMEOUT_S = 600
EXIT_WITHIN_S = 1.0
STOPPED_WITHIN_S = 5.0  # each of both endpoints
GRACE_S = 0.2  # for calls of the Storage API that are under way
KILLED_AFTER_S = 1.5  # by the kernel, which waits for no thread
SWITCH_S = 0.0001  # how long a thread may keep another one from ending the process

log = logging.getLogger("bqlite")


class Server:
    """Both endpoints over one directory.

    Args:
        directory: Where the data lies; created if absent.
        port: The REST port, 0 for a free one.
        storage_port: The gRPC port, 0 for a free one.
        project: The project shown to a client that names none.
        memory_limit_mb: What DuckDB may hold in memory.
        job_timeout_s: After how long a query is stopped that names no time-out, 0 for never.
        has_faults: Whether clients may arm faults.

    Attributes:
        rest: The REST endpoint's URL.
        storage: The Storage endpoint's host and port.

    Raises:
        ServerStartError: The directory or a port cannot be had; the message is one line.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        storage_port: int = 0,
        project: str = DEFAULT_PROJECT,
        memory_limit_mb: int = DEFAULT_MEMORY_LIMIT_MB,
        job_timeout_s: int = DEFAULT_JOB_TIMEOUT_S,
        has_faults: bool = False,
    ) -> None:
        # Claimed before anything large is imported, so that a refusal comes at once.
        claim = Claim(directory)
        try:
            self._socket = _listen(port)
        except ServerStartError:
            claim.release()
            raise
        import uvicorn  # noqa: PLC0415

        from bqlite.database.catalog import Catalog  # noqa: PLC0415
        from bqlite.database.engine import Engine  # noqa: PLC0415
        from bqlite.faults import Faults  # noqa: PLC0415
        from bqlite.rest.app import build as build_rest  # noqa: PLC0415
        from bqlite.rest.call import Services  # noqa: PLC0415
        from bqlite.slow_clients import TimedProtocol  # noqa: PLC0415
        from bqlite.storage.service import build as build_storage  # noqa: PLC0415
        from bqlite.work.jobs import Jobs  # noqa: PLC0415

        try:
            self._engine = Engine(claim, memory_limit_mb)
        except ServerStartError:
            self._socket.close()
            raise
        try:
            catalog = Catalog(self._engine)
            self._jobs = Jobs(catalog, job_timeout_s)
            self._faults = Faults(catalog.streams.expire)
            self._grpc, bound = build_storage(catalog, self._faults, storage_port)
        except BaseException:
            self._engine.close()
            self._socket.close()
            raise
        self.rest = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        services = Services(
            catalog, self._jobs, self._faults, directory / "uploads", project, self.rest
        )
        app = build_rest(services, has_faults=has_faults)
        config = uvicorn.Config(
            app, http=TimedProtocol, ws="none", log_config=None, lifespan="off", access_log=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._uvicorn.run, args=([self._socket],), name="rest", daemon=True
        )
        self._memory_limit_mb = memory_limit_mb
        self.project = project
        self.storage = f"127.0.0.1:{bound}"

    def __enter__(self) -> Self:
        self._grpc.start()
        self._thread.start()
        threading.Thread(target=_load_parser, name="parser", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._uvicorn.should_exit = True
        self._faults.close()
        stopped = self._grpc.stop(grace=GRACE_S)
        stopped.wait(GRACE_S)
        self._engine.refuse_commits()
        self._jobs.close(self._engine.interrupt)
        self._engine.interrupt()
        if not stopped.wait(STOPPED_WITHIN_S):
            log.error("calls at %s have not ended, and are left behind", self.storage)
        self._thread.join(STOPPED_WITHIN_S)
        if self._thread.is_alive():
            log.error("requests at %s have not ended, and are left behind", self.rest)
        self._engine.close()

    def keep_below(self, ceiling_mb: int) -> None:
        """Ends the process before it holds more memory, 0 for what `MemoryWatch` finds right."""
        from bqlite.work.memory import HEADROOM_MB, MemoryWatch  # noqa: PLC0415

        ceiling_mb = ceiling_mb or self._memory_limit_mb + HEADROOM_MB
        MemoryWatch(self._jobs, self._memory_limit_mb, ceiling_mb).start()


def main(argv: list[str] | None = None) -> None:
    """Runs the command until SIGTERM or SIGINT; exit code 1 says why it could not start."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["key"]:
        key_file.main(argv[1:])
        return
    options = parse(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    os.umask(PRIVATE_UMASK)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # a taken port is told by bqlite itself
    no_pandas.keep_out()
    stop, serves = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        if serves.is_set() and not stop.is_set():
            # A hundred busy threads would each keep the interpreter for 5 ms before its turn comes.
            sys.setswitchinterval(SWITCH_S)
            signal.setitimer(signal.ITIMER_REAL, KILLED_AFTER_S)
        stop.set()

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        server = Server(
            options.data,
            port=options.port,
            storage_port=options.storage_port,
            project=options.project,
            memory_limit_mb=options.memory_limit_mb,
            job_timeout_s=options.job_timeout_s,
            has_faults=options.faults,
        )
    except ServerStartError as error:
        sys.stderr.write(f"bqlite: {error}\n")
        sys.exit(1)
    server.keep_below(options.process_limit_mb)
    serves.set()
    with server:
        ready = {"rest": server.rest, "storage": server.storage, "project": server.project,
                 "pid": os.getpid()}  # fmt: skip
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        log.info("listening on %s (REST) and %s (Storage)", server.rest, server.storage)
        stop.wait()
        # Whatever is committed is on disk, so ending late is the only thing left to fear.
        last = threading.Timer(EXIT_WITHIN_S, os._exit, (0,))
        last.daemon = True
        last.start()
    sys.stderr.flush()
    os._exit(0)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="bqlite", description="A BigQuery for one machine, on 127.0.0.1 only.",
        epilog="bqlite key FILE --rest URL writes a key file for clients that want one.",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, help="the directory of the data")
    parser.add_argument("--port", type=int, default=0, help="REST; 0, the default, is a free one")
    parser.add_argument(
        "--storage-port", type=int, default=0, help="Storage API; 0, the default, is a free one"
    )
    parser.add_argument("--project", default=DEFAULT_PROJECT, help="the default project")
    parser.add_argument(
        "--memory-limit-mb", type=int, default=DEFAULT_MEMORY_LIMIT_MB,
        help="what DuckDB may hold in memory; results beyond it go to disk",
    )  # fmt: skip
    parser.add_argument(
        "--process-limit-mb", type=int, default=0,
        help="what the process may hold before it ends itself; 0 is 3 GB more than DuckDB's limit",
    )  # fmt: skip
    parser.add_argument(
        "--job-timeout-s", type=int, default=DEFAULT_JOB_TIMEOUT_S,
        help="when a query without a time-out of its own is stopped; 0 is never",
    )  # fmt: skip
    parser.add_argument(
        "--faults", action="store_true", help="let tests break connections and forget streams"
    )
    return parser.parse_args(argv)


def _load_parser() -> None:
    """Loads what the first statement would wait for, while clients already connect."""
    import bqlite.sql.translate  # noqa: F401, PLC0415


def _listen(port: int) -> socket.socket:
    # asyncio turns off Nagle's delay, 40 ms an answer, only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)  # from here on a client that connects is kept, not refused
    except OSError as error:
        listener.close()
        raise ServerStartError(
            f"port {port} is not available: {error.strerror}; give --port another one, or 0"
        ) from error
    return listener
