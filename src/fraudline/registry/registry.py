"""Versions as directories, aliases as small files that are replaced whole."""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fraudline.bundle.bundle_files import check_bundle, read_manifest
from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError, InputError
from fraudline.home import make_private
from fraudline.registry.promotions import PROMOTED, ROLLED_BACK, Promotion, standing

CHAMPION = "champion"
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")

logger = logging.getLogger(__name__)


class Registry:
    """The bundles of one project directory.

    A version is a directory named by its content, so it never changes. `champion` is a file
    that is replaced in one step: its first line is the champion's name, the others are every
    promotion and rollback there was, so the two can never disagree.

    Args:
        home: Directory of the project's state (`Settings.home`).
    """

    def __init__(self, home: Path) -> None:
        self.directory = home / "models"

    def new_directory(self) -> Path:
        """An empty directory in which training may build a bundle, to be given to `add`."""
        make_private(self.directory)
        return Path(tempfile.mkdtemp(prefix=".candidate-", dir=self.directory))

    def add(self, candidate: Path) -> Manifest:
        """Take over a finished bundle as a version; adding the same one again changes nothing.

        A version that is there but was altered is replaced, so that training anew mends it.
        """
        manifest = check_bundle(candidate)
        target = self.directory / manifest.version
        if target.exists():
            try:
                existing = check_bundle(target)
            except BundleError:
                shutil.rmtree(target)
            else:
                shutil.rmtree(candidate)
                return existing
        candidate.rename(target)
        return manifest

    def versions(self) -> list[Manifest]:
        """Every version, oldest first; one that is broken is named in the log and left out."""
        if not self.directory.is_dir():
            return []
        manifests = []
        for path in sorted(self.directory.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                try:
                    manifests.append(read_manifest(path))
                except BundleError as error:
                    logger.warning("a version is broken and not listed: %s", error)
        return sorted(manifests, key=lambda manifest: manifest.created_at)

    def path(self, version: str) -> Path:
        """The directory of a version.

        Raises:
            InputError: there is no such version.
        """
        path = self.directory / version
        if not _VERSION.fullmatch(version) or not path.is_dir():
            known = [manifest.version for manifest in self.versions()]
            raise InputError(
                f"there is no model version {version[:300]!r} in {self.directory}; "
                f"there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}. "
                "`fraudline models list` shows them, `fraudline train` makes one."
            )
        return path

    def promote(self, version: str) -> None:
        """Make a version the champion, in one step that a reader sees whole or not at all."""
        self.path(version)
        with self._changing():
            self._write_champion(version, PROMOTED)

    def earlier_champion(self) -> str:
        """The version that `roll_back` goes back to.

        Raises:
            BundleError: no version has been promoted yet.
            InputError: none was the champion before the present one.
        """
        champion = self.champion()
        before = standing(self.promotions())[:-1]
        if not before:
            raise InputError(
                f"no version was the champion before {champion}, so there is nothing to go back "
                "to. `fraudline models list` shows the versions, `fraudline models promote` "
                "makes another one the champion."
            )
        return before[-1]

    def roll_back(self, version: str) -> None:
        """Make the champion before the present one the champion again.

        Args:
            version: What `earlier_champion` gave, for the caller has looked at that.

        Raises:
            InputError: the champion was changed meanwhile, so it would be another one.
        """
        self.path(version)
        with self._changing():
            if version != self.earlier_champion():
                raise InputError(
                    f"the champion was changed meanwhile: it is {self.champion()}. Nothing was "
                    "rolled back; look at `fraudline models list`, and then do it again."
                )
            self._write_champion(version, ROLLED_BACK)

    def promotions(self) -> list[Promotion]:
        """Every promotion and rollback, oldest first.

        Raises:
            BundleError: the file `champion` was altered.
        """
        if not self.has_champion():
            return []
        text = self._champion_file.read_text(errors="replace")
        champion, *lines = (line.strip() for line in text.splitlines() or [""])
        promotions = [Promotion.parse(line) for line in lines]
        if not promotions:  # written by hand: the file tells when
            at = dt.datetime.fromtimestamp(self._champion_file.stat().st_mtime, dt.UTC)
            return [Promotion(at, PROMOTED, champion)]
        if promotions[-1].version != champion:
            raise BundleError(
                f"the file {self._champion_file} was altered: its first line names "
                f"{champion[:300]!r}, its last {promotions[-1].version!r}. Remove all of its lines "
                "but the first: that only forgets the earlier champions."
            )
        return promotions

    def has_champion(self) -> bool:
        """Whether a version has been promoted yet."""
        return self._champion_file.is_file()

    def champion(self) -> str:
        """The version that scores.

        Raises:
            BundleError: no version has been promoted yet.
        """
        try:
            return self._champion_file.read_text(errors="replace").partition("\n")[0].strip()
        except FileNotFoundError:
            raise BundleError(
                f"there is no champion in {self.directory}: train a model with "
                "`fraudline train --promote`, or promote one with `fraudline models promote`."
            ) from None

    @property
    def _champion_file(self) -> Path:
        return self.directory / CHAMPION

    def _write_champion(self, version: str, change: str) -> None:
        promotions = [*self.promotions(), Promotion(dt.datetime.now(dt.UTC), change, version)]
        draft = self.directory / f".{CHAMPION}-{os.getpid()}"
        with draft.open("w") as file:
            file.write("\n".join([version, *map(str, promotions)]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._champion_file)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One process at a time: a promotion that another one overwrote would be forgotten."""
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
