"""From a partition's messages to the rows to store and the records of those that are none."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from fraudline.contract import Decoder, Messages, Reject, RejectReason, reject_record
from fraudline.errors import NewerRecordError
from fraudline.stream.kafka_transaction import ANY_PARTITION
from fraudline.stream.sink_partition import PendingAppend


def decode(decoder: Decoder, batch: Messages, rejects_topic: str) -> PendingAppend:
    """Decode messages of one partition.

    Args:
        decoder: Tells rows from rejects.
        batch: The messages, in the order of their offsets; one at least.
        rejects_topic: Where records of rejects go.

    Raises:
        NewerRecordError: a later fraudline wrote one of them.
    """
    rows, _, rejects = decoder.decode(batch.values)
    _stop_before_newer(decoder, batch, rejects)
    rejected_at = dt.datetime.now(dt.UTC)
    return PendingAppend(
        start=batch.offsets[0],
        position=batch.offsets[-1] + 1,
        sent_at_ms=batch.sent_at_ms,
        rows=rows,
        rejects=[
            (rejects_topic, ANY_PARTITION, None, reject_record(batch, reject, rejected_at))
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
