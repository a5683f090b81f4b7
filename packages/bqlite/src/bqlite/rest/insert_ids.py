"""The insert ids of the last minute, by which `insertAll` knows a row sent again."""

import time
from collections.abc import Sequence

from bqlite.relations import Table

REMEMBERED_S = 60.0  # "at least one minute", says Google; a restart forgets them


class InsertIds:
    """Which ids each table has stored lately. Only the one writer uses it."""

    def __init__(self) -> None:
        self._stored_at_s: dict[tuple[str, str], float] = {}

    def new(self, table: Table, ids: Sequence[str | None]) -> list[int]:
        """The places of the ids that are not known and do not stand here before; None is new."""
        oldest_s = time.monotonic() - REMEMBERED_S
        found: dict[str | int, int] = {}
        for place, one in enumerate(ids):
            is_known = one and self._stored_at_s.get((_name(table), one), oldest_s) > oldest_s
            if not is_known:
                found.setdefault(one or place, place)
        return list(found.values())

    def remember(self, table: Table, ids: Sequence[str | None]) -> None:
        """Notes ids whose rows are stored, and forgets those that are too old."""
        now_s = time.monotonic()
        for one in filter(None, ids):
            self._stored_at_s.setdefault((_name(table), one), now_s)
        for key, at_s in list(self._stored_at_s.items()):
            if at_s > now_s - REMEMBERED_S:
                break
            del self._stored_at_s[key]


def _name(table: Table) -> str:
    """A name that a table made anew under the same name does not share."""
    return f"{table.name} {table.body.get('creationTime')}"
