"""A registry's files in a directory of this machine, or one that machines share."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from fraudline.bundle.bundle_files import check_bundle, read_manifest
from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError
from fraudline.registry.directory_lock import locked
from fraudline.registry.store import Held


class DirectoryStore:
    """Versions as directories, small files that are replaced whole; see `Store`.

    Args:
        directory: The registry's.
    """

    look_every_s = 0.5

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.where = str(directory)

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

    def versions(self) -> list[str]:
        """See `Store`."""
        if not self.directory.is_dir():
            return []
        found = (path for path in self.directory.iterdir() if path.is_dir())
        return sorted(path.name for path in found if not path.name.startswith("."))

    def has(self, version: str) -> bool:
        """See `Store`."""
        return (self.directory / version).is_dir()

    def manifest(self, version: str) -> Manifest:
        """See `Store`."""
        return read_manifest(self.directory / version)

    def bundle(self, version: str) -> Path | None:
        """See `Store`; whether it was altered is for who opens it."""
        return self.directory / version if self.has(version) else None

    def take_over(self, candidate: Path, manifest: Manifest) -> Manifest:
        """See `Store`; a version that was altered is replaced, so training anew mends it."""
        target = self.directory / manifest.version
        if target.exists():
            try:
                return check_bundle(target)
            except BundleError:
                shutil.rmtree(target)
        candidate.rename(target)
        return manifest
