"""What was done to the name `champion`, and which champions a rollback can go back to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from fraudline.errors import BundleError

PROMOTED = "promoted"
ROLLED_BACK = "rolled-back-to"


@dataclass(frozen=True)
class Promotion:
    """One change of the champion; as text, one line of a file of champions.

    Attributes:
        at: When, UTC.
        change: `PROMOTED` or `ROLLED_BACK`.
        version: The champion from then on.
    """

    at: dt.datetime
    change: str
    version: str

    def __str__(self) -> str:
        return f"{self.at.isoformat()} {self.change} {self.version}"

    @classmethod
    def parse(cls, line: str, file: str) -> Promotion:
        """Read a line that `str` wrote.

        Args:
            line: Without its end.
            file: Name of the file that it is in, for the message.

        Raises:
            BundleError: it is none.
        """
        try:
            at, change, version = line.split()
            known = {name: name for name in (PROMOTED, ROLLED_BACK)}
            return cls(dt.datetime.fromisoformat(at), known[change], version)
        except (ValueError, KeyError):
            raise BundleError(
                f"the file `{file}` was altered: {line[:300]!r} is no promotion. Remove all "
                "of its lines but the first: that only forgets the earlier champions."
            ) from None


def standing(promotions: Sequence[Promotion]) -> list[str]:
    """The champions that were not rolled back, in order; the last one is the present one.

    A rollback removes the last one, so the next rollback goes one further back and never
    forward again, to what was found wanting.
    """
    versions: list[str] = []
    for each in promotions:
        if each.change == ROLLED_BACK:
            del versions[-1:]
        elif versions[-1:] != [each.version]:  # to promote the champion again changes nothing
            versions.append(each.version)
    return versions
