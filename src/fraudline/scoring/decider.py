"""Messages to decisions and rejects: what a scorer does with a batch."""

from __future__ import annotations

import datetime as dt

import msgspec
import pyarrow as pa

from fraudline.bundle import Bundle
from fraudline.contract import (
    Decision,
    Decoder,
    Outcome,
    Reject,
    RejectReason,
    reject_record,
    usable_key,
)
from fraudline.contract.messages import Messages
from fraudline.scoring.assess import Assessment, assess
from fraudline.scoring.reasons import reasons
from fraudline.scoring.repeats import FirstDecision, RepeatMemory, digests_of


class Decider:
    """Decodes, scores and decides messages with one bundle.

    Args:
        bundle: The model, its policy and its contract.
        memory: What was decided before, for a contract whose transactions have an id.
    """

    def __init__(self, bundle: Bundle, memory: RepeatMemory | None = None) -> None:
        self._bundle = bundle
        self._memory = memory
        self._decoder = Decoder(bundle.contract.transaction_columns)
        # Arrow looks for pandas when it makes its first array, which takes a second where
        # pandas is installed: better now than while the first transaction waits.
        assess(self._decoder.decode([])[0], bundle)

    def decide(self, messages: Messages, decided_at: dt.datetime) -> list[Outcome]:
        """Exactly one outcome for each message: decisions in order, then rejects.

        A decision carries the transaction's own bytes, so no number is printed anew. A
        transaction that was decided before is given that decision again.
        """
        transactions, accepted, rejects = self._decoder.decode(messages.values)
        assessment = assess(transactions, self._bundle)
        decisions = self._decisions(messages, transactions, accepted, assessment, decided_at)
        digests = digests_of(transactions) if self._memory is not None else []
        encode = msgspec.json.Encoder().encode
        outcomes = []
        for row, (index, decision) in enumerate(zip(accepted, decisions, strict=True)):
            if not 0 <= decision.score <= 1:
                rejects.append(_not_scorable(index, decision))
                continue
            answer = decision
            if self._memory is not None:
                first = self._memory.first(decision, digests[row])
                if first.digest != digests[row]:
                    rejects.append(_id_reused(index, decision, first))
                    continue
                answer = first.answer(decision)
            message = messages.values[index]
            assert message is not None  # a tombstone is never accepted
            outcomes.append(
                Outcome(
                    answer.decision,
                    None,
                    answer.source_partition,
                    usable_key(messages.keys[index]),
                    b"%b,%b" % (message.rstrip()[:-1], encode(answer)[1:]),
                )
            )
        for reject in rejects:
            value = reject_record(messages, reject, decided_at)
            partition = messages.partitions[reject.index]
            outcomes.append(Outcome(None, reject.reason, partition, None, value))
        return outcomes

    def _decisions(
        self,
        messages: Messages,
        transactions: pa.RecordBatch,
        accepted: list[int],
        assessment: Assessment,
        decided_at: dt.datetime,
    ) -> list[Decision]:
        """What the bundle says of each row, with the place and time of its message."""
        topic, partitions, offsets = messages.topic, messages.partitions, messages.offsets
        version = assessment.model_version
        found = reasons(transactions, assessment, self._bundle)
        told = {row: msgspec.json.encode(of_row).decode() for row, of_row in found.items()}
        id_column = self._bundle.contract.id
        ids = (
            [f"{topic}:{partitions[index]}:{offsets[index]}" for index in accepted]
            if id_column is None
            else map(str, transactions.column(id_column).to_pylist())
        )
        return [
            Decision(
                own_id,
                topic,
                partitions[index],
                offsets[index],
                score,
                decision,
                threshold,
                version,
                told.get(row),
                None,
                messages.received_at(index),
                decided_at,
            )
            for row, (own_id, index, score, decision, threshold) in enumerate(
                zip(
                    ids,
                    accepted,
                    assessment.scores.tolist(),
                    assessment.decisions,
                    assessment.thresholds.tolist(),
                    strict=True,
                )
            )
        ]


def _not_scorable(index: int, decision: Decision) -> Reject:
    return Reject(
        index,
        RejectReason.NOT_SCORABLE,
        f"model {decision.model_version} gives {decision.score}, which is no probability, for "
        "these values; narrower limits in the contract would refuse them",
    )


def _id_reused(index: int, decision: Decision, first: FirstDecision) -> Reject:
    return Reject(
        index,
        RejectReason.ID_REUSED,
        f"id {decision.transaction_id!r} belongs to the transaction at {first.position}, whose "
        "values differ from these; a transaction of its own needs an id of its own",
    )
