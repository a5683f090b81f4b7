"""Transactions that are sent twice: the second one is given the decision of the first.

A producer that had no answer sends a transaction again. Its id tells, where the contract
has one. What was decided is remembered for the last offsets of each partition: a bounded
number of entries, and the same ones whether a scorer ran all the time or was started anew
and read its own decisions back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from fraudline.contract import Contract, Decision, Decoder

_MOST_DECISION_BYTES = 1_048_576


class FirstDecision(msgspec.Struct, frozen=True, gc=False):
    """What was decided when an id was seen first.

    Attributes:
        digest: Of the transaction's values.
        position: Where it was, as topic:partition:offset.
        offset: The last part of it.
    """

    digest: bytes
    position: str
    offset: int
    score: float
    decision: str
    threshold: float
    model_version: str
    reasons: str | None

    def answer(self, decision: Decision) -> Decision:
        """A decision on the same transaction, made to say what was said first."""
        if decision.source_offset == self.offset:
            return decision
        return msgspec.structs.replace(
            decision,
            score=self.score,
            decision=self.decision,
            threshold=self.threshold,
            model_version=self.model_version,
            reasons=self.reasons,
            repeat_of=self.position,
        )


class RepeatMemory:
    """The first decision on each id, within a window of each partition's offsets.

    Args:
        contract: What a transaction looks like; it has an id.
        window_offsets: How far back a first decision is remembered.
    """

    def __init__(self, contract: Contract, window_offsets: int) -> None:
        self.window_offsets = window_offsets
        self._transaction_names = [column.name for column in contract.transaction_columns]
        self._decoder = Decoder(contract.decision_columns, _MOST_DECISION_BYTES)
        self._partitions: dict[int, dict[str, FirstDecision]] = {}
        self._reached: dict[int, int] = {}

    def first(self, decision: Decision, digest: bytes) -> FirstDecision:
        """The first decision on the same id, or this one, which is remembered then.

        Args:
            decision: The next one of its partition.
            digest: Of its transaction's values.
        """
        known = self._partitions.setdefault(decision.source_partition, {})
        self._reached[decision.source_partition] = decision.source_offset
        oldest = decision.source_offset - self.window_offsets
        while known:  # they are in the order of their offsets
            transaction_id, first = next(iter(known.items()))
            if first.offset >= oldest:
                break
            del known[transaction_id]
        found = known.get(decision.transaction_id)
        if found is None:
            found = known[decision.transaction_id] = FirstDecision(
                digest,
                f"{decision.source_topic}:{decision.source_partition}:{decision.source_offset}",
                decision.source_offset,
                decision.score,
                decision.decision,
                decision.threshold,
                decision.model_version,
                decision.reasons,
            )
        return found

    def reached(self, partition: int) -> int:
        """The last offset of a partition that was decided or read back; -1 for none."""
        return self._reached.get(partition, -1)

    def forget(self, partition: int) -> None:
        """Forget all that was decided in a partition."""
        self._partitions.pop(partition, None)
        self._reached.pop(partition, None)

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
        rows, _, _ = self._decoder.decode(decisions)
        older = 0
        fields = [rows.column(name).to_pylist() for name in Decision.__struct_fields__]
        digests = digests_of(rows.select(self._transaction_names))
        for digest, *values in zip(digests, *fields, strict=True):
            decision = Decision(*values)
            if (decision.source_topic, decision.source_partition) != (topic, partition):
                continue
            if decision.source_offset < window.start:
                older += 1
            elif decision.source_offset in window and decision.repeat_of is None:
                self.first(decision, digest)
        return older


def digests_of(transactions: pa.RecordBatch) -> list[bytes]:
    """A digest of the values of each row, by which two transactions are told apart."""
    encode = msgspec.msgpack.Encoder().encode
    rows: Iterable[tuple[Any, ...]] = zip(
        *(column.to_pylist() for column in transactions.columns), strict=True
    )
    return [hashlib.blake2b(encode(row), digest_size=16).digest() for row in rows]
