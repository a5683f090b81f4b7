"""Counting the rows of what was checked, by position alone, and naming those of no message.

A check looks for rows where they should be: at a message's offset, around the time at which they
should have been made. A row that stands anywhere else, or came after the check, is found here: by
counting, piece by piece, which reads three columns, and by checking again, without any guess at
times, each piece in which the number is another one.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fraudline import flows
from fraudline.contract import REPLAYED, Contract
from fraudline.reconcile.check_window import BUCKET_OFFSETS, NO_MESSAGE, check_window
from fraudline.reconcile.decided import DecidedOffsets
from fraudline.reconcile.ledger import (
    MOST_EXAMPLES,
    Ledger,
    LedgerCounts,
    PartitionLedger,
    example,
)
from fraudline.reconcile.stored_rows import Window, range_parameters
from fraudline.schemas import MessageForms
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

_PARTITIONS_A_QUERY = 50
_FLOWS = (flows.DECISIONS, flows.REJECTS)


@dataclass(frozen=True)
class _Piece:
    """The rows of a bucket of offsets.

    Attributes:
        partition: The partition that they name.
        bucket: Their offsets divided by `BUCKET_OFFSETS`, without the remainder.
        rows: Decisions and rejects among what was checked.
        places: Different offsets that those name.
        marked: Messages among it that are marked as sent again.
        least: Lowest offset, and
        most: highest offset, of all of them.
    """

    partition: int
    bucket: int
    rows: int
    places: int
    marked: int
    least: int
    most: int


class Recount:
    """Counts the rows of what a ledger says was checked, and puts right in it what differs.

    Args:
        kafka: Broker and topics.
        warehouse: Where the rows are.
        contract: What a transaction looks like.
        ledger: What was found so far.
        decided: As for `check_window`.
        forms: As for `check_window`.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        warehouse: Warehouse,
        contract: Contract,
        ledger: Ledger,
        decided: DecidedOffsets | None = None,
        forms: MessageForms | None = None,
    ) -> None:
        self._forms = forms
        self._kafka, self._warehouse, self._contract = kafka, warehouse, contract
        self._ledger, self._decided = ledger, decided

    def run(self) -> None:
        """Do it.

        Raises:
            BrokerError: the topic cannot be read.
            WarehouseError: BigQuery cannot be queried.
        """
        ledger, entries = self._ledger, self._ledger.partitions
        pieces = [
            piece
            for start in range(0, len(entries), _PARTITIONS_A_QUERY)
            for piece in _pieces(
                self._warehouse, ledger.topic, entries[start : start + _PARTITIONS_A_QUERY]
            )
        ]
        # Asked for after the rows: whatever they hold stems from a message before these ends.
        ranges = offset_ranges(self._kafka, ledger.topic)
        elsewhere = _elsewhere(self._warehouse, ledger.topic, max(ranges))
        self._name_strays([*pieces, *elsewhere], {key: end for key, (_, end) in ranges.items()})
        found = {(one.partition, one.bucket): one for one in pieces}
        for entry in entries:
            buckets = entry.buckets.keys() | {
                bucket for partition, bucket in found if partition == entry.partition
            }
            for bucket in sorted(buckets):
                nothing = _Piece(entry.partition, bucket, 0, 0, 0, 0, 0)
                counted = found.get((entry.partition, bucket), nothing)
                known = entry.buckets.get(bucket, LedgerCounts())
                # Where one row more and one less cancel, they still name another number of places.
                if (counted.rows, counted.places, counted.marked) == (
                    known.rows,
                    known.places,
                    known.sent_again,
                ):
                    continue
                first = max(entry.first_offset, bucket * BUCKET_OFFSETS)
                if first < ranges.get(entry.partition, (0, 0))[0]:
                    self._tell_difference(entry, first, counted)
                else:
                    self._check_again(entry, bucket, first)
        if ledger.is_exact:
            ledger.examples.clear()  # of what has been put right

    def _tell_difference(self, entry: PartitionLedger, first: int, counted: _Piece) -> None:
        """Its messages are deleted: which row is one too many, or is gone, cannot be told."""
        known = entry.buckets.get(counted.bucket, LedgerCounts())
        more, fewer_places = counted.rows - known.rows, known.places - counted.places
        missing = max(-more, fewer_places, 0)
        changed = LedgerCounts(
            decisions=more,
            places=-fewer_places,
            sent_again=counted.marked - known.sent_again,
            doubled=more + missing,
            missing=missing,
        )
        entry.replace(counted.bucket, known + changed)
        if missing or more:
            rows = (
                f"{abs(more):,} {'more' if more > 0 else 'fewer'} rows than"
                if more
                else f"as many rows, but of {missing:,} fewer messages, as"
            )
            what = (
                f"and up to {BUCKET_OFFSETS:,} offsets on, there are {rows} when they were proved; "
                "the topic no longer holds their messages, so which they are cannot be told"
            )
            self._ledger.keep_examples([example(entry.partition, first, what)])

    def _check_again(self, entry: PartitionLedger, bucket: int, first: int) -> None:
        counts = LedgerCounts()
        for start, stop, messages in read_range(
            self._kafka,
            self._ledger.topic,
            entry.partition,
            first,
            min(entry.end_offset, (bucket + 1) * BUCKET_OFFSETS),
            BUCKET_OFFSETS,
        ):
            window = Window(self._ledger.topic, entry.partition, start, stop)
            found = check_window(
                *(self._warehouse, self._contract, window, messages),
                decided=self._decided,
                forms=self._forms,
            )
            counts += found.counts
            self._ledger.keep_examples(found.examples)
        entry.replace(bucket, counts)

    def _name_strays(self, pieces: list[_Piece], ends: dict[int, int]) -> None:
        """Count rows before the first or after the last message there is, or of no partition."""
        strays: Counter[int] = Counter()
        for piece in pieces:
            end = ends.get(piece.partition, 0)
            for first, last in (
                (piece.least, min(piece.most, -1)),
                (max(piece.least, end), piece.most),
            ):
                if first <= last:
                    window = Window(self._ledger.topic, piece.partition, first, last + 1)
                    strays[piece.partition] += sum(self._strays(window))
        for entry in self._ledger.partitions:
            entry.put_strays(strays.pop(entry.partition, 0))
        self._ledger.elsewhere = strays.total()

    def _strays(self, window: Window) -> Iterator[int]:
        """How many rows of each table name these offsets; keeps some as examples."""
        for flow in _FLOWS:
            table = self._warehouse.settings.table(flow)
            rows = query(
                self._warehouse,
                "SELECT source_offset, COUNT(*) OVER () AS n "  # noqa: S608 - names come from the settings
                f"FROM `{self._warehouse.table(table)}` WHERE source_topic = @topic "
                "AND source_partition = @partition "
                "AND source_offset >= @first AND source_offset <= @last "
                f"ORDER BY source_offset LIMIT {MOST_EXAMPLES}",
                range_parameters(window),
            ).to_pylist()
            self._ledger.keep_examples(
                example(window.partition, row["source_offset"], f"{NO_MESSAGE} (table {table})")
                for row in rows
            )
            yield rows[0]["n"] if rows else 0


