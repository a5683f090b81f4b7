"""Starts one service and waits for its proof."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from fraudline.errors import LocalServiceError
from fraudline.home import make_private
from fraudline.local.process import (
    accepts_connections,
    end_process,
    free_port,
    is_alive,
    is_free,
    port_holder,
    spawn,
)
from fraudline.local.service import OnProgress, Service, recorded_pid
from fraudline.local.state import Record, read_records, write_record
from fraudline.settings import Settings

ATTEMPT_S = 5.0
_LEAST_FREE_BYTES = 200_000_000
_POLL_S = 0.05
_QUOTED_LINES = 5
_FAULT_WORDS = ("ERROR", "FATAL", "Error", "Exception")


def launch(service: Service, settings: Settings, on_progress: OnProgress) -> bool:
    """Start one service unless it runs.

    Returns:
        Whether it had to be started.

    Raises:
        LocalServiceError: a port is taken, the disk is full, or the service cannot be prepared.
        OSError: its files cannot be written.
    """
    home = settings.home.resolve()
    record = read_records(home).get(service.name)
    if is_alive(service.lock(home)):
        pid = recorded_pid(service, home, record)
        on_progress(f"{service.name}: process {pid} runs; checking that it answers")
        return False
    if (free := shutil.disk_usage(home).free) < _LEAST_FREE_BYTES:
        raise LocalServiceError(
            f"the disk of {home} has {free / 1e6:.0f} MB free, the local services need at least "
            f"{_LEAST_FREE_BYTES / 1e6:.0f} MB. Free some, or set `home` elsewhere."
        )
    if record is not None and record.pid is not None:
        on_progress(
            f"{service.name}: process {record.pid} is recorded as running but is gone "
            "(killed, crashed or rebooted); starting again with the same data"
        )
    directory = service.directory(home)
    make_private(directory)
    kept = {} if record is None else record.ports
    ports = {
        role: _choose_port(service.name, setting, settings, kept.get(role), on_progress)
        for role, setting in service.port_settings.items()
    }
    command = service.command(settings, directory, ports, on_progress)
    on_progress(f"{service.name}: starting on {service.address(ports)}")
    started_at = time.time()
    write_record(home, service.name, Record(None, started_at, ports))
    pid = spawn(command, directory, service.lock(home), service.log(home))
    write_record(home, service.name, Record(pid, started_at, ports))
    return True


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


def await_proof(
    service: Service, settings: Settings, on_progress: OnProgress, *, is_fresh: bool
) -> None:
    """Wait until a service proves that it works.

    Args:
        service: which one.
        settings: home, and the time allowed.
        on_progress: told when it is ready.
        is_fresh: whether it was started just now; then it is stopped if it fails.

    Raises:
        LocalServiceError: it ended, or the time is over; the message quotes its log.
    """
    home = settings.home.resolve()
    record = read_records(home)[service.name]
    pid = recorded_pid(service, home, record)
    timeout_s = settings.local.start_timeout_s
    began = time.monotonic()
    reason = "nothing listens on its port"
    while (left_s := timeout_s - (time.monotonic() - began)) > 0:
        if not is_alive(service.lock(home)):
            write_record(home, service.name, Record(None, record.started_at, record.ports))
            raise LocalServiceError(
                f"{service.name} ended while it started (process {pid}). "
                f"{_quoted(service.log(home))} "
                "Mend what it complains about, then run `fraudline up` again."
            )
        if all(accepts_connections(port) for port in record.ports.values()):
            try:
                service.prove(record.ports, min(left_s, ATTEMPT_S))
            except LocalServiceError as error:
                reason = str(error)
            else:
                age_s = time.time() - record.started_at
                how = f"ready after {age_s:.1f} s" if is_fresh else f"running for {age_s:.0f} s"
                where = f"{service.address(record.ports)} (process {pid})"
                on_progress(f"{service.name}: {how} on {where}")
                return
        time.sleep(_POLL_S)
    remedy = "Run `fraudline down`, then `fraudline up`."
    if is_fresh:
        end_process(pid, service.lock(home), service.stop_grace_s)
        write_record(home, service.name, Record(None, record.started_at, record.ports))
        remedy = "It was stopped. A longer `local.start_timeout_s` may help on a slow machine."
    raise LocalServiceError(
        f"{service.name} (process {pid}) did not prove within {timeout_s:g} s that it works: "
        f"{reason}. {_quoted(service.log(home))} {remedy}"
    )


def _quoted(log: Path) -> str:
    """The last words of a service: lines that tell of a fault if there are any."""
    said = log.read_text(encoding="utf-8", errors="replace")
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("\tat ")]
    faults = [line for line in lines if any(word in line for word in _FAULT_WORDS)]
    quoted = "\n".join(f"  {line}" for line in (faults or lines)[-_QUOTED_LINES:])
    return f"Its log {log} ends with:\n{quoted}\n" if quoted else f"Its log {log} is empty."
