"""What MLflow's first page shows of each version without a click.

MLflow's table of runs has no column of a figure unless somebody asks for one, and a version has
some eighty figures. So three of them are kept under names of their own, of the part that judges:
the test part, or the validation part where there is none. Two of them are what the policy does,
one is of the scores; none is of a threshold that decides nothing. A view with columns for them is
saved where MLflow saves the views that people share.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from fraudline.bundle.bundle_files import SCORES_FILE
from fraudline.bundle.manifest import Manifest
from fraudline.measures.policy_effect import PolicyEffect, measure_effect
from fraudline.measures.scored_rows import judging_rows

STOPPED, COST = "legitimate_stopped_share", "cost"
AVERAGE_PRECISION = "average_precision"

VIEW = "fraudline"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"

_JUDGES = ("test", "validation")


def judging_part(manifest: Manifest) -> str:
    """The part that judges a version; empty if it has none."""
    return next((name for name in _JUDGES if name in manifest.parts), "")


def judged_effect(directory: Path, manifest: Manifest) -> PolicyEffect | None:
    """What a version's policy does; None where the version keeps no scored rows."""
    scores = directory / SCORES_FILE
    if not scores.exists():
        return None
    return measure_effect(manifest.policy, judging_rows(pq.read_table(scores)))


def judged_figures(manifest: Manifest, effect: PolicyEffect | None) -> dict[str, float]:
    """The figures of the part that judges, by the names of their columns.

    Args:
        manifest: The version's.
        effect: Of its policy, if it is known.

    Returns:
        The share of legitimate payments that are stopped, what the policy's decisions cost in
        its unit, and average precision, rounded so that they can be read in a column; without
        what the version does not have.
    """
    part = judging_part(manifest)
    figures: dict[str, float] = {}
    if effect is not None:
        figures[STOPPED] = float(f"{effect.legitimate_stopped_share:.3g}")
        figures[COST] = round(effect.cost, 2)
    if part and AVERAGE_PRECISION in manifest.parts[part].metrics:
        figures[AVERAGE_PRECISION] = round(manifest.parts[part].metrics[AVERAGE_PRECISION], 4)
    return figures


def in_words(manifest: Manifest, effect: PolicyEffect | None) -> str:
    """What the policy does, then how well the scores rank; in Markdown, and may be empty."""
    told = [f"- **{name}** {text}" for name, text in effect.facts()] if effect else []
    part = judging_part(manifest)
    if part and AVERAGE_PRECISION in manifest.parts[part].metrics:
        precision = manifest.parts[part].metrics[AVERAGE_PRECISION]
        told.append(f"- **scores** average precision of {precision:.3f} on the {part} part")
    return "\n".join(told)


def view(created_at_ms: int) -> str:
    """The view as MLflow stores it: a run's name and time, the three figures, the recipe."""
    columns = [
        f"metrics.`{STOPPED}`",
        f"metrics.`{COST}`",
        f"metrics.`{AVERAGE_PRECISION}`",
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


def _json(content: object) -> str:
    return msgspec.json.encode(content).decode()
