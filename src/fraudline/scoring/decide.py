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


@dataclass(frozen=True)
class Outcome:
    """What becomes of one message: a decision or a reject.

    Attributes:
        is_reject: Which of the two.
        verdict: The decision, or the reason of the reject.
        key: The key of the message, which keeps a card's decisions in one partition.
        value: JSON with the columns of a decision or of a reject.
    """

    is_reject: bool
    verdict: str
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
    received_at: dt.datetime | None
    decided_at: dt.datetime


class Decider:
    """Decodes, scores and decides messages with one bundle."""

    def __init__(self, contract: Contract, bundle: Bundle) -> None:
        self._contract = contract
        self._bundle = bundle
        self._decoder = Decoder(contract.transaction_columns)
        # Arrow looks for pandas when it makes its first array, which takes a second where
        # pandas is installed: better now than while the first transaction waits.
        assess(self._decoder.decode([])[0], contract, bundle)

    def decide(self, messages: Messages, decided_at: dt.datetime) -> list[Outcome]:
        """Exactly one outcome for each message: decisions in order, then rejects.

        A decision carries the transaction's own bytes, so no number is printed anew.
        """
        transactions, accepted, rejects = self._decoder.decode(messages.values)
        assessment = assess(transactions, self._contract, self._bundle)
        ids = (
            transactions.column(self._contract.id).to_pylist()
            if self._contract.id is not None
            else None
        )
        encode = msgspec.json.Encoder().encode
        outcomes = []
        for row, (index, score, decision) in enumerate(
            zip(accepted, assessment.scores.tolist(), assessment.decisions, strict=True)
        ):
            if not 0 <= score <= 1:
                rejects.append(_not_scorable(index, score, assessment.model_version))
                continue
            partition, offset = messages.partitions[index], messages.offsets[index]
            own_columns = encode(
                _Decision(
                    f"{messages.topic}:{partition}:{offset}" if ids is None else str(ids[row]),
                    messages.topic,
                    partition,
                    offset,
                    score,
                    decision,
                    assessment.threshold,
                    assessment.model_version,
                    messages.received_at(index),
                    decided_at,
                )
            )
            message = messages.values[index]
            assert message is not None  # a tombstone is never accepted
            value = message.rstrip()[:-1] + b"," + own_columns[1:]
            outcomes.append(Outcome(False, decision, _usable_key(messages.keys[index]), value))
        for reject in rejects:
            value = reject_record(messages, reject, decided_at)
            outcomes.append(Outcome(True, reject.reason, None, value))
        return outcomes


def _not_scorable(index: int, score: float, model_version: str) -> Reject:
    return Reject(
        index,
        RejectReason.NOT_SCORABLE,
        f"model {model_version} gives {score}, which is no probability, for these values; "
        "narrower limits in the contract would refuse them",
    )


def _usable_key(key: bytes | None) -> bytes | None:
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
            original_key=_usable_key(messages.keys[index]),
            received_at=messages.received_at(index),
            rejected_at=rejected_at,
        )
    )
