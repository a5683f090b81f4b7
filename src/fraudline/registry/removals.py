"""Versions that were removed, since nobody can need them any more: which, when and by whom.

Of each a line stays, so that the line of versions that learned from one another has no gap in it:
who goes from parent to child passes over those that are gone.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec

from fraudline.bundle.manifest import Manifest
from fraudline.registry.changes import Change, Signature
from fraudline.registry.store import Store

logger = logging.getLogger(__name__)


class Removal(msgspec.Struct, frozen=True):
    """A version that was removed.

    Attributes:
        at: When, UTC.
        version: Which one.
        parent: The version that it went on from.
        as_of: Of what was known at this moment it was made.
        signature: Who and why.
        is_of_line: Whether it was of its parent's line; not if it only calibrated that, or was
            trained anew.
    """

    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    version: str
    parent: str
    as_of: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    signature: Signature
    is_of_line: bool = True

    @property
    def told(self) -> str:
        """What became of the version, a sentence."""
        why = f": {self.signature.reason}" if self.signature.reason else ""
        return (
            f"{self.version} was removed at {self.at:%Y-%m-%d %H:%M} UTC by "
            f"{self.signature.by}{why}."
        )


_decode_removal = msgspec.json.Decoder(Removal).decode


class Removals:
    """The files `removed.<contract>` of a registry; each only ever gets longer.

    Args:
        store: Where the registry's files lie.
        changes_of: Gives every change of a contract.
    """

    def __init__(self, store: Store, changes_of: Callable[[str], list[Change]]) -> None:
        self._store, self._changes_of = store, changes_of

    def all(self, contract: str) -> list[Removal]:
        """Every version of a contract that was removed, in that order."""
        name = _file_of(contract)
        held = self._store.read(name)
        found: dict[str, Removal] = {}
        for number, line in enumerate(held.content.splitlines() if held else [], start=1):
            try:
                one = _decode_removal(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                if line:
                    where = f"{self._store.where}/{name}"
                    logger.warning("%s, line %d is no removal: %s", where, number, error)
            else:
                found[one.version] = one
        return list(found.values())

    def named(self, contract: str) -> set[str]:
        """Versions that somebody named, or that decided or scored: they are never removed.

        Whatever decides a payment was promoted or given a share first, and what scores live was
        made a challenger.
        """
        changes = self._changes_of(contract)
        return {name for each in changes for name in (each.version, each.before) if name}

    def remove(
        self, contract: str, versions: Sequence[Manifest], signature: Signature
    ) -> list[str]:
        """Remove versions that went on from another one; those that were named meanwhile stay.

        That it is done is written first: what is written and still there is removed the next time.

        Args:
            contract: Of which contract they are.
            versions: What they say of themselves.
            signature: Who does it and why.

        Returns:
            The versions that were removed.
        """
        with self._store.changing():
            named, at = self.named(contract), dt.datetime.now(dt.UTC)
            going = [
                (each, Removal(at, each.version, *each.went_on, signature, each.is_step))
                for each in versions
                if each.went_on and each.version not in named
            ]
            if going:
                lines = b"\n".join(msgspec.json.encode(removal) for _, removal in going)
                self._store.append(_file_of(contract), lines)
            for manifest, _ in going:
                self._store.remove(manifest)
        return [manifest.version for manifest, _ in going]


def _file_of(contract: str) -> str:
    return f"removed.{contract}"
