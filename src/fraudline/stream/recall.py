"""Remembering, at the start of a partition, what was decided in it before."""

from __future__ import annotations

import datetime as dt
import logging

from confluent_kafka import KafkaError, KafkaException

from fraudline.errors import BrokerError
from fraudline.scoring import FirstDecisions
from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Partitions
from fraudline.stream.read import ranges, read_range

_LOG = logging.getLogger(__name__)
_EVER = dt.datetime.fromtimestamp(0, dt.UTC)
_MOST_DECISIONS = 5_000


def recall(kafka: KafkaSettings, firsts: FirstDecisions, committed: Partitions) -> None:
    """Read back the decisions on the last messages before each committed offset.

    The topic of decisions is the only store: decisions keep the partition of their
    transactions, and they are there if and only if the offset was moved past them. What an
    owner decided and could not commit is forgotten with all that was remembered before.

    Args:
        kafka: Broker and topics.
        firsts: What is to remember them.
        committed: Partitions of the topic of transactions, with the next offset of each.

    Raises:
        KafkaException: the decisions cannot be read now.
    """
    try:
        written = ranges(kafka, kafka.topic_decisions, since=_EVER)
        for begun in committed:
            firsts.forget(begun.partition)
            if begun.offset > 0:
                partition = begun.partition % len(written)
                _recall(kafka, firsts, begun.partition, begun.offset, partition, written[partition])
    except BrokerError as error:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, str(error))) from None  # noqa: SLF001 - its only name


def _recall(
    kafka: KafkaSettings,
    firsts: FirstDecisions,
    source: int,
    next_offset: int,
    partition: int,
    written: tuple[int, int],
) -> None:
    """Read from further and further back, until a decision is older than the window."""
    begin, end = written
    first_offset = next_offset - firsts.window_offsets
    back = 2 * firsts.window_offsets  # each decision may be followed by the end of a transaction
    while True:
        start = max(begin, end - back)
        older = count = 0
        for _, _, messages in read_range(
            kafka, kafka.topic_decisions, partition, start, end, _MOST_DECISIONS
        ):
            older += firsts.recall(source, first_offset, messages.values)
            count += len(messages)
        if older or start == begin:
            _LOG.info("score: partition %d: %d earlier decisions read back", source, count)
            return
        firsts.forget(source)
        back *= 2
