"""What MLflow's first page shows of each version without a click.

MLflow's table of runs has no column of a figure unless somebody asks for one, and a version has
some sixty figures. So two of them are kept under names of their own, of the part that judges: the
test part, or the validation part where there is none. A view with columns for them is saved where
MLflow saves the views that people share.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fraudline.bundle.bundle_files import SCORES_FILE
from fraudline.bundle.manifest import Manifest
from fraudline.bundle.policy import decision_codes

AVERAGE_PRECISION, COST = "average_precision", "cost"

VIEW = "fraudline"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"

_JUDGES = ("test", "validation")


def judging_part(manifest: Manifest) -> str:
    """The part that judges a version; empty if it has none."""
    return next((name for name in _JUDGES if name in manifest.parts), "")


def judged_figures(directory: Path, manifest: Manifest) -> dict[str, float]:
    """The figures of the part that judges, by the names of their columns.

    Args:
        directory: The version's.
        manifest: The version's.

    Returns:
        Average precision, and what the policy's decisions cost in its unit, rounded so that
        they can be read in a column; without what the version does not have.
    """
    part = judging_part(manifest)
    figures: dict[str, float] = {}
    if part and AVERAGE_PRECISION in manifest.parts[part].metrics:
        figures[AVERAGE_PRECISION] = round(manifest.parts[part].metrics[AVERAGE_PRECISION], 4)
    if part and (directory / SCORES_FILE).exists():
        figures[COST] = round(_cost(directory / SCORES_FILE, manifest, part), 2)
    return figures


def in_words(manifest: Manifest, figures: dict[str, float]) -> str:
    """The figures in one sentence with their unit; empty if there are none."""
    told = []
    if AVERAGE_PRECISION in figures:
        told.append(f"an average precision of {figures[AVERAGE_PRECISION]:.3f}")
    if COST in figures:
        told.append(f"decisions that cost {figures[COST]:,.2f} {manifest.policy.unit}".rstrip())
    return f"On its {judging_part(manifest)} part: {', '.join(told)}." if told else ""


def view(created_at_ms: int) -> str:
    """The view as MLflow stores it: a run's name and time, the two figures, the recipe."""
    columns = [
        f"metrics.`{AVERAGE_PRECISION}`",
        f"metrics.`{COST}`",
        "params.`recipe`",
    ]
    return _json(
        {
            "name": VIEW,
            "createdAt": created_at_ms,
            "updatedAt": created_at_ms,
            "state": _json({"selectedColumns": columns}),
        }
    )


def _cost(scores: Path, manifest: Manifest, part: str) -> float:
    rows = pq.read_table(scores)
    rows = rows.filter(pc.equal(rows.column("part"), part))
    score, amount, label = (rows.column(name).to_numpy() for name in ("score", "amount", "label"))
    decided = decision_codes(score, *manifest.policy.thresholds(amount))
    return float(manifest.policy.costs(decided, label, amount).sum())


def _json(content: object) -> str:
    return msgspec.json.encode(content).decode()
