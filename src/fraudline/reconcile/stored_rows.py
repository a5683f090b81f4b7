"""The rows that BigQuery holds for a range of offsets, asked for so that little else is read.

A query names the range, by which the tables are clustered, and bounds on the time by which they are
partitioned. The range is certain, the time is a guess: who relies on a guess asks again without it
where a message has no row, and counts rows by position alone (`recount.py`). Decision 17 has the
argument.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraudline import flows
from fraudline.contract import Messages
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

Offsets = npt.NDArray[np.int64]

_SLACK = dt.timedelta(days=1)
_MIDDLE = (0.01, 0.99)  # a few rows with odd times do not widen the bounds


@dataclass(frozen=True)
class Window:
    """A range of offsets of a partition of the input topic.

    Attributes:
        topic: The topic.
        partition: The partition.
        first: The first offset.
        end: The one after the last.
    """

    topic: str
    partition: int
    first: int
    end: int


@dataclass(frozen=True)
class TimeBounds:
    """From when to when, both included."""

    since: dt.datetime
    until: dt.datetime


class RowTimes:
    """A guess at when the rows of a partition's next messages were made.

    Rows follow one another in time as their messages do in offsets, so the next ones are looked for
    from a day before the last ones to a day, or as long as those took, after them; the first ones
    around the time at which their messages were sent. A guess that is wrong costs one more query.
    """

    def __init__(self) -> None:
        self._seen: TimeBounds | None = None

    def bounds(self, messages: Messages) -> TimeBounds | None:
        """Bounds for the rows of these messages; None if there is nothing to go by."""
        sent = [at for index in range(len(messages)) if (at := messages.received_at(index))]
        seen = self._seen or _middle([int(at.timestamp() * 1e6) for at in sent])
        if seen is None:
            return None
        slack = max(_SLACK, seen.until - seen.since)
        return TimeBounds(_shifted(seen.since, -_SLACK), _shifted(seen.until, slack))

    @property
    def since(self) -> dt.datetime | None:
        """Before this, no row is expected any more."""
        return None if self._seen is None else _shifted(self._seen.since, -_SLACK)

    def learn(self, made_at_us: list[int]) -> None:
        """Remember when rows were made, in microseconds since 1970 UTC."""
        self._seen = _middle(made_at_us) or self._seen


def stored_rows(
    warehouse: Warehouse,
    flow: flows.Flow,
    columns: list[str],
    window: Window,
    bounds: TimeBounds | None,
) -> pa.Table:
    """The rows of a flow's table that stem from a window.

    Args:
        warehouse: Where the rows are.
        flow: Decisions or rejects.
        columns: Which columns, beside `source_offset` and `made_at`.
        window: Which offsets.
        bounds: Only rows that were made at such a time; None finds them all.
    """
    assert flow.table is not None
    selected = ", ".join(f"`{name}`" for name in [*columns, "source_offset"])
    made_at = f"`{flow.table.partition_by}`"
    parameters = range_parameters(window)
    condition = ""
    if bounds is not None:
        condition = f" AND {made_at} >= @since AND {made_at} <= @until"
        parameters += [
            ("since", "TIMESTAMP", bounds.since),
            ("until", "TIMESTAMP", bounds.until),
        ]
    return query(
        warehouse,
        f"SELECT {selected}, {made_at} AS made_at "  # noqa: S608 - names come from settings and a checked contract
        f"FROM `{warehouse.table(warehouse.settings.table(flow))}` "
        "WHERE source_topic = @topic AND source_partition = @partition "
        f"AND source_offset >= @first AND source_offset <= @last{condition}",
        parameters,
    )


def range_parameters(window: Window) -> list[tuple[str, str, object]]:
    """A window as parameters of a query: `topic`, `partition`, and its `first` and `last` offset.

    The last one instead of the end: a row may name the largest number that there is.
    """
    return [
        ("topic", "STRING", window.topic),
        ("partition", "INT64", window.partition),
        ("first", "INT64", window.first),
        ("last", "INT64", window.end - 1),
    ]


def offsets_of(rows: pa.Table) -> Offsets:
    """Which messages the rows stem from."""
    return np.asarray(rows.column("source_offset"), dtype=np.int64)


def made_at_us(rows: pa.Table) -> list[int]:
    """When the rows were made, in microseconds since 1970 UTC."""
    times: list[int] = rows.column("made_at").cast(pa.int64()).to_pylist()
    return times


def _middle(at_us: list[int]) -> TimeBounds | None:
    if not at_us:
        return None
    low, high = np.quantile(np.asarray(at_us, dtype=np.float64), _MIDDLE)
    epoch = dt.datetime.fromtimestamp(0, dt.UTC)
    return TimeBounds(
        *(_shifted(epoch, dt.timedelta(microseconds=round(float(each)))) for each in (low, high))
    )


def _shifted(at: dt.datetime, by: dt.timedelta) -> dt.datetime:
    """A time later or earlier, as far as there are times."""
    try:
        return at + by
    except OverflowError:
        return EARLIEST if by < dt.timedelta() else LATEST
