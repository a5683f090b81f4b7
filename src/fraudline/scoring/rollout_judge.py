"""Two versions, each transaction wholly by one of them: how a new one takes over by share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fraudline.bundle.bundle import Bundle
from fraudline.contract import Messages
from fraudline.contract.array_types import Floats
from fraudline.scoring.assess import Assessment
from fraudline.scoring.draws import drawn
from fraudline.scoring.judge import Decoded, Judge, Judged


class RolloutJudge:
    """Judges a share of the transactions with another version than the champion.

    Which ones these are follows from the contract's id, or from a message's position where there is
    none, and from the other version's graph. A larger share has all those of a smaller one.

    Args:
        champion: The version that decides the others.
        newer: The version that decides the share; for the champion's contract.
        share: Its share of the transactions, above 0 and below 1.

    Attributes:
        fault: Why the other version could not judge, in words, so that the champion judges all from
            that batch on; None while it can.
    """

    def __init__(self, champion: Bundle, newer: Bundle, share: float) -> None:
        self.fault: str | None = None
        self._champion, self._newer = Judge(champion), Judge(newer)
        self._bundle, self._share = newer, share

    def judge_messages(self, messages: Messages) -> Judged:
        """Each message by the version that decides it, in their order."""
        decoded = self._champion.decode(messages.values)
        identities = self._identities(messages, decoded)
        is_newer = np.array(drawn(identities, self._share, self._bundle), dtype=np.bool_)
        newer, others = (np.flatnonzero(each).tolist() for each in (is_newer, ~is_newer))
        by_newer = self._by_newer(decoded.take(newer)) if newer else None
        if by_newer is None:
            return self._champion.judge_rows(decoded)
        found = _joined(self._champion.judge_rows(decoded.take(others)), by_newer)
        found.rejects.extend(decoded.rejects)
        return replace(found, plain_texts=decoded.plain_texts, cut=decoded.cut)

    def _by_newer(self, decoded: Decoded) -> Judged | None:
        if self.fault is None:
            try:
                return self._newer.judge_rows(decoded)
            except Exception as error:  # noqa: BLE001 - whatever it is, the champion can judge
                self.fault = str(error) or type(error).__name__
        return None

    def _identities(self, messages: Messages, decoded: Decoded) -> list[bytes]:
        contract = self._bundle.contract
        if contract.id is not None:
            return [each.encode() for each in contract.row_ids(decoded.rows)]
        partitions, offsets = messages.partitions, messages.offsets
        return [b"%d:%d" % (partitions[index], offsets[index]) for index in decoded.indices]


def _joined(one: Judged, other: Judged) -> Judged:
    """What two versions said, in the order of the messages."""
    indices, rows = [*one.indices, *other.indices], [*one.rows, *other.rows]
    versions = [*one.versions, *other.versions]
    order = np.argsort(indices, kind="stable")
    places = np.argsort(order, kind="stable").tolist()
    first, second = one.assessment, other.assessment
    assessment = Assessment(
        np.concatenate([first.scores, second.scores]),
        np.concatenate([first.decision_codes, second.decision_codes]),
        np.concatenate([first.thresholds, second.thresholds]),
        first.model_version,
        np.concatenate([first.features, second.features]),
        np.concatenate([_propensities(first), _propensities(second)]),
    )
    reasons = one.reasons | {len(one.rows) + row: told for row, told in other.reasons.items()}
    wanted = order.tolist()
    return Judged(
        [indices[row] for row in wanted],
        [rows[row] for row in wanted],
        assessment.take(order),
        {places[row]: told for row, told in reasons.items()},
        [*one.rejects, *other.rejects],
        [versions[row] for row in wanted],
    )


def _propensities(assessment: Assessment) -> Floats:
    found = assessment.propensities
    return np.full(len(assessment.scores), np.nan) if found is None else found
