"""Messages to decisions and rejects: what a scorer does with a batch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from operator import attrgetter

import msgspec

from fraudline.bundle.bundle import Bundle
from fraudline.contract import (
    Decision,
    Messages,
    Outcome,
    Reject,
    RejectReason,
    reject_record,
    usable_key,
)
from fraudline.scoring.decision_lines import DecisionBatch, decision_lines
from fraudline.scoring.judge import Judge, Judged
from fraudline.scoring.live_challengers import LiveChallenger, challenger_scores
from fraudline.scoring.repeats import FirstDecision, RepeatMemory, digests_of
from fraudline.scoring.rollout_judge import RolloutJudge


class Decider:
    """Decodes, scores and decides messages with one bundle.

    Args:
        bundle: The model, its policy and its contract.
        memory: What was decided before, for a contract whose transactions have an id.
        challengers: Versions that score beside it.
        rollout: Decides a share of the messages with another version, the others with the bundle.

    Attributes:
        model_version: Of the bundle.
    """

    def __init__(
        self,
        bundle: Bundle,
        memory: RepeatMemory | None = None,
        challengers: Sequence[LiveChallenger] = (),
        rollout: RolloutJudge | None = None,
    ) -> None:
        self.model_version = bundle.manifest.version
        self._judge = Judge(bundle)
        self._memory = memory
        self._challengers = challengers
        self._rollout = rollout
        self._contract = bundle.contract

    def decide(self, messages: Messages, decided_at: dt.datetime) -> list[Outcome]:
        """Exactly one outcome for each message: decisions in order, then rejects.

        A decision carries the transaction's own bytes, so no number is printed anew; those of the
        contract's columns, where a message has more. A
        transaction that was decided before is given that decision again.
        """
        judged, batch = self.decide_batch(messages, decided_at)
        decided = messages
        if judged.plain_texts is not None:
            values = [judged.plain_texts[index] for index in batch.indices]
            decided = replace(messages.take(batch.indices), values=values)
        elif len(batch.indices) < len(messages):
            decided = messages.take(batch.indices)
        lines = decision_lines(decided, batch, decided_at)
        keys = map(usable_key, decided.keys)
        outcomes = list(
            map(Outcome, batch.decisions, repeat(None), decided.partitions, keys, lines)
        )
        for place, index in enumerate(batch.indices if judged.cut else ()):
            if index in judged.cut:
                outcomes[place] = msgspec.structs.replace(outcomes[place], is_cut=True)
        # In the order of their messages: the next one that is not stored tells what is stored.
        for reject in sorted(judged.rejects, key=attrgetter("index")):
            value = reject_record(messages, reject, decided_at)
            partition = messages.partitions[reject.index]
            outcomes.append(Outcome(None, reject.reason, partition, None, value))
        return outcomes

    def decide_batch(
        self, messages: Messages, decided_at: dt.datetime
    ) -> tuple[Judged, DecisionBatch]:
        """The same, column by column: what was judged, with all rejects, and what is decided.

        What was decided before has the first decision; it is in the batch as it is in `decide`.
        """
        rollout = self._rollout
        judged = (
            self._judge.judge_batch(messages.values)
            if rollout is None
            else rollout.judge_messages(messages)
        )
        batch = self._batch(judged)
        if self._memory is not None:
            _remember(self._memory, messages, judged, batch, decided_at)
        return judged, batch

    def _batch(self, judged: Judged) -> DecisionBatch:
        assessment = judged.assessment
        return DecisionBatch(
            judged.indices,
            None if self._contract.id is None else self._contract.row_ids(judged.rows),
            assessment.scores.tolist(),
            assessment.decisions,
            assessment.thresholds.tolist(),
            judged.versions,
            {row: msgspec.json.encode(told).decode() for row, told in judged.reasons.items()},
            {},
            judged.propensities,
            challenger_scores(self._challengers, assessment.features),
        )


def _remember(
    memory: RepeatMemory,
    messages: Messages,
    judged: Judged,
    batch: DecisionBatch,
    decided_at: dt.datetime,
) -> None:
    """Remember each first decision, and give each repeat the first one on its id."""
    assert batch.ids is not None  # only a contract with an id has a memory
    kept = []
    for row, (index, digest) in enumerate(
        zip(judged.indices, digests_of(judged.rows), strict=True)
    ):
        decision = Decision(
            batch.ids[row],
            messages.topic,
            messages.partitions[index],
            messages.offsets[index],
            batch.scores[row],
            batch.decisions[row],
            batch.thresholds[row],
            batch.model_versions[row],
            batch.reasons.get(row),
            None,
            None,
            decided_at,
            batch.propensities.get(row),
        )
        first = memory.first(decision, digest)
        if first is not None:
            if first.differs_from(digest):
                judged.rejects.append(_id_reused(index, batch.ids[row], first))
                continue
            batch.give(row, first)
        kept.append(row)
    if len(kept) < len(judged.rows):
        batch.keep(kept)


def _id_reused(index: int, own_id: str, first: FirstDecision) -> Reject:
    return Reject(
        index,
        RejectReason.ID_REUSED,
        f"id {own_id!r} belongs to the transaction at {first.position}, whose "
        "values differ from these; a transaction of its own needs an id of its own",
    )
