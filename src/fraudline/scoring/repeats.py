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
from dataclasses import astuple, dataclass
from typing import NamedTuple

import msgspec

from fraudline.contract import Contract, Decision, RecordDecoder
from fraudline.contract.decoder import Row

_MOST_DECISION_BYTES = 1_048_576
# Digest, offset, score, threshold, and the place of decision, version and propensity in a list of
# such.
_ENTRY = struct.Struct("=16sqddI")
_OFFSET = struct.Struct("=16xq")
_NO_DIGEST = bytes(16)

_Answer = tuple[str, str, float | None]
"""Decision, model version and propensity."""


class _Remembered(msgspec.Struct, gc=False):
    """What a repeat must know of a first decision, whatever the transaction's columns were."""

    transaction_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    score: float
    decision: str
    threshold: float
    model_version: str
    reasons: str | None = None
    repeat_of: str | None = None
    propensity: float | None = None


@dataclass
class Recall:
    """What became of the decisions that were read back.

    Attributes:
        whole: Decisions that could be read as they are, of whichever transaction.
        by_id: Decisions on transactions whose values could not be read, as under another
            contract: a repeat of one is known by its id alone, whatever its values are.
        unreadable: Messages of the topic that are no decisions: a repeat of what they decided,
            if they did, is decided anew.
        older: How many of them are of the partition and older than the window.
    """

    whole: int = 0
    by_id: int = 0
    unreadable: int = 0
    older: int = 0

    def __add__(self, other: Recall) -> Recall:
        """Both together."""
        return Recall(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class FirstDecision(NamedTuple):
    """What was decided when an id was seen first.

    Attributes:
        digest: Of the transaction's values; zeros where they are unknown.
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
    propensity: float | None

    def differs_from(self, digest: bytes) -> bool:
        """Whether it certainly was on other values than those with this digest."""
        return self.digest not in {digest, _NO_DIGEST}


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
        self._decoder = RecordDecoder(
            # A transaction without one of its columns might have had any value there.
            contract.decision_columns,
            _MOST_DECISION_BYTES,
            always=self._width,
            is_patient=True,
        )
        self._remembered = msgspec.json.Decoder(_Remembered).decode
        self._partitions: dict[int, _Window] = {}
        self._answers = _Answers()

    def __len__(self) -> int:
        """How many first decisions are remembered."""
        return sum(len(window.entries) for window in self._partitions.values())

    def first(self, decision: Decision | _Remembered, digest: bytes) -> FirstDecision | None:
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
            answer = decision.decision, decision.model_version, decision.propensity
            place = self._answers.place(answer)
            packed = _ENTRY.pack(digest, offset, decision.score, decision.threshold, place)
            window.add(decision.transaction_id, packed, offset, decision.reasons)
            return None
        first_digest, first_offset, score, threshold, place = _ENTRY.unpack(entry)
        if first_offset == offset:
            return None
        word, version, propensity = self._answers.all[place]
        return FirstDecision(
            first_digest,
            f"{decision.source_topic}:{partition}:{first_offset}",
            score,
            word,
            threshold,
            version,
            window.reasons.get(first_offset),
            propensity,
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
    ) -> Recall:
        """Remember decisions that were made before, in the order of their offsets.

        Args:
            topic: Whose decisions are of interest.
            partition: Which partition of it.
            window: Offsets of the messages whose decisions are of interest.
            decisions: JSON with the columns of a decision, of any message.
        """
        found = Recall()
        rows, accepted, rejects = self._decoder.decode_rows(decisions)
        made: dict[int, tuple[Decision | _Remembered, Row | None]] = {}
        for index, row in zip(accepted, rows, strict=True):
            made[index] = Decision(*row[self._width :]), row[: self._width]
        found.whole = len(made)
        for reject in rejects:
            try:
                made[reject.index] = self._remembered(decisions[reject.index] or b""), None
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                found.unreadable += 1
        found.by_id = len(made) - found.whole
        for index in sorted(made):
            decision, values = made[index]
            if (decision.source_topic, decision.source_partition) != (topic, partition):
                continue
            if decision.source_offset < window.start:
                found.older += 1
            elif decision.source_offset in window and decision.repeat_of is None:
                self.first(decision, _NO_DIGEST if values is None else digests_of([values])[0])
        return found


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
    """What decisions say beside their numbers; that is few, however many decisions there are."""

    def __init__(self) -> None:
        self.all: list[_Answer] = []
        self._places: dict[_Answer, int] = {}

    def place(self, answer: _Answer) -> int:
        place = self._places.get(answer)
        if place is None:
            place = self._places[answer] = len(self.all)
            self.all.append(answer)
        return place


def digests_of(rows: Iterable[Row]) -> list[bytes]:
    """A digest of the values of each transaction, by which two of them are told apart."""
    encode = msgspec.msgpack.Encoder().encode
    return [hashlib.blake2b(encode(row), digest_size=16).digest() for row in rows]
