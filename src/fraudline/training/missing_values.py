"""What it says of a payment that a value is missing: of each feature that may be null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fraudline.contract import Contract
from fraudline.contract.array_types import Labels, Matrix
from fraudline.measures.rate_ratio import Apart, absence_words, set_apart
from fraudline.training.levels import LEAST_ROWS


@dataclass(frozen=True)
class MissingValues:
    """Nulls of a feature in the train part.

    Attributes:
        name: Of the feature.
        rows: In how many rows it is null.
        apart: Those rows beside the others.
        is_learned: Whether the network has a flag of them.
    """

    name: str
    rows: int
    apart: Apart
    is_learned: bool


def measure_missing_values(
    contract: Contract,
    features: Matrix,
    labels: Labels,
    fraud_share: float,
    flags: tuple[int, ...],
) -> list[MissingValues]:
    """Look at each feature that may be null.

    Args:
        contract: What a transaction looks like.
        features: Of the train part.
        labels: Likewise.
        fraud_share: Share of frauds among payments; legitimate rows may be a draw.
        flags: Features whose nulls the network is told.
    """
    is_null = np.isnan(features)
    return [
        MissingValues(
            contract.features[at],
            int(is_null[:, at].sum()),
            set_apart(is_null[:, at], labels, fraud_share),
            at in flags,
        )
        for at in np.flatnonzero(contract.may_be_null).tolist()
    ]


def told_nulls(
    features: Matrix, labels: Labels, contract: Contract, fraud_share: float
) -> list[str]:
    """Sentences on nulls of the train part: what they say of fraud, or why nothing is learned.

    Args:
        features: Of the train part.
        labels: Likewise.
        contract: What a transaction looks like.
        fraud_share: As for `measure_missing_values`.
    """
    told = []
    for each in measure_missing_values(contract, features, labels, fraud_share, ()):
        there = len(labels) - each.rows
        if min(each.rows, there) < LEAST_ROWS:
            told.append(
                f"column '{each.name}' may be null, and {'is' if each.rows < there else 'is not'} "
                f"in {min(each.rows, there):,} rows of the train part: too few to learn from, so a "
                "null of it counts as its mean"
            )
        elif each.apart.ratio is not None:
            told.append(f"column '{each.name}' {absence_words(each.apart.ratio)}")
    return told
