"""Remembering, when a partition begins here, what was decided in it before."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from fraudline import flows
from fraudline.errors import BrokerError
from fraudline.scoring import Recall, RepeatMemory
from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Partitions
from fraudline.stream.read_topic import offset_ranges, read_range

_LOG = logging.getLogger(__name__)
_MOST_DECISIONS = 5_000


class RepeatRestore:
    """Reads the last decisions of partitions back, a piece at a time.

    The topic of decisions is the only store: a decision has the partition of its
    transaction, and it is there if and only if the offset was moved past it. Nothing is
    taken of a partition before its decisions are read. The pieces are small, so that the
    loop comes back to its consumer and to its other partitions in between.

    Args:
        kafka: Broker and topics.
        memory: What is to remember the decisions.

    Attributes:
        recalled: What was read back so far, of all partitions.
    """

    def __init__(self, kafka: KafkaSettings, memory: RepeatMemory) -> None:
        self._kafka = kafka
        self._memory = memory
        self.recalled = Recall()
        self._committed: dict[int, int] = {}
        self._waiting: Partitions = []
        self._reading: Iterator[None] | None = None
        self._left: int | None = None

    @property
    def waiting(self) -> int:
        """How many partitions are not read back yet."""
        return len(self._waiting)

    @property
    def told(self) -> str:
        """What it is doing, in words."""
        many = self.waiting
        words = f"{many} partition{'' if many == 1 else 's'} to read earlier decisions back"
        if self._left is None:
            return words
        return (
            f"{words}, at present {self._left:,} offsets of partition {self._waiting[0].partition}"
        )

    def assigned(self, partitions: Partitions) -> Partitions:
        """Begin with these partitions, and forget all others.

        Args:
            partitions: All that this process owns now, with their committed offsets.

        Returns:
            Those of which nothing needs to be read: nobody else has committed since.
        """
        self._reading = self._left = None
        for partition in self._committed.keys() - {begun.partition for begun in partitions}:
            self._forget(partition)
        ready = []
        self._waiting = []
        for begun in partitions:
            is_known = (
                self._committed.get(begun.partition) == begun.offset
                # What was decided here and not committed did not happen.
                and self._memory.reached(begun.partition) < begun.offset
            )
            if not is_known:
                self._forget(begun.partition)
            if is_known or begun.offset <= 0:
                ready.append(begun)
            else:
                self._waiting.append(begun)
        return ready

    def committed(self, offsets: Partitions) -> None:
        """Hear of offsets that this process has committed."""
        self._committed.update({after.partition: after.offset for after in offsets})

    def step(self) -> Partitions:
        """Read one piece.

        Returns:
            The partition that is read back by now, if one is.

        Raises:
            KafkaException: the decisions cannot be read now.
        """
        begun = self._waiting[0]
        if self._reading is None:
            self._reading, self._left = self._read(begun), None
        try:
            next(self._reading)
        except StopIteration:
            self._reading = self._left = None
            self._waiting.pop(0)
            self._committed[begun.partition] = begun.offset
            return [begun]
        except BrokerError as error:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, str(error))) from None  # noqa: SLF001 - its only name
        return []

    def _forget(self, partition: int) -> None:
        self._committed.pop(partition, None)
        self._memory.forget(partition)

    def _read(self, begun: TopicPartition) -> Iterator[None]:
        """Read from further and further back, until a decision is older than the window."""
        kafka, memory, partition = self._kafka, self._memory, begun.partition
        begin, end = offset_ranges(kafka, kafka.topic(flows.DECISIONS), is_beyond_open=True)[
            partition
        ]
        window = range(max(0, begun.offset - memory.window_offsets), begun.offset)
        back = 2 * memory.window_offsets  # each may be followed by the end of a transaction
        while True:
            start = max(begin, end - back)
            found = Recall()
            for _, stop, messages in read_range(
                kafka, kafka.topic(flows.DECISIONS), partition, start, end, _MOST_DECISIONS
            ):
                found += memory.restore(begun.topic, partition, window, messages.values)
                self._left = end - stop
                yield
            if found.older or start == begin:
                self.recalled += found
                _tell(partition, found)
                return
            memory.forget(partition)
            back *= 2


def _tell(partition: int, found: Recall) -> None:
    count = found.whole + found.by_id
    _LOG.info("score: partition %d: %d earlier decisions read back", partition, count)
    if found.by_id or found.unreadable:
        _LOG.warning(
            "score: partition %d: of %d earlier decisions, %d are known by their id alone, since "
            "their transactions do not fit this contract: a repeat of one is given its decision "
            "whatever its values are; %d more messages are no decisions, and a repeat of what "
            "they may have decided is decided anew",
            partition,
            count,
            found.by_id,
            found.unreadable,
        )
