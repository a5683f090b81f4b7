"""Messages to decisions and rejects: what a scorer does with a batch."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import msgspec

from fraudline.bundle import Bundle
from fraudline.contract import Contract, Decoder, Reject, RejectReason
from fraudline.contract.messages import Messages
from fraudline.contract.records import MAX_ORIGINAL_BYTES, RejectRecord
from fraudline.scoring.assess import assess

MOST_KEY_BYTES = 1024


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What becomes of one message: a decision or a reject.

    Attributes:
        is_reject: Which of the two.
        verdict: The decision, or the reason of the reject.
        partition: Where the message was.
        key: The key of the message.
        value: JSON with the columns of a decision or of a reject.
    """

    is_reject: bool
    verdict: str
    partition: int
    key: bytes | None
    value: bytes


class _Decision(msgspec.Struct, gc=False):
    """`DECISION_COLUMNS`, in a form that encodes fast; a test holds the two together."""

    transaction_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    score: float
    decision: str
    threshold: float
    model_version: str
    repeat_of: str | None
    received_at: dt.datetime | None
    decided_at: dt.datetime


class Decider:
    """Decodes, scores and decides messages with one bundle.

    Args:
        contract: What a transaction looks like.
        bundle: The model and its threshold.
        firsts: What was decided before, for a contract whose transactions have an id.
    """

    def __init__(
        self, contract: Contract, bundle: Bundle, firsts: FirstDecisions | None = None
    ) -> None:
        self._contract = contract
        self._bundle = bundle
        self._firsts = firsts
        self._decoder = Decoder(contract.transaction_columns)
        # Arrow looks for pandas when it makes its first array, which takes a second where
        # pandas is installed: better now than while the first transaction waits.
        assess(self._decoder.decode([])[0], contract, bundle)

    def decide(self, messages: Messages, decided_at: dt.datetime) -> list[Outcome]:
        """Exactly one outcome for each message: decisions in order, then rejects.

        A decision carries the transaction's own bytes, so no number is printed anew. A
        transaction that was decided before is given that decision again.
        """
        transactions, accepted, rejects = self._decoder.decode(messages.values)
        assessment = assess(transactions, self._contract, self._bundle)
        decisions = self._decisions(messages, transactions, accepted, assessment, decided_at)
        encode = msgspec.json.Encoder().encode
        outcomes = []
        for index, made in zip(accepted, decisions, strict=True):
            if isinstance(made, Reject):
                rejects.append(made)
                continue
            message = messages.values[index]
            assert message is not None  # a tombstone is never accepted
            outcomes.append(
                Outcome(
                    False,
                    made.decision,
                    made.source_partition,
                    usable_key(messages.keys[index]),
                    b"%b,%b" % (message.rstrip()[:-1], encode(made)[1:]),
                )
            )
        for reject in rejects:
            value = reject_record(messages, reject, decided_at)
            partition = messages.partitions[reject.index]
            outcomes.append(Outcome(True, reject.reason, partition, None, value))
        return outcomes
def _not_scorable(index: int, score: float, model_version: str) -> Reject:
    return Reject(
        index,
        RejectReason.NOT_SCORABLE,
        f"model {model_version} gives {score}, which is no probability, for these values; "
        "narrower limits in the contract would refuse them",
    )


def usable_key(key: bytes | None) -> bytes | None:
    """A key may be as long as a message; with one that long, an outcome would not fit."""
    return key if key is not None and len(key) <= MOST_KEY_BYTES else None


def reject_record(messages: Messages, reject: Reject, rejected_at: dt.datetime) -> bytes:
    """A reject as JSON with `REJECT_COLUMNS`: where the message was, why, and its bytes."""
    index = reject.index
    original = messages.values[index] or b""
    return msgspec.json.encode(
        RejectRecord(
            source_topic=messages.topic,
            source_partition=messages.partitions[index],
            source_offset=messages.offsets[index],
            reason=reject.reason,
            message=reject.message[:4096],
            original=original[:MAX_ORIGINAL_BYTES],
            original_size_bytes=len(original),
            original_key=usable_key(messages.keys[index]),
            received_at=messages.received_at(index),
            rejected_at=rejected_at,
        )
    )
