"""Fetches a data set into the user's cache, whole and verified, or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from fraudline.datasets.cache import sha256_of
from fraudline.datasets.catalogue import Dataset
from fraudline.datasets.sources import DatasetSource, SourceFault
from fraudline.errors import DatasetError, InputError

OnProgress = Callable[[str, int, int], None]


def fetch(
    dataset: Dataset, cache: Path, on_progress: OnProgress, source: Path | None = None
) -> Path:
    """The path of a data set's file, whose hash was checked just now.

    A file that is already in the cache is used; one that was altered is replaced. What an
    interrupted download left is kept, so that the next call goes on from there.

    Args:
        dataset: what to fetch.
        cache: the user's cache directory; the file lies in its `datasets` directory.
        on_progress: told what happens in words, the bytes that are there, and the bytes in all.
        source: a file of the user's own to take instead of downloading.

    Raises:
        InputError: `source` is not the data set's file.
        DatasetError: no source has it, or the cache cannot be written; the message names each
            source and why it failed.
    """
    if source is not None and not source.is_file():
        raise InputError(f"{source}, given as data set '{dataset.name}', is not a file.")
    directory = cache / "datasets"
    path = directory / dataset.file_name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second finds the file in place
            if _is_present(dataset, path, on_progress):
                return path
            if source is not None:
                _copy(dataset, source, path, on_progress)
            else:
                _fetch_from_any(dataset, path, on_progress)
    except OSError as error:
        raise DatasetError(
            f"{error.filename or directory} cannot be used: {error.strerror or error}. Data set "
            f"'{dataset.name}' needs {dataset.size_bytes / 1e6:.0f} MB in {directory}. Mend that, "
            "or point XDG_CACHE_HOME to a directory with room, then run it again."
        ) from None
    return path


def _is_present(dataset: Dataset, path: Path, on_progress: OnProgress) -> bool:
    if not path.exists():
        return False
    if sha256_of(path) == dataset.sha256:
        size = dataset.size_bytes
        on_progress("reused, SHA-256 verified", size, size)
        return True
    on_progress(f"{path} was altered; fetching it again", 0, dataset.size_bytes)
    return False


def _copy(dataset: Dataset, source: Path, path: Path, on_progress: OnProgress) -> None:
    part = path.with_suffix(".copy.part")
    on_progress(f"copying {source}", 0, dataset.size_bytes)
    shutil.copyfile(source, part)
    if (found := sha256_of(part)) != dataset.sha256:
        size = part.stat().st_size
        part.unlink()
        raise InputError(
            f"{source} is not data set '{dataset.name}': it has {size} bytes with SHA-256 {found}, "
            f"expected {dataset.size_bytes} bytes with {dataset.sha256}. Give the file as it was "
            "published, or none, and it is downloaded."
        )
    _keep(part, path)
    on_progress("copied, SHA-256 verified", dataset.size_bytes, dataset.size_bytes)


def _fetch_from_any(dataset: Dataset, path: Path, on_progress: OnProgress) -> None:
    part = path.with_suffix(path.suffix + ".part")
    faults = []
    for origin in dataset.sources:
        try:
            _fetch_from(origin, dataset, part, on_progress)
        except SourceFault as fault:
            faults.append(f"{origin.address}: {fault}")
        else:
            _keep(part, path)
            size = dataset.size_bytes
            on_progress("fetched, SHA-256 verified", size, size)
            return
    tried = "\n".join(f"  {fault}" for fault in faults)
    raise DatasetError(
        f"data set '{dataset.name}' could not be fetched from any of its sources:\n{tried}\n"
        "Run it again when the machine is online (what has arrived is kept), or give a copy "
        "of the file yourself."
    )


def _fetch_from(
    origin: DatasetSource, dataset: Dataset, part: Path, on_progress: OnProgress
) -> None:
    def on_bytes(done: int) -> None:
        on_progress(f"fetching {origin.address}", done, dataset.size_bytes)

    on_bytes(part.stat().st_size if part.exists() else 0)
    origin.fetch(part, dataset.size_bytes, on_bytes)
    if (found := sha256_of(part)) != dataset.sha256:
        part.unlink()
        raise SourceFault(f"it gave SHA-256 {found}, expected {dataset.sha256}")


def _keep(part: Path, path: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
