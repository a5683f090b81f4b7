"""Messages to verdicts: what a model says of a transaction, wherever it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from fraudline.bundle.bundle import Bundle
from fraudline.bundle.reason_sentences import Reason
from fraudline.contract import Reject, RejectReason
from fraudline.contract.decoder import Row
from fraudline.contract.message_decoder import MessageDecoder
from fraudline.contract.row_numbers import RowNumbers
from fraudline.scoring.assess import Assessment, assess_numbers
from fraudline.scoring.reasons import reasons


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What judging one transaction gives.

    Attributes:
        score: Probability of fraud, 0 to 1.
        decision: `approve`, `review` or `block`.
        threshold: Least score that is not approved for the amount.
        model_version: Version of the bundle that judged.
        reasons: Why it was not approved, strongest first; None where it was.
        propensity: Where it is reviewed though it would be blocked, the probability of that; else
            None.
    """

    score: float
    decision: str
    threshold: float
    model_version: str
    reasons: list[Reason] | None
    propensity: float | None = None


@dataclass(frozen=True)
class Decoded:
    """A batch of messages, decoded.

    Attributes:
        rows: The values of each that could be decoded.
        indices: Which of the messages each row was.
        rejects: Why each other message could not.
        plain_texts: Of each message its text in the form of the contract's columns; None where
            messages have that form.
        cut: Which messages had something that was ignored.
    """

    rows: list[Row]
    indices: list[int]
    rejects: list[Reject]
    plain_texts: dict[int, bytes] | None = None
    cut: frozenset[int] = frozenset()

    def take(self, rows: list[int]) -> Decoded:
        """These rows only, without rejects."""
        return Decoded([self.rows[row] for row in rows], [self.indices[row] for row in rows], [])


@dataclass(frozen=True)
class Judged:
    """A batch of messages, judged; the n-th entries of all but `rejects` belong together.

    Attributes:
        indices: Which of the messages each row was.
        rows: Their values.
        assessment: What the model says of each row; each score is a probability.
        reasons: Of the rows that are not approved, by row number.
        rejects: Why each other message has no verdict.
        versions: Which version judged each row. Where there are two, the assessment's own is that
            of the champion.
        plain_texts: As of `Decoded`.
        cut: Likewise.
    """

    indices: list[int]
    rows: list[Row]
    assessment: Assessment
    reasons: dict[int, list[Reason]]
    rejects: list[Reject]
    versions: list[str]
    plain_texts: dict[int, bytes] | None = None
    cut: frozenset[int] = frozenset()

    @property
    def propensities(self) -> dict[int, float]:
        """Of the rows that are reviewed though they would be blocked, by row number."""
        found = self.assessment.propensities
        if found is None:
            return {}
        return {row: float(found[row]) for row in np.flatnonzero(~np.isnan(found)).tolist()}


class Judge:
    """Judges transactions with one bundle. Pure: knows no topic, no time and no other message.

    A batch shares the cost of each step; for a single message the steps are the same, and so
    is every bit of its verdict.

    Args:
        bundle: The model, its policy and its contract.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        contract = bundle.contract
        self._decoder = contract.decoder()
        self._numbers = RowNumbers(contract)

    def judge(self, transactions: Sequence[bytes | None]) -> list[Verdict | Reject]:
        """A verdict on each transaction, or why there is none, in their order.

        Args:
            transactions: JSON objects with the columns of the contract.
        """
        judged = self.judge_batch(transactions)
        said: dict[int, Verdict | Reject] = {reject.index: reject for reject in judged.rejects}
        assessment, propensities = judged.assessment, judged.propensities
        for row, (index, score, decision, threshold) in enumerate(
            zip(
                judged.indices,
                assessment.scores.tolist(),
                assessment.decisions,
                assessment.thresholds.tolist(),
                strict=True,
            )
        ):
            said[index] = Verdict(
                *(score, decision, threshold, assessment.model_version),
                judged.reasons.get(row),
                propensities.get(row),
            )
        return [said[index] for index in range(len(transactions))]

    def judge_batch(self, transactions: Sequence[bytes | None]) -> Judged:
        """The same, column by column, for who writes many of them down."""
        return self.judge_rows(self.decode(transactions))

    def decode(self, transactions: Sequence[bytes | None]) -> Decoded:
        """The values of each transaction."""
        decoded = self._decoder.decode_rows(transactions)
        if isinstance(self._decoder, MessageDecoder):
            return Decoded(*decoded, self._decoder.plain_texts, self._decoder.cut)
        return Decoded(*decoded)

    def judge_rows(self, decoded: Decoded) -> Judged:
        """What it says of transactions that are decoded already."""
        rows, indices, rejects = decoded.rows, decoded.indices, [*decoded.rejects]
        assessment = assess_numbers(
            *self._numbers.read(rows), self._bundle, lambda wanted: [rows[row] for row in wanted]
        )
        scores = assessment.scores
        is_probability = (scores >= 0) & (scores <= 1)
        if not is_probability.all():
            rejects += [
                _not_scorable(indices[row], scores[row], assessment.model_version)
                for row in np.flatnonzero(~is_probability).tolist()
            ]
            kept = np.flatnonzero(is_probability)
            assessment = assessment.take(kept)
            rows, indices = [rows[row] for row in kept], [indices[row] for row in kept]
        found = reasons(lambda row: self._numbers.features(rows[row]), assessment, self._bundle)
        versions = [assessment.model_version] * len(rows)
        return Judged(
            *(indices, rows, assessment, found, rejects, versions),
            *(decoded.plain_texts, decoded.cut),
        )


def _not_scorable(index: int, score: float, model_version: str) -> Reject:
    return Reject(
        index,
        RejectReason.NOT_SCORABLE,
        f"model {model_version} gives {score}, which is no probability, for "
        "these values; narrower limits in the contract would refuse them",
    )
