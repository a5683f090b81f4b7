"""The directory of one server: claimed for as long as the process lives."""

import fcntl
import logging
import os
import stat
from pathlib import Path

from bqlite.errors import ServerStartError

PRIVATE = 0o700
PRIVATE_UMASK = 0o077  # for a process that writes here

log = logging.getLogger("bqlite")


class Claim:
    """The right to use a directory, which the kernel takes back however the process ends.

    Args:
        path: The directory; created if absent.

    Raises:
        ServerStartError: It cannot be used, or another server uses it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(PRIVATE, parents=True, exist_ok=True)
            self._file = (path / "bqlite.lock").open("a+")
            _close_for_others(path)
        except OSError as error:
            raise ServerStartError(
                f"cannot use {path}: {error.strerror}; give --data a writable directory"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ServerStartError(
                f"{path} is in use by another bqlite; stop it or give --data another directory"
            ) from error

    def release(self) -> None:
        """Frees the directory for another server."""
        self._file.close()


def _close_for_others(path: Path) -> None:
    """Takes our own files from other users of the machine; the directory may hold others'."""
    for file in path.glob("bqlite.*"):
        found = file.stat()
        if found.st_mode & PRIVATE_UMASK and found.st_uid == os.geteuid():
            file.chmod(stat.S_IMODE(found.st_mode) & ~PRIVATE_UMASK)
            log.warning("%s was open to other users of this machine; it is yours alone now", file)
