"""Directories in which bundles are built, until they become versions."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from pathlib import Path

from fraudline.home import make_private
from fraudline.registry.directory_lock import locked

_CANDIDATE, _KEPT = ".candidate-", ".kept-"

logger = logging.getLogger(__name__)


class Candidates:
    """Hidden directories beside the versions; who builds in one holds a lock on it.

    Args:
        directory: In which they are made.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._being_built: dict[Path, int] = {}

    def new(self) -> Path:
        """An empty one; those that nobody builds in any more are removed, and named in the log."""
        make_private(self._directory)
        with locked(self._directory):  # what is made is locked before another one sweeps
            self._sweep()
            made = Path(tempfile.mkdtemp(prefix=_CANDIDATE, dir=self._directory))
            self._being_built[made] = os.open(made, os.O_RDONLY)
            fcntl.flock(self._being_built[made], fcntl.LOCK_EX)
        return made

    def discard(self, candidate: Path) -> None:
        """Remove one, unless it became a version; harmless where it did."""
        shutil.rmtree(candidate, ignore_errors=True)
        descriptor = self._being_built.pop(candidate, None)
        if descriptor is not None:
            os.close(descriptor)

    def keep(self, candidate: Path, name: str) -> Path:
        """Put one aside under a name, where nobody sweeps; gives where it is from now on."""
        kept = self._directory / f"{_KEPT}{name}"
        shutil.rmtree(kept, ignore_errors=True)  # the same one, of an earlier attempt
        candidate.rename(kept)
        self.discard(candidate)  # its lock
        return kept

    def forget(self, bundle: Path) -> None:
        """Remove what `keep` gave; any other directory is left alone."""
        if bundle.parent == self._directory and bundle.name.startswith(_KEPT):
            shutil.rmtree(bundle, ignore_errors=True)

    def _sweep(self) -> None:
        for path in self._directory.glob(f"{_CANDIDATE}*"):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError:  # it was removed meanwhile, or is nothing of ours
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                shutil.rmtree(path)
                logger.warning("removed %s, which a process that was killed has left", path)
            finally:
                os.close(descriptor)
