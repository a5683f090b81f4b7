"""One demo at a time in a place: a second one would stop the first and delete what it stores."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fraudline.errors import InputError, LocalServiceError
from fraudline.home import make_private


@contextmanager
def only_demo(home: Path) -> Iterator[None]:
    """Hold the lock of a demo's home, which lies beside it, for the home itself is replaced.

    It goes with the process that holds it, however that ends.

    Raises:
        InputError: another demo runs there.
        LocalServiceError: the lock cannot be written.
    """
    path = home.with_name(f"{home.name}.lock")
    try:
        make_private(path.parent)
        lock = path.open("a+")
    except OSError as error:
        raise LocalServiceError(
            f"{error.filename or path} cannot be written: {error.strerror}. The demo needs it: "
            "mend that, or set `home` elsewhere."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise InputError(
                f"a demo is running here (process {lock.read().strip() or 'unknown'}), in {home}. "
                "Wait for its end, or stop it, or run this one in another directory."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
