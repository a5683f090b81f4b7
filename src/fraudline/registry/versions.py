"""StoredVersions of bundles: built, taken over, listed and found, wherever the files lie."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fraudline.bundle.bundle_files import check_bundle
from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError, InputError
from fraudline.registry.candidates import Candidates
from fraudline.registry.champions import contract_of
from fraudline.registry.changes import Change
from fraudline.registry.removals import Removals
from fraudline.registry.store import Store

_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")

logger = logging.getLogger(__name__)


class StoredVersions:
    """The versions of a registry, whatever is done with them.

    A version is named by its content, so it never changes.

    Args:
        store: Where the registry's files lie.
        changes_of: Gives every change of a contract.

    Raises:
        RegistryError: from each method: the object store cannot be reached, or refuses.
    """

    def __init__(self, store: Store, changes_of: Callable[[str], list[Change]]) -> None:
        self._store = store
        self._candidates = Candidates(store.directory)
        self.removals = Removals(store, changes_of)

    @property
    def directory(self) -> Path:
        """In which candidates are built; of a local registry, where its versions are, too."""
        return self._store.directory

    @property
    def look_every_s(self) -> float:
        """How often a scorer looks for another champion, seconds."""
        return self._store.look_every_s

    def new_directory(self) -> Path:
        """An empty directory in which training may build a bundle, to be given to `add`.

        What trainings that were killed have left is removed, and named in the log. A training
        that lives holds a lock on its directory.

        An object store that takes no version is refused here, before hours are spent on one.
        """
        made = self._candidates.new()
        try:
            with self._store.changing():
                return made
        except BaseException:
            self.discard(made)
            raise

    def discard(self, candidate: Path) -> None:
        """Remove what `new_directory` gave, unless it was added; harmless where it was."""
        self._candidates.discard(candidate)

    def add(self, candidate: Path) -> Manifest:
        """Take over a finished bundle as a version; adding the same one again changes nothing.

        A version that is there but was altered is replaced, so that training anew mends it.
        Who ends at the same time with the same bundle is told the same version.
        """
        manifest = check_bundle(candidate)
        with self._store.changing():
            kept = self._store.take_over(candidate, manifest)
        self.discard(candidate)
        return kept

    def keep(self, candidate: Path, version: str) -> Path:
        """Put a finished bundle aside that could not be added now, for `add_copy` to take it.

        Args:
            candidate: What `new_directory` gave.
            version: What it is.

        Returns:
            Its directory from now on.
        """
        return self._candidates.keep(candidate, version)

    def add_copy(self, bundle: Path) -> Manifest:
        """Take over a bundle that lies in another directory; what `keep` gave is removed then.

        Raises:
            BundleError: it is no bundle, or was altered.
        """
        check_bundle(bundle)
        candidate = self.new_directory()
        try:
            shutil.copytree(bundle, candidate, dirs_exist_ok=True)
            manifest = self.add(candidate)
        finally:
            self.discard(candidate)
        self._candidates.forget(bundle.absolute())
        return manifest

    def versions(self) -> list[Manifest]:
        """Every version, oldest first; one that is broken is named in the log and left out."""
        manifests = []
        for found in self._store.manifests():
            if isinstance(found, BundleError):
                logger.warning("a version is broken and not listed: %s", found)
            else:
                manifests.append(found)
        return sorted(manifests, key=lambda manifest: manifest.created_at)

    def path(self, version: str) -> Path:
        """The directory of a version, on this machine.

        Raises:
            InputError: there is no such version.
            BundleError: it was altered in an object store.
        """
        path = self._store.bundle(version) if _VERSION.fullmatch(version) else None
        if path is None:
            raise self._unknown(version)
        return path

    @contextmanager
    def _changing(self, version: str) -> Iterator[None]:
        """To be entered by who changes what a version is to do."""
        self._require(version)
        with self._store.changing():
            self._require(version)  # else it was removed meanwhile
            yield

    def _require(self, version: str) -> None:
        """Refuse what is no version for every machine that uses the registry."""
        if not (_VERSION.fullmatch(version) and self._store.has(version)):
            raise self._unknown(version)

    def _unknown(self, version: str) -> InputError:
        is_name = _VERSION.fullmatch(version)
        for removal in self.removals.all(contract_of(version)) if is_name else []:
            if removal.version == version:
                return InputError(f"{removal.told} `fraudline models list` shows those that are.")
        known = [manifest.version for manifest in self.versions()]
        return InputError(
            f"there is no model version {version[:300]!r} in {self._store.where}; "
            f"there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}. "
            "`fraudline models list` shows them, `fraudline train` makes one."
        )
