"""What versions of an object store say of themselves, kept on this machine once it was read.

A version's manifest never changes, and its name follows from what it says. So it is fetched once,
and a line here that was altered or cut short is none, and is fetched again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from fraudline.bundle.bundle_files import parse_manifest
from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError
from fraudline.home import make_private
from fraudline.registry.directory_lock import locked

_FILE, _DRAFT = ".manifests", ".manifests-draft-"
# Of versions that were removed since; more of them, and the file is written anew without.
_MOST_GONE_SHARE = 0.5


class ManifestCache:
    """A file of manifests, a line each.

    Args:
        directory: In which it is; made when something is to be kept.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, Manifest] | None = None

    def known(self) -> Mapping[str, Manifest]:
        """The manifests, by version; read from the disk once."""
        if self._known is None:
            self._known = {each.version: each for each in self._read()}
        return self._known

    def keep(self, manifests: Iterable[Manifest], versions: Collection[str]) -> None:
        """Add what was read, and forget what is no version any more.

        Args:
            manifests: Those that were not known.
            versions: Names of all versions that there are.

        Raises:
            OSError: they cannot be written; they are known to this process all the same.
        """
        known = self.known()
        added = [each for each in manifests if each.version not in known]
        gone = known.keys() - set(versions)
        is_worn = len(gone) > _MOST_GONE_SHARE * len(known)
        self._known = {name: each for name, each in known.items() if name not in gone}
        self._known |= {each.version: each for each in added}
        if not added and not is_worn:
            return
        make_private(self._directory)
        with locked(self._directory):
            if is_worn:
                self._replace(self._known.values())
            else:
                self._append(added)

    def _append(self, manifests: Iterable[Manifest]) -> None:
        with (self._directory / _FILE).open("ab") as file:
            # What was being written when a machine stopped has no end.
            file.write(b"\n" + b"".join(map(_line, manifests)))

    def _replace(self, manifests: Iterable[Manifest]) -> None:
        for left in self._directory.glob(f"{_DRAFT}*"):  # by who was killed in between
            left.unlink()
        descriptor, draft = tempfile.mkstemp(prefix=_DRAFT, dir=self._directory)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(map(_line, manifests))
        Path(draft).replace(self._directory / _FILE)

    def _read(self) -> Iterable[Manifest]:
        path = self._directory / _FILE
        try:
            lines = path.read_bytes().split(b"\n") if path.is_file() else []
        except OSError:  # of another user
            return
        for line in lines:
            if line:
                try:
                    yield parse_manifest(line, str(path))
                except BundleError:
                    continue  # it is fetched again


def _line(manifest: Manifest) -> bytes:
    return msgspec.json.encode(manifest) + b"\n"
