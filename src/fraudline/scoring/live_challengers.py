"""Versions that score beside the champion and decide nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import msgspec

from fraudline.bundle.bundle import Bundle
from fraudline.contract.array_types import Floats, Matrix

_encode = msgspec.json.Encoder().encode


class LiveChallenger:
    """A version that gives scores, and no decision, until one cannot be computed.

    Args:
        bundle: The version; for the champion's contract.

    Attributes:
        version: Its name.
        fault: Why it gives no scores any more, in words; None while it does.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.version = bundle.manifest.version
        self.fault: str | None = None
        self._bundle = bundle

    def score(self, features: Matrix) -> Floats | None:
        """Probability of fraud of each row, shape (rows,); None from its first fault on."""
        if self.fault is None:
            try:
                return self._bundle.score(features)
            except Exception as error:  # noqa: BLE001 - whatever it is, the champion decides
                self.fault = str(error) or type(error).__name__
        return None


def challenger_scores(
    challengers: Sequence[LiveChallenger], features: Matrix
) -> list[bytes] | None:
    """What challengers say of rows: of each a JSON object of versions and scores, in JSON quotes.

    A score that is no number is null in it, and a challenger with a fault is not in it.

    Args:
        challengers: Those that are to score.
        features: As for `Bundle.score`.

    Returns:
        One for each row; None if none of them scores.
    """
    pieces: list[repeat[bytes] | list[bytes]] = []
    for each in challengers:
        scores = each.score(features)
        if scores is not None:
            key = b'\\"%b\\":' % each.version.encode()
            pieces.append(repeat((b"," if pieces else b'"{') + key))
            pieces.append(_encode(scores.tolist())[1:-1].split(b",") if len(scores) else [])
    if not pieces:
        return None
    return list(map(b"".join, zip(*pieces, repeat(b'}"'), strict=False)))