@dataclass(frozen=True)
class RowsBeside:
    """What both tables hold beside the rows of messages that were not checked yet.

    Attributes:
        count: How many rows.
        farthest: Highest offset of the others, by partition; None where there are none.
    """

    count: int
    farthest: dict[int, int | None]


def rows_beside(warehouse: Warehouse, ledger: Ledger, since: dt.datetime | None) -> RowsBeside:
    """How many rows both tables hold, without those of messages that were not checked yet.

    One look at both tables at one moment. BigQuery counts whole tables without reading them, and
    the rows that are not checked yet by reading little else, so this costs the same however many
    rows there are. Between two looks it grows by as many rows as were checked, and no others:
    otherwise rows were added or removed where nobody looks, or of another topic.

    Args:
        warehouse: Where the rows are.
        ledger: What was checked.
        since: The rows that were not checked yet were made after this.
    """
    names = [f"`{warehouse.table(warehouse.settings.table(flow))}`" for flow in _FLOWS]
    bound = "" if since is None else " AND {} >= @since"
    ahead = " UNION ALL ".join(
        f"SELECT {entry.partition} AS source_partition, COUNT(*) AS ahead, "  # noqa: S608 - names come from the settings
        f"MAX(source_offset) AS farthest FROM {name} WHERE source_topic = @topic "
        f"AND source_partition = {entry.partition} AND source_offset >= {entry.end_offset}"
        + bound.format(flow.table.partition_by if flow.table else "")
        for entry in ledger.partitions
        for flow, name in zip(_FLOWS, names, strict=True)
    )
    whole = " + ".join(f"(SELECT COUNT(*) FROM {name})" for name in names)  # noqa: S608 - likewise
    parameters: list[tuple[str, str, object]] = [("topic", "STRING", ledger.topic)]
    if since is not None:
        parameters.append(("since", "TIMESTAMP", since))
    rows = query(
        warehouse,
        f"SELECT source_partition, SUM(ahead) AS ahead, MAX(farthest) AS farthest, {whole} AS held "  # noqa: S608 - likewise
        f"FROM ({ahead}) GROUP BY source_partition",
        parameters,
    ).to_pylist()
    return RowsBeside(
        rows[0]["held"] - sum(row["ahead"] for row in rows),
        {row["source_partition"]: row["farthest"] for row in rows},
    )


