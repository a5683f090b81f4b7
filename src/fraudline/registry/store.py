"""What a registry asks of the place where its files lie: a directory, or an object store.

There are two kinds of files. Small ones are read whole and change: who the champion is, who changed
what. A version's never change, and are handed out as a directory of this machine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError


@dataclass(frozen=True)
class Held:
    """What a small file held when it was read.

    Attributes:
        content: All of it.
        modified_at: When it was written, UTC; of what `Store.remembered` gives, when it was last
            known to be so.
        mark: By which the store tells it from what the file holds at another time.
    """

    content: bytes
    modified_at: dt.datetime
    mark: Mapping[str, str] = field(default_factory=dict)


class Store(Protocol):
    """Where the files of a registry lie.

    Attributes:
        where: For messages: a directory, or a URL.
        directory: Of this machine, in which candidates are built.
        look_every_s: How often a scorer looks for another champion, seconds.

    Raises:
        RegistryError: from each method: the object store cannot be reached, or refuses.
        OSError: likewise, of a disk.
    """

    @property
    def where(self) -> str: ...  # noqa: D102
    @property
    def directory(self) -> Path: ...  # noqa: D102
    @property
    def look_every_s(self) -> float: ...  # noqa: D102

    def changing(self) -> AbstractContextManager[None]:
        """To be entered by who changes something: one at a time, if the place can lock."""

    def read(self, name: str) -> Held | None:
        """What a small file holds; None if there is none."""

    def remembered(self, name: str) -> Held | None:
        """What this machine read last of a small file of an object store; None if it never did."""

    def names(self, prefix: str) -> list[str]:
        """Names of the small files that begin so."""

    def replace(self, name: str, content: bytes, before: Held | None) -> bool:
        """Write a small file; a reader sees all of it or nothing.

        Args:
            name: Its name.
            content: All of it.
            before: What it held when it was decided to write this; None if there was none.

        Returns:
            Whether it still held that. If not, nothing was written.
        """

    def append(self, name: str, line: bytes) -> None:
        """Add a line to a small file, given without its end; it is stored when this returns.

        Raises:
            InputError: it was read while `changing`, and another machine has changed it since.
        """

    def has(self, version: str) -> bool:
        """Whether there is such a version, for every machine that uses the registry."""

    def manifests(self) -> Iterator[Manifest | BundleError]:
        """What each version says of itself, or why that one cannot be known.

        It is asked for at each period, by who learns: what was read before is not read again.
        """

    def bundle(self, version: str) -> Path | None:
        """The directory of a version; None if there is none.

        Raises:
            BundleError: it was altered in the object store.
        """

    def remove(self, manifest: Manifest) -> None:
        """Remove a version and its files; one that is gone already is none to it.

        Args:
            manifest: What the version says of itself.
        """

    def take_over(self, candidate: Path, manifest: Manifest) -> Manifest:
        """Keep a bundle that was checked; what is there of that version and whole stays.

        Returns:
            What the version says of itself: it may be older than the candidate.
        """
