"""Versions as directories, aliases as small files that are replaced whole."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from pathlib import Path

from fraudline.bundle import Manifest, check_bundle, read_manifest
from fraudline.errors import BundleError, InputError

CHAMPION = "champion"
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")

logger = logging.getLogger(__name__)


class Registry:
    """The bundles of one project directory.

    A version is a directory named by its content, so it never changes; `champion` is a
    file that holds a version's name and is replaced in one step.

    Args:
        home: Directory of the project's state (`Settings.home`).
    """

    def __init__(self, home: Path) -> None:
        self.directory = home / "models"

    def new_directory(self) -> Path:
        """An empty directory in which training may build a bundle, to be given to `add`."""
        self.directory.mkdir(parents=True, exist_ok=True)
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
        candidate.chmod(0o755)  # a temporary directory is for its maker alone
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
        draft = self.directory / f".{CHAMPION}-{os.getpid()}"
        draft.write_text(version + "\n")
        draft.replace(self.directory / CHAMPION)

    def has_champion(self) -> bool:
        """Whether a version has been promoted yet."""
        return (self.directory / CHAMPION).is_file()

    def champion(self) -> str:
        """The version that scores.

        Raises:
            BundleError: no version has been promoted yet.
        """
        try:
            return (self.directory / CHAMPION).read_text(errors="replace").strip()
        except FileNotFoundError:
            raise BundleError(
                f"there is no champion in {self.directory}: train a model with "
                "`fraudline train --promote`, or promote one with `fraudline models promote`."
            ) from None
