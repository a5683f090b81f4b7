"""The one road to a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraudline.bundle import Bundle
from fraudline.contract import Contract
from fraudline.errors import InputError

APPROVE = "approve"
BLOCK = "block"


@dataclass(frozen=True)
class Assessment:
    """What a bundle says of a batch of transactions, row by row.

    Attributes:
        scores: Probability of fraud, float64, shape (rows,); NaN for values that are so far
            from all that the model has seen that its arithmetic overflows.
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


def as_history(transactions: pa.Table, assessment: Assessment, contract: Contract) -> pa.Table:
    """Transactions in the history's own columns, the decision in the place of the label.

    Args:
        transactions: What was assessed; a label that it has is replaced.
        assessment: What `assess` said of these rows.
        contract: What a transaction looks like.

    Raises:
        InputError: a row has no score, so neither label would be true.
    """
    unscored = np.flatnonzero(np.isnan(assessment.scores))
    if len(unscored):
        raise InputError(
            f"model {assessment.model_version} gives no number for {len(unscored)} rows, the "
            f"first is row {unscored[0] + 1} of those that fit the contract. Take them out of "
            "the file, or narrow the limits in the contract so that they are refused."
        )
    label = contract.column(contract.label)
    decided = pa.array(assessment.is_blocked).cast(label.arrow_type)
    columns = [
        decided if column == label else transactions.column(column.name)
        for column in contract.columns
    ]
    return pa.Table.from_arrays(columns, schema=contract.history_schema)
