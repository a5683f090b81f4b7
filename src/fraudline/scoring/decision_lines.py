"""Decisions as JSON: what is the same for a whole batch is encoded once.

Each line is, byte for byte, the transaction as it came and the members of `Decision` as msgspec
encodes them; a test holds the two together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

import msgspec

from fraudline.contract import Decision, Messages
from fraudline.contract.messages import received_at
from fraudline.scoring.repeats import FirstDecision

_NULL = b"null"
_encode = msgspec.json.Encoder().encode
_KEYS = [(name, b',"%b":' % name.encode()) for name in Decision.__struct_fields__]
_quoted = lru_cache(maxsize=256)(_encode)  # words and versions: there are few of them


@dataclass
class DecisionBatch:
    """Decisions on some messages, column by column; the n-th entries belong together.

    Attributes:
        indices: Which of the messages each one is on.
        ids: What the contract says identifies them; None where their position does.
        scores: And so on, as in `Decision`.
        reasons: By row; approved ones have none.
        repeats_of: By row; first decisions have none.
        propensities: By row; only what is reviewed though it would be blocked has one.
        challenger_scores: As JSON; None if no challenger scores.
    """

    indices: list[int]
    ids: list[str] | None
    scores: list[float]
    decisions: list[str]
    thresholds: list[float]
    model_versions: list[str]
    reasons: dict[int, str]
    repeats_of: dict[int, str]
    propensities: dict[int, float]
    challenger_scores: list[bytes] | None = None

    def give(self, row: int, first: FirstDecision) -> None:
        """Let a row say what was said first."""
        self.scores[row], self.thresholds[row] = first.score, first.threshold
        self.decisions[row], self.model_versions[row] = first.decision, first.model_version
        self.repeats_of[row] = first.position
        self.reasons.pop(row, None)
        if first.reasons is not None:
            self.reasons[row] = first.reasons
        self.propensities.pop(row, None)
        if first.propensity is not None:
            self.propensities[row] = first.propensity
        if self.challenger_scores is not None:
            self.challenger_scores[row] = _NULL

    def keep(self, rows: list[int]) -> None:
        """Leave out all but these rows."""
        for name, column in vars(self).items():
            if isinstance(column, list):
                setattr(self, name, [column[row] for row in rows])
        for name in ("reasons", "repeats_of", "propensities"):
            column = getattr(self, name)
            kept = {place: column[row] for place, row in enumerate(rows) if row in column}
            setattr(self, name, kept)


def decision_lines(
    messages: Messages, batch: DecisionBatch, decided_at: dt.datetime
) -> list[bytes]:
    """The JSON of each decision: the transaction's own bytes, then the decision's members.

    Args:
        messages: The transactions, one for each decision.
        batch: The decisions.
        decided_at: When they were made.
    """
    partitions, offsets = _numbers(messages.partitions), _numbers(messages.offsets)
    topic = _encode(messages.topic)
    values: dict[str, bytes | list[bytes]] = {
        "transaction_id": list(map(_encode, batch.ids or ())),
        "source_topic": topic,
        "source_partition": partitions,
        "source_offset": offsets,
        "score": _numbers(batch.scores),
        "decision": list(map(_quoted, batch.decisions)),
        "threshold": _numbers(batch.thresholds),
        "model_version": _same(list(map(_quoted, batch.model_versions))),
        "reasons": _or_null(batch.reasons, len(messages)),
        "repeat_of": _or_null(batch.repeats_of, len(messages)),
        "received_at": list(map(_received_at, messages.sent_at_ms)),
        "decided_at": _encode(decided_at),
        "propensity": _or_null(batch.propensities, len(messages)),
        "challenger_scores": _NULL if batch.challenger_scores is None else batch.challenger_scores,
    }
    pieces: list[bytes | list[bytes]] = [
        [value.rstrip()[:-1] for value in messages.values]  # type: ignore[union-attr] # no tombstone is decided
    ]
    for name, key in _KEYS:
        pieces.append(key)
        if name == "transaction_id" and batch.ids is None:
            pieces += [topic[:-1] + b":", partitions, b":", offsets, b'"']
        else:
            pieces.append(values[name])
    return list(map(b"".join, zip(*_columns(pieces), strict=False)))


def _columns(pieces: list[bytes | list[bytes]]) -> list[Iterable[bytes]]:
    """Lists as they are, and what is the same in each row joined to one piece and repeated."""
    columns: list[Iterable[bytes]] = []
    same = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            same += piece
        else:
            columns += [repeat(same), piece]
            same = b""
    return [*columns, repeat(same + b"}")]


def _numbers(numbers: Sequence[float]) -> list[bytes]:
    """Each as JSON, with the fewest digits that read back as the same number."""
    return _encode(numbers)[1:-1].split(b",") if numbers else []


def _same(column: list[bytes]) -> bytes | list[bytes]:
    return column[0] if column and column.count(column[0]) == len(column) else column


def _or_null(values: Mapping[int, str | float], rows: int) -> bytes | list[bytes]:
    if not values:
        return _NULL
    column = [_NULL] * rows
    for row, value in values.items():
        column[row] = _encode(value)
    return column


@lru_cache(maxsize=8192)  # of the messages of a busy batch many were sent in the same one
def _received_at(at_ms: int) -> bytes:
    return _encode(received_at(at_ms))
