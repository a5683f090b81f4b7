"""The directory of one server: claimed for as long as the process lives."""

import fcntl
from pathlib import Path

from bqlite.errors import ServerStartError


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
            path.mkdir(parents=True, exist_ok=True)
            self._file = (path / "bqlite.lock").open("a+")
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
