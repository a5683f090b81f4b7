"""Transactions that are sent twice: the second one is given the decision of the first.

A producer that had no answer sends a transaction again. Its id tells, where the contract
has one. What was decided is remembered for the last offsets of each partition: a bounded
number of entries, and the same ones whether a scorer ran all the time or was started anew
and read its own decisions back.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from fraudline.contract import Contract, Decision, Decoder
from fraudline.contract.decoder import Row

_MOST_DECISION_BYTES = 1_048_576
# Digest, offset, score, threshold, and the place of decision and version in a list of such.
_ENTRY = struct.Struct("=16sqddI")
_OFFSET = struct.Struct("=16xq")


class FirstDecision(NamedTuple):
    """What was decided when an id was seen first.

    Attributes:
        digest: Of the transaction's values.
        position: Where it was, as topic:partition:offset.
        score: And so on, as in a decision.
    """

    digest: bytes
    position: str
    score: float
    decision: str
    threshold: float
    model_version: str
    reasons: str | None


class RepeatMemory:
    """The first decision on each id, within a window of each partition's offsets.

    An id and its decision take some 230 bytes, and remembering one takes as long when the
    window is full as when it is empty.

    Args:
        contract: What a transaction looks like; it has an id.
        window_offsets: How far back a first decision is remembered.
    """

    def __init__(self, contract: Contract, window_offsets: int) -> None:
        self.window_offsets = window_offsets
        self._width = len(contract.transaction_columns)
        self._decoder = Decoder(contract.decision_columns, _MOST_DECISION_BYTES)
        self._partitions: dict[int, _Window] = {}
        self._answers = _Answers()

    def __len__(self) -> int:
        """How many first decisions are remembered."""
        return sum(len(window.entries) for window in self._partitions.values())

    def first(self, decision: Decision, digest: bytes) -> FirstDecision | None:
        """The first decision on the same id; None if this is it, which is remembered then.

        Args:
            decision: The next one of its partition.
            digest: Of its transaction's values.
        """
        partition, offset = decision.source_partition, decision.source_offset
        window = self._partitions.get(partition)
        if window is None:
            window = self._partitions[partition] = _Window()
        window.reached = offset
        window.forget_before(offset - self.window_offsets)
        entry = window.entries.get(decision.transaction_id)
        if entry is None:
            answer = self._answers.place(decision.decision, decision.model_version)
            packed = _ENTRY.pack(digest, offset, decision.score, decision.threshold, answer)
            window.add(decision.transaction_id, packed, offset, decision.reasons)
            return None
        first_digest, first_offset, score, threshold, answer = _ENTRY.unpack(entry)
        if first_offset == offset:
            return None
        return FirstDecision(
            first_digest,
            f"{decision.source_topic}:{partition}:{first_offset}",
            score,
            self._answers.decisions[answer],
            threshold,
            self._answers.versions[answer],
            window.reasons.get(first_offset),
        )

    def reached(self, partition: int) -> int:
        """The last offset of a partition that was decided or read back; -1 for none."""
        window = self._partitions.get(partition)
        return window.reached if window is not None else -1

    def forget(self, partition: int) -> None:
        """Forget all that was decided in a partition."""
        self._partitions.pop(partition, None)

    def restore(
        self, topic: str, partition: int, window: range, decisions: Sequence[bytes | None]
    ) -> int:
        """Remember decisions that were made before, in the order of their offsets.

        Args:
            topic: Whose decisions are of interest.
            partition: Which partition of it.
            window: Offsets of the messages whose decisions are of interest.
            decisions: JSON with the columns of a decision, of any message.

        Returns:
            How many are of the partition and older than the window.
        """
        rows, _, _ = self._decoder.decode_rows(decisions)
        older = 0
        for row in rows:
            decision = Decision(*row[self._width :])
            if (decision.source_topic, decision.source_partition) != (topic, partition):
                continue
            if decision.source_offset < window.start:
                older += 1
            elif decision.source_offset in window and decision.repeat_of is None:
                (digest,) = digests_of([row[: self._width]])
                self.first(decision, digest)
        return older


class _Window:
    """The entries of a partition.

    A dict alone would do, were it not that one which loses its oldest keys keeps their empty
    places at its head, and walks over all of them to find the oldest key again.

    Attributes:
        entries: By id.
        oldest: Their ids, in the order of their offsets.
        reasons: Of those decisions that have some, by offset.
        reached: The last offset.
    """

    __slots__ = ("entries", "oldest", "reached", "reasons")

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.oldest: deque[str] = deque()
        self.reasons: dict[int, str] = {}
        self.reached = -1

    def add(self, transaction_id: str, entry: bytes, offset: int, reasons: str | None) -> None:
        self.entries[transaction_id] = entry
        self.oldest.append(transaction_id)
        if reasons is not None:
            self.reasons[offset] = reasons

    def forget_before(self, offset: int) -> None:
        entries, oldest = self.entries, self.oldest
        while oldest:
            (found,) = _OFFSET.unpack_from(entries[oldest[0]])
            if found >= offset:
                return
            del entries[oldest.popleft()]
            self.reasons.pop(found, None)


class _Answers:
    """Pairs of decision and model version; there are few, however many decisions there are."""

    def __init__(self) -> None:
        self.decisions: list[str] = []
        self.versions: list[str] = []
        self._places: dict[tuple[str, str], int] = {}

    def place(self, decision: str, version: str) -> int:
        place = self._places.get((decision, version))
        if place is None:
            place = self._places[decision, version] = len(self.decisions)
            self.decisions.append(decision)
            self.versions.append(version)
        return place


def digests_of(rows: Iterable[Row]) -> list[bytes]:
    """A digest of the values of each transaction, by which two of them are told apart."""
    encode = msgspec.msgpack.Encoder().encode
    return [hashlib.blake2b(encode(row), digest_size=16).digest() for row in rows]
