"""What a machine keeps of a registry that lies elsewhere: versions, and who was the champion."""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fraudline.bundle.bundle_files import check_bundle
from fraudline.errors import BundleError
from fraudline.home import make_private
from fraudline.registry.champions import CHAMPION
from fraudline.registry.directory_lock import locked
from fraudline.registry.store import Held

KEPT_VERSIONS = 20
_LAST_READ = ".last-read-"
_ASIDE = ".aside-"
_DRAFT = ".draft-"

logger = logging.getLogger(__name__)


class BundleCache:
    """A directory of whole versions, those that were used last, and of small files as last read.

    Args:
        directory: It is made when something is to be kept.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._is_told = False

    def find(self, version: str) -> Path | None:
        """The directory of a version; None if it is not here, or not whole any more."""
        path = self.directory / version
        if not path.is_dir():
            return None
        try:
            check_bundle(path)
            os.utime(path)  # it was used now
        except BundleError as error:
            logger.warning("it is fetched anew: %s", error)
            return None
        except OSError as error:  # of another user, or gone since
            logger.debug("its use is not noted: %s", error)
        return path

    def keep(self, made: Path, version: str, in_use: Callable[[], set[str]] = set) -> Path:
        """Take over a whole directory as a version, and forget those that were used longest ago.

        One that is here and whole stays as it is, since another process may be opening it; so do
        the champions, as they were last read, and what else is in use.

        Args:
            made: Beside the versions; it is renamed, so who looks sees all of it or nothing.
                Where the version is here already it is left, for its maker to remove.
            version: Its name.
            in_use: Asked where some are to be forgotten: these are not, however long ago a scorer
                opened them.
        """
        target = self.directory / version
        with locked(self.directory):
            for left in self.directory.glob(f"{_ASIDE}*"):  # by who was killed in between
                shutil.rmtree(left)
            if not _is_whole(target):
                if target.exists():
                    self._remove(target)
                made.rename(target)
            os.utime(target)
        if self._surplus():
            spared = in_use() | self._champions()
            with locked(self.directory):
                for each in self._surplus():
                    if each.name not in spared:
                        self._remove(each)
        return target

    def _surplus(self) -> list[Path]:
        """The versions that were used longest ago, of those that are more than may be kept."""
        versions = [each for each in self.directory.iterdir() if not each.name.startswith(".")]
        return sorted(versions, key=_used_at, reverse=True)[KEPT_VERSIONS:]

    def remember(self, name: str, content: bytes) -> None:
        """Keep what a small file holds at this moment; without a disk for it, work goes on."""
        path = self.directory / f"{_LAST_READ}{name}"
        try:
            if path.is_file() and path.read_bytes() == content:
                os.utime(path)
                return
            make_private(self.directory)
            # Not by this process's id: containers that share the directory may have the same.
            descriptor, draft = tempfile.mkstemp(prefix=_DRAFT, dir=self.directory)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                Path(draft).replace(path)
            except OSError:
                Path(draft).unlink(missing_ok=True)
                raise
        except OSError as error:
            if not self._is_told:
                self._is_told = True
                logger.warning(
                    "%s cannot be written (%s): a scorer that starts while the registry is away "
                    "will not know the champion",
                    path,
                    error.strerror,
                )

    def remembered(self, name: str) -> Held | None:
        """What a small file held when this machine read it last; None if it never did."""
        path = self.directory / f"{_LAST_READ}{name}"
        if not path.is_file():
            return None
        at = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
        return Held(path.read_bytes(), at)

    def _champions(self) -> set[str]:
        """Who the champions were when they were last read; a scorer may decide with one for long.

        It opens it once, so its time does not tell that it is used.
        """
        files = self.directory.glob(f"{_LAST_READ}{CHAMPION}*")
        return {
            file.read_bytes().partition(b"\n")[0].strip().decode(errors="replace") for file in files
        }

    def _remove(self, version: Path) -> None:
        """In one step for who looks: what is half removed would be told as altered."""
        aside = version.rename(version.with_name(f"{_ASIDE}{version.name}"))
        shutil.rmtree(aside)


def _is_whole(version: Path) -> bool:
    try:
        check_bundle(version)
    except (BundleError, OSError):
        return False
    return True


def _used_at(path: Path) -> float:
    return path.stat().st_mtime
