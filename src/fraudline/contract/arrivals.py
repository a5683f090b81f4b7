"""Where and when a message arrived, as columns of the row that stores it."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from fraudline.contract.columns import POSITION_COLUMNS, Column, arrow_schema
from fraudline.contract.messages import Messages

ARRIVAL_COLUMNS: tuple[Column, ...] = (
    *POSITION_COLUMNS,
    Column("arrived_at", "timestamp", "When the sink took it, by the sink's clock."),
    Column(
        "source_topic_id",
        "string",
        "Which topic of that name, as the broker tells; null where it gives no ids.",
        is_nullable=True,
    ),
)


def with_arrival(
    rows: pa.RecordBatch, messages: Messages, topic_id: str, arrived_at: dt.datetime
) -> pa.RecordBatch:
    """The rows with `ARRIVAL_COLUMNS` behind their own.

    Args:
        rows: What was decoded.
        messages: The message of each row.
        topic_id: Of their topic; empty where there is none.
        arrived_at: When they were taken.
    """
    count = rows.num_rows
    values = (
        [messages.topic] * count,
        messages.partitions,
        messages.offsets,
        [arrived_at] * count,
        [topic_id or None] * count,
    )
    schema = arrow_schema(ARRIVAL_COLUMNS)
    arrived = [pa.array(value, field.type) for value, field in zip(values, schema, strict=True)]
    return pa.RecordBatch.from_arrays(
        [*rows.columns, *arrived], schema=pa.schema([*rows.schema, *schema])
    )
