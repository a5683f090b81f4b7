"""From a partition's messages to the rows to store and the records of those that are none."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from fraudline.contract import Decoder, Messages, Reject, RejectReason, reject_record, with_arrival
from fraudline.errors import NewerRecordError
from fraudline.stream.kafka_transaction import ANY_PARTITION
from fraudline.stream.sink_partition import PendingAppend, Route


def decode(route: Route, batch: Messages, rejects_topic: str, topic_id: str) -> PendingAppend:
    """Decode messages of one partition.

    Args:
        route: Tells rows from rejects, and what a row keeps of its message.
        batch: The messages, in the order of their offsets; one at least.
        rejects_topic: Where records of rejects go.
        topic_id: Which topic the messages are of; empty where the broker gives no ids.

    Raises:
        NewerRecordError: a later fraudline wrote one of them.
    """
    rows, accepted, rejects = route.decoder.decode(batch.values)
    _stop_before_newer(route.decoder, batch, rejects)
    taken_at = dt.datetime.now(dt.UTC)
    if route.keeps_arrival:
        rows = with_arrival(rows, batch.take(accepted), topic_id, taken_at)
    return PendingAppend(
        start=batch.offsets[0],
        position=batch.offsets[-1] + 1,
        sent_at_ms=batch.sent_at_ms,
        rows=rows,
        rejects=[
            (rejects_topic, ANY_PARTITION, None, reject_record(batch, reject, taken_at))
            for reject in rejects
        ],
        reasons=Counter(reject.reason for reject in rejects),
    )


def _stop_before_newer(decoder: Decoder, batch: Messages, rejects: list[Reject]) -> None:
    """Refuse a batch with a record of ours that has more columns than we know.

    To store it without them would lose them, and to reject it would lose all of it.
    """
    for reject in rejects:
        if reject.reason is not RejectReason.UNKNOWN_COLUMN:
            continue
        column = decoder.newer_column(batch.values[reject.index])
        if column is not None:
            raise NewerRecordError(
                f"sink: topic '{batch.topic}', partition {batch.partitions[reject.index]}, "
                f"offset {batch.offsets[reject.index]} is a record with the column "
                f"{column[:100]!r}, which this sink does not know: a later fraudline wrote it, "
                "or one whose contract has more columns. Upgrade the sinks first, and give "
                "them that contract; then start them. Nothing is lost, and nothing from that "
                "record on was stored or rejected."
            )
