"""A registry's files in a directory of this machine, or one that machines share."""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from fraudline.bundle.bundle_files import MANIFEST_FILE, check_bundle, read_manifest
from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError
from fraudline.registry.directory_lock import locked
from fraudline.registry.store import Held

_ASIDE = ".removed-"

logger = logging.getLogger(__name__)


class DirectoryStore:
    """Versions as directories, small files that are replaced whole; see `Store`.

    Args:
        directory: The registry's.
    """

    look_every_s = 0.5

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.where = str(directory)
        self._read: dict[str, tuple[tuple[int, ...], Manifest]] = {}

    def changing(self) -> AbstractContextManager[None]:
        """One process at a time: a promotion that another one overwrote would be forgotten."""
        return locked(self.directory)

    def read(self, name: str) -> Held | None:
        """See `Store`."""
        path = self.directory / name
        if not path.is_file():
            return None
        at = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
        return Held(path.read_bytes(), at)

    def remembered(self, name: str) -> Held | None:  # noqa: ARG002 - a protocol's
        """Nothing: what cannot be read here is on this machine's own disks."""
        return None

    def names(self, prefix: str) -> list[str]:
        """See `Store`."""
        return [path.name for path in self.directory.glob(f"{prefix}*") if path.is_file()]

    def replace(self, name: str, content: bytes, before: Held | None) -> bool:  # noqa: ARG002
        """See `Store`; it still holds what it held, since who writes has the lock."""
        draft = self.directory / f".{name}-{os.getpid()}"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.directory / name)
        return True

    def append(self, name: str, line: bytes) -> None:
        """See `Store`."""
        with (self.directory / name).open("a+b") as file:
            size = file.tell()
            if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
                line = b"\n" + line  # of what was being written when a machine stopped
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _versions(self) -> list[str]:
        if not self.directory.is_dir():
            return []
        found = (path for path in self.directory.iterdir() if path.is_dir())
        return sorted(path.name for path in found if not path.name.startswith("."))

    def has(self, version: str) -> bool:
        """See `Store`."""
        return (self.directory / version).is_dir()

    def manifests(self) -> Iterator[Manifest | BundleError]:
        """See `Store`; a file that was touched since is read again."""
        before, self._read = self._read, {}
        for version in self._versions():
            try:
                mark = _mark(self.directory / version / MANIFEST_FILE)
                known = before.get(version)
                if known is None or known[0] != mark:
                    known = mark, read_manifest(self.directory / version)
            except BundleError as error:
                yield error
                continue
            self._read[version] = known
            yield known[1]

    def bundle(self, version: str) -> Path | None:
        """See `Store`; whether it was altered is for who opens it."""
        return self.directory / version if self.has(version) else None

    def remove(self, manifest: Manifest) -> None:
        """See `Store`; in one step for who looks, as half a version would be told as altered."""
        for left in self.directory.glob(f"{_ASIDE}*"):  # by who was killed in between
            shutil.rmtree(left)
        aside = self.directory / f"{_ASIDE}{manifest.version}"
        with suppress(FileNotFoundError):
            (self.directory / manifest.version).rename(aside)
            shutil.rmtree(aside)

    def take_over(self, candidate: Path, manifest: Manifest) -> Manifest:
        """See `Store`; a version that was altered is replaced, so training anew mends it."""
        target = self.directory / manifest.version
        if target.exists():
            try:
                return check_bundle(target)
            except BundleError as error:
                logger.warning("it is replaced by what was made now, of the same name: %s", error)
                shutil.rmtree(target)
        candidate.rename(target)
        return manifest


def _mark(path: Path) -> tuple[int, ...]:
    """By which a file is told from what it was at another time; nothing where there is none."""
    try:
        found = path.stat()
    except OSError:  # who reads it says why
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