def count_from(warehouse: Warehouse, topic: str, firsts: dict[int, int]) -> int:
    """How many rows there are from an offset on, in these partitions."""
    if not firsts:
        return 0
    scans = " UNION ALL ".join(
        f"SELECT COUNT(*) AS held FROM `{warehouse.table(warehouse.settings.table(flow))}` "  # noqa: S608 - names come from the settings
        f"WHERE source_topic = @topic AND source_partition = {partition} "
        f"AND source_offset >= {first}"
        for partition, first in firsts.items()
        for flow in _FLOWS
    )
    sql = f"SELECT SUM(held) AS held FROM ({scans})"  # noqa: S608 - likewise
    rows = query(warehouse, sql, [("topic", "STRING", topic)])
    held: int = rows["held"][0].as_py()
    return held


def _pieces(
    warehouse: Warehouse, topic: str, checked: Iterable[PartitionLedger]
) -> Iterator[_Piece]:
    """The rows of partitions from where they were checked, and those below zero."""
    entries = list(checked)
    conditions = [
        f"source_partition = {entry.partition} AND source_offset {those}"
        for entry in entries
        for those in (f">= {entry.first_offset}", "< 0")
    ]
    ends = " ".join(f"WHEN {entry.partition} THEN {entry.end_offset}" for entry in entries)
    yield from _counted(warehouse, topic, conditions, f"CASE source_partition {ends} END")


def _elsewhere(warehouse: Warehouse, topic: str, last: int) -> list[_Piece]:
    """The rows of partitions that the topic has not."""
    conditions = ["source_partition < 0", f"source_partition > {last}"]
    return list(_counted(warehouse, topic, conditions, "0"))


def _counted(warehouse: Warehouse, topic: str, conditions: list[str], end: str) -> Iterator[_Piece]:
    """Count rows by bucket; those from `end`, an expression, only for the highest offset.

    Each condition is a scan of its own, which BigQuery limits to the blocks that it names.
    """
    scans = " UNION ALL ".join(
        f"SELECT source_partition, source_offset, {is_row} AS is_row "  # noqa: S608 - names come from the settings
        f"FROM `{warehouse.table(warehouse.settings.table(flow))}` "
        f"WHERE source_topic = @topic AND {condition}"
        for flow, is_row in (
            (flows.DECISIONS, "TRUE"),
            (flows.REJECTS, f"reason != '{REPLAYED}'"),
        )
        for condition in conditions
    )
    is_checked = f"source_offset >= 0 AND source_offset < {end}"
    rows = query(
        warehouse,
        f"SELECT source_partition, DIV(source_offset, {BUCKET_OFFSETS}) AS bucket, "  # noqa: S608 - likewise
        f"COUNTIF(is_row AND {is_checked}) AS n, "
        f"COUNT(DISTINCT IF(is_row AND {is_checked}, source_offset, NULL)) AS places, "
        f"COUNT(DISTINCT IF(NOT is_row AND {is_checked}, source_offset, NULL)) AS marked, "
        "MIN(source_offset) AS least, MAX(source_offset) AS most "
        f"FROM ({scans}) GROUP BY source_partition, bucket",
        [("topic", "STRING", topic)],
    )
    for row in rows.to_pylist():
        yield _Piece(
            row["source_partition"],
            row["bucket"],
            row["n"],
            row["places"],
            row["marked"],
            row["least"],
            row["most"],
        )
