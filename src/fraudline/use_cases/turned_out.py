"""Decisions with labels as Arrow columns, to arrays that a measure takes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.bundle.bundle_files import read_manifest
from fraudline.bundle.policy import Policy
from fraudline.contract import APPROVED, DECISIONS, FRAUD
from fraudline.contract.array_types import DecisionCodes, Flags, Floats
from fraudline.errors import BundleError, InputError
from fraudline.measures.prequential import TurnedOut
from fraudline.use_cases.project import Project
from fraudline.warehouse.explored import PROPENSITY

_LOG = logging.getLogger(__name__)
NEEDED = (
    *("score", "decision", "model_version", "decided_at"),
    *("label", "label_arrived_at", "is_fraud"),
)
"""What is read of each decision, beside the transaction's amount."""


def versions_of(piece: pa.RecordBatch) -> set[str]:
    """The versions that decided."""
    return set(pc.unique(piece.column("model_version")).to_pylist())


def policies_of(project: Project, versions: Iterable[str]) -> dict[str, Policy | None]:
    """By what costs versions decided; None, and a line in the log, of those that are not here."""
    found: dict[str, Policy | None] = {}
    for version in sorted(versions):
        try:
            found[version] = read_manifest(project.registry.path(version)).policy
        except (BundleError, InputError) as error:
            _LOG.warning("the costs of decisions of %s are not counted: %s", version, error)
            found[version] = None
    return found


def frauds_of(piece: pa.RecordBatch) -> tuple[Floats, DecisionCodes]:
    """Scores and decision codes of those rows that a label calls fraud, shape (frauds,) each."""
    frauds = piece.filter(pc.equal(piece.column("label"), FRAUD))
    return floats(frauds.column("score")), codes_of(frauds)


def turned_out(
    piece: pa.RecordBatch, amount: str | None, policies: Mapping[str, Policy | None]
) -> TurnedOut:
    """How decisions turned out, as `decisions_with_labels` gives them.

    Args:
        piece: The columns of `NEEDED`, the amount's, and those of `explored_columns`.
        amount: Name of the amount's column, if there is one.
        policies: By the version that decided; of others, and of None, no cost is known.
    """
    codes, amounts = codes_of(piece), amounts_of(piece, amount)
    is_fraud = flags(pc.equal(piece.column("label"), FRAUD))
    waited = pc.subtract(piece.column("label_arrived_at"), piece.column("decided_at"))
    costs, costs_of_approving = (np.full(len(codes), np.nan) for _ in range(2))
    approved = np.full_like(codes, APPROVED)
    for version, policy in policies.items():
        rows = flags(pc.equal(piece.column("model_version"), version))
        if policy is not None and rows.any():
            of = is_fraud[rows].astype(np.int8), amounts[rows]
            costs[rows] = policy.costs(codes[rows], *of)
            costs_of_approving[rows] = policy.costs(approved[rows], *of)
    is_told = flags(pc.is_valid(piece.column("label")))
    is_hidden = np.zeros(len(codes), np.bool_)
    if PROPENSITY in piece.schema.names:
        is_hidden = flags(pc.is_valid(piece.column(PROPENSITY))) & ~is_told
    return TurnedOut(
        scores=floats(piece.column("score")),
        codes=codes,
        is_fraud=is_fraud,
        is_told=is_told,
        is_open=flags(pc.is_null(piece.column("is_fraud"))),
        delays_s=floats(waited.cast(pa.int64())) / 1e6,
        is_hidden=is_hidden,
        costs=costs,
        costs_of_approving=costs_of_approving,
    )


def codes_of(piece: pa.RecordBatch) -> DecisionCodes:
    """What was decided, as places in `DECISIONS`."""
    places = pc.index_in(piece.column("decision"), pa.array(DECISIONS))
    return np.asarray(places.to_numpy(zero_copy_only=False), dtype=np.int8)


def floats(values: pa.Array) -> Floats:
    """A column of numbers, with NaN for null."""
    return np.asarray(
        values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64
    )


def amounts_of(piece: pa.RecordBatch, amount: str | None) -> Floats:
    """The amounts in a column; 0 where there is none, as `Contract.amounts` has it."""
    return np.zeros(piece.num_rows) if amount is None else floats(piece.column(amount))


def flags(values: pa.Array) -> Flags:
    """A column of truth values, with false for null."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
