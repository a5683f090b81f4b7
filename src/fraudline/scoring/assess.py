"""The one road to a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraudline.bundle import Bundle
from fraudline.contract import Contract

APPROVE = "approve"
BLOCK = "block"


@dataclass(frozen=True)
class Assessment:
    """What a bundle says of a batch of transactions, row by row.

    Attributes:
        scores: Probability of fraud, float64, shape (rows,).
        is_blocked: Whether the score reaches the threshold, bool, shape (rows,).
        threshold: Least score that is blocked.
        model_version: Version of the bundle.
    """

    scores: npt.NDArray[np.float64]
    is_blocked: npt.NDArray[np.bool_]
    threshold: float
    model_version: str

    @property
    def decisions(self) -> list[str]:
        """`approve` or `block` for each row."""
        return [BLOCK if is_blocked else APPROVE for is_blocked in self.is_blocked]


def assess(
    transactions: pa.RecordBatch | pa.Table, contract: Contract, bundle: Bundle
) -> Assessment:
    """Score and decide each transaction.

    Args:
        transactions: Rows with at least the contract's features; a label is not looked at.
        contract: What a transaction looks like.
        bundle: The model and its threshold.
    """
    scores = bundle.score(contract.feature_matrix(transactions))
    threshold = bundle.manifest.threshold
    return Assessment(scores, scores >= threshold, threshold, bundle.manifest.version)
