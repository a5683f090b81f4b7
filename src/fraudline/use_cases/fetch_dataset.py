"""A public data set, in the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fraudline import datasets


@dataclass(frozen=True)
class Fetched:
    """A data set's file, and whom it is owed to."""

    path: Path
    dataset: datasets.Dataset


def fetch_dataset(
    name: str,
    source: Path | None = None,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Fetched:
    """Fetch a public data set, verify it, and keep it for all projects.

    Args:
        name: Of a data set, such as `creditcard`.
        source: A file that is it already, to be taken instead.
        on_progress: Told what happens, how much is done, and how much there is.

    Raises:
        InputError: there is no such data set, or no such file.
        DatasetError: none of its sources gave it byte for byte.
    """
    dataset = datasets.find(name)
    return Fetched(datasets.fetch(dataset, datasets.user_cache(), on_progress, source), dataset)
