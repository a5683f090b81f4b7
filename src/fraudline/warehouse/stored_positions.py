"""Which messages of the stream have a row, by the position that a row keeps of its source."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from fraudline.contract import REPLAYED, Messages
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

_FEW = 1000  # positions in a query


class _Record(msgspec.Struct, frozen=True):
    """What tells a decision or a reject from all others."""

    source_topic: str
    source_partition: int
    source_offset: int
    reason: str | None = None

    @property
    def key(self) -> tuple[str, int, int, bool]:
        """Its source; a reject and the marker that it was sent again have the same."""
        return (
            self.source_topic,
            self.source_partition,
            self.source_offset,
            self.reason == REPLAYED,
        )


_record = msgspec.json.Decoder(_Record).decode


def have_rows(
    warehouse: Warehouse, table: str, messages: Messages, *, has_reason: bool
) -> list[bool]:
    """Whether each of some decisions or rejects has a row in its table.

    Args:
        warehouse: The data set.
        table: Name of the table.
        messages: Of the topic that is stored there; one that is none has no row.
        has_reason: Whether the table is that of rejects.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    records = [_parsed(value) for value in messages.values]
    asked = [record for record in records if record is not None]
    stored = _all_stored(warehouse, table, asked, has_reason=has_reason)
    return [record is not None and record.key in stored for record in records]


def have_arrived(warehouse: Warehouse, table: str, rejects: str, messages: Messages) -> list[bool]:
    """Whether each of some messages has a row in a table that keeps where each arrived.

    Or was rejected: anybody may write to such a topic, so its first message may well be none.

    Args:
        warehouse: The data set.
        table: Name of the table.
        rejects: Name of the table of rejects.
        messages: Of the topic that is stored there.

    Raises:
        WarehouseError: a table cannot be queried.
    """
    places = zip(messages.partitions, messages.offsets, strict=True)
    records = [_Record(messages.topic, partition, offset) for partition, offset in places]
    stored = _all_stored(warehouse, table, records, has_reason=False)
    stored |= _all_stored(warehouse, rejects, records, has_reason=True)
    return [record.key in stored for record in records]


def has_any_row(warehouse: Warehouse, table: str) -> bool:
    """Whether a table has a row at all.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    found = query(warehouse, f"SELECT COUNT(*) AS n FROM `{warehouse.table(table)}`")  # noqa: S608 - the name comes from the settings
    return bool(found["n"][0].as_py())


def last_sources(
    warehouse: Warehouse, tables: Collection[tuple[str, bool]], topic: str
) -> dict[int, int]:
    """The last source offset that tables have a row of, for each partition of a topic.

    Args:
        warehouse: The data set.
        tables: Names, and whether a table is that of rejects.
        topic: The source.

    Raises:
        WarehouseError: a table cannot be queried.
    """
    each = " UNION ALL ".join(
        f"SELECT source_partition, source_offset FROM `{warehouse.table(table)}` "  # noqa: S608 - names come from the settings
        f"WHERE source_topic = @topic{_NOT_MARKER * has_reason}"
        for table, has_reason in tables
    )
    rows = query(
        warehouse,
        f"SELECT source_partition, MAX(source_offset) AS last FROM ({each}) "  # noqa: S608 - likewise
        "GROUP BY source_partition",
        [("topic", "STRING", topic)],
    )
    return {row["source_partition"]: row["last"] for row in rows.to_pylist()}


_NOT_MARKER = f" AND reason != '{REPLAYED}'"


def _parsed(value: bytes | None) -> _Record | None:
    try:
        return _record(value or b"")
    except msgspec.DecodeError:
        return None


def _all_stored(
    warehouse: Warehouse, table: str, records: Sequence[_Record], *, has_reason: bool
) -> set[tuple[str, int, int, bool]]:
    pieces = (records[begin : begin + _FEW] for begin in range(0, len(records), _FEW))
    found: Iterable[set[tuple[str, int, int, bool]]] = (
        _stored(warehouse, table, piece, has_reason=has_reason) for piece in pieces
    )
    return set().union(*found)


def _stored(
    warehouse: Warehouse, table: str, records: Sequence[_Record], *, has_reason: bool
) -> set[tuple[str, int, int, bool]]:
    offsets: dict[tuple[str, int], set[int]] = {}
    for record in records:
        place = record.source_topic, record.source_partition
        offsets.setdefault(place, set()).add(record.source_offset)
    if not offsets:
        return set()
    topics = sorted({topic for topic, _ in offsets})
    conditions = " OR ".join(
        f"(source_topic = @topic{topics.index(topic)} AND source_partition = {int(partition)} "
        f"AND source_offset IN ({', '.join(str(int(one)) for one in sorted(of))}))"
        for (topic, partition), of in offsets.items()
    )
    is_marker = f"reason = '{REPLAYED}'" if has_reason else "FALSE"
    rows = query(
        warehouse,
        f"SELECT source_topic, source_partition, source_offset, {is_marker} AS is_marker "  # noqa: S608 - names come from the settings, numbers are numbers
        f"FROM `{warehouse.table(table)}` WHERE {conditions}",
        [(f"topic{index}", "STRING", topic) for index, topic in enumerate(topics)],
    )
    return {tuple(row.values()) for row in rows.to_pylist()}
