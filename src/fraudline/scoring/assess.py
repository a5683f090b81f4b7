"""The one road to a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fraudline.bundle.bundle import Bundle
from fraudline.bundle.graphs import Inner
from fraudline.bundle.policy import decision_codes
from fraudline.contract import APPROVED, DECISIONS, Contract
from fraudline.contract.array_types import DecisionCodes, Flags, Floats, Integers, Matrix
from fraudline.contract.decoder import Row
from fraudline.errors import InputError
from fraudline.scoring.explore import RowsOf, explore

_NAMES = np.array(DECISIONS, dtype=object)


@dataclass(frozen=True)
class Assessment:
    """What a bundle says of a batch of transactions, row by row.

    Attributes:
        scores: Probability of fraud, float64, shape (rows,); NaN for values that are so far
            from all that the model has seen that its arithmetic overflows.
        decision_codes: What to do, as places in `DECISIONS`, int8, shape (rows,).
        thresholds: Least score that is not approved for the amount, float64, shape (rows,).
        model_version: Version of the bundle.
        features: What the scores were computed from, float32, shape (rows, features).
        propensities: Of a payment that is reviewed though it would be blocked, the probability of
            that; NaN for all others, float64, shape (rows,). None where the policy does not
            explore.
        inner: What reasons need not work out again; see `Bundle.scored`.
    """

    scores: Floats
    decision_codes: DecisionCodes
    thresholds: Floats
    model_version: str
    features: Matrix
    propensities: Floats | None = None
    inner: Inner | None = None

    @property
    def is_alert(self) -> Flags:
        """Whether a payment is not approved: reviewed or blocked, shape (rows,)."""
        is_alert: Flags = self.decision_codes != APPROVED
        return is_alert

    @property
    def decisions(self) -> list[str]:
        """`approve`, `review` or `block` for each row."""
        names: list[str] = _NAMES[self.decision_codes].tolist()
        return names

    def take(self, rows: Integers) -> Assessment:
        """What it says of these rows only."""
        return Assessment(
            self.scores[rows],
            self.decision_codes[rows],
            self.thresholds[rows],
            self.model_version,
            self.features[rows],
            self.propensities[rows] if self.propensities is not None else None,
            tuple(each[rows] for each in self.inner) if self.inner is not None else None,
        )


def assess(transactions: pa.RecordBatch | pa.Table, bundle: Bundle) -> Assessment:
    """Score and decide each transaction.

    Args:
        transactions: Rows with at least the contract's features, or what those are derived from,
            and its amount, and with all of a transaction's columns where the policy explores; a
            label is not looked at.
        bundle: The model, its policy and its contract.

    Raises:
        InputError: the policy explores, and columns are missing.
    """
    contract = bundle.contract

    def rows_of(numbers: list[int]) -> list[Row]:
        names = [column.name for column in contract.transaction_columns]
        if missing := [name for name in names if name not in transactions.column_names]:
            raise InputError(
                f"model {bundle.manifest.version} lets {bundle.manifest.policy.explored_share:g} "
                "of what it would block be reviewed, and which payments these are follows from all "
                f"of their columns; there is no {', '.join(missing)}. Give these columns, too."
            )
        wanted = transactions.select(names).take(pa.array(numbers, pa.int64()))
        return [tuple(row.values()) for row in wanted.cast(contract.transaction_schema).to_pylist()]

    features, amounts = contract.feature_matrix(transactions), contract.amounts(transactions)
    return assess_numbers(features, amounts, bundle, rows_of)


def assess_numbers(
    features: Matrix, amounts: Floats, bundle: Bundle, rows_of: RowsOf
) -> Assessment:
    """`assess` for who has the numbers of its transactions already.

    Args:
        features: float32, shape (rows, features), as `Contract.feature_matrix` gives.
        amounts: In the contract's unit, shape (rows,).
        bundle: The model and its policy.
        rows_of: Gives the values of some rows, where that decides which are explored.
    """
    scores, inner = bundle.scored(features)
    not_approved, blocked = bundle.manifest.policy.thresholds(amounts)
    codes = decision_codes(scores, not_approved, blocked)
    propensities = explore(codes, rows_of, bundle)
    version = bundle.manifest.version
    return Assessment(scores, codes, not_approved, version, features, propensities, inner)


def as_history(transactions: pa.Table, assessment: Assessment, contract: Contract) -> pa.Table:
    """Transactions in the history's own columns, alerts marked in the place of the label.

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
    decided = pa.array(assessment.is_alert).cast(label.arrow_type)
    columns = [
        decided if column == label else transactions.column(column.name)
        for column in contract.columns
    ]
    return pa.Table.from_arrays(columns, schema=contract.history_schema)
