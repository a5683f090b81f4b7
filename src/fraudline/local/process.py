"""One detached child process: start it, know whether it lives, stop it.

Whether it lives is told by a lock that the child inherits and the kernel frees when the
child is gone, however it went. So neither a process number that another program reuses
nor a reboot can be mistaken for a running service.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from fraudline.errors import LocalServiceError
from fraudline.home import PRIVATE_UMASK

_LOOPBACK = "127.0.0.1"
# Linux gives ports from 32,768 on to those who connect, macOS and Windows from 49,152 on.
_QUIET_PORTS = range(15_000, 32_768)
# One after the other, so that none is given twice; from anywhere, so that two processes which
# look at once do not find the same.
_places = itertools.count(random.SystemRandom().randrange(len(_QUIET_PORTS)))
_POLL_S = 0.02
_TCP_LISTEN = "0A"

# Popen objects of children that are meant to outlive this process: kept, because Python warns
# when one is forgotten while it runs, and because a child that ended must be waited for.
_started: list[subprocess.Popen[bytes]] = []


def spawn(command: list[str], directory: Path, lock: Path, log: Path) -> int:
    """Start a process in its own session, so that Ctrl-C in this terminal does not reach it.

    Args:
        command: the program and its arguments.
        directory: the child's working directory.
        lock: file that the child keeps locked as long as it lives.
        log: file for the child's standard output and error; that of the start before is
            kept beside it, with `.1` at its end.

    Returns:
        The child's process number.

    Raises:
        OSError: the program or one of the files cannot be opened.
    """
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    with lock.open("w") as held, log.open("wb") as output:
        fcntl.flock(held, fcntl.LOCK_EX)
        child = subprocess.Popen(  # noqa: S603 - the command is ours, no shell reads it
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(held.fileno(),),
            umask=PRIVATE_UMASK,
            start_new_session=True,
        )
    _started.append(child)
    return child.pid


def is_alive(lock: Path) -> bool:
    """Whether a process that was started with this lock file still runs."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def end_process(pid: int, lock: Path, grace_s: float) -> bool:
    """Ask a living process to end, and end it by force when the grace time is over.

    Returns:
        Whether it ended by itself.
    """
    _signal(pid, signal.SIGTERM)
    is_graceful = _wait_for_end(lock, grace_s)
    if not is_graceful:
        _signal(pid, signal.SIGKILL)
        _wait_for_end(lock, grace_s)
    for child in _started:
        child.poll()
    return is_graceful


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_for_end(lock: Path, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while is_alive(lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def memory_bytes(pid: int) -> int | None:
    """The memory a process occupies, or None where the system has no `/proc`."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return None


def free_port() -> int:
    """A port of the loopback address on which nothing listens.

    The system gives it to nobody who only connects. Of one that it does, whoever knocks while
    its service is down may be made the holder, even without another asking for it: a
    connection from a port to itself succeeds. Then the service cannot take it again.

    Raises:
        LocalServiceError: there is none.
    """
    for _ in _QUIET_PORTS:
        port = _QUIET_PORTS[next(_places) % len(_QUIET_PORTS)]
        if is_free(port):
            return port
    raise LocalServiceError(
        f"no port of {_LOOPBACK} from {_QUIET_PORTS.start} to {_QUIET_PORTS.stop - 1} is free."
    )


def is_free(port: int) -> bool:
    """Whether a service could listen on this port of the loopback address."""
    try:
        socket.create_server((_LOOPBACK, port)).close()
    except OSError:
        return False
    return True


def accepts_connections(port: int) -> bool:
    """Whether something listens on this port of the loopback address."""
    try:
        socket.create_connection((_LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def port_holder(port: int) -> str:
    """Who listens on a port, as "process 123 (python)"; where that cannot be seen, "a process"."""
    with suppress(OSError):
        sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
        for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if str(descriptor.readlink()) in sockets:
                    process = descriptor.parent.parent
                    name = (process / "comm").read_text(encoding="utf-8").strip()
                    return f"process {process.name} ({name})"
    return "a process"


def _listening_inodes(port: int) -> list[str]:
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    rows = [row.split() for table in tables for row in table.read_text("ascii").splitlines()[1:]]
    return [
        row[9] for row in rows if row[3] == _TCP_LISTEN and int(row[1].split(":")[1], 16) == port
    ]
