"""What the part that judges tells of a model beyond its threshold: alerts, days, reliability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.measures.alerts import Budget, Day, measure_budgets, measure_days
from fraudline.measures.days import days_covered
from fraudline.measures.drawn_rows import repeated
from fraudline.measures.reliability import Reliability, measure_reliability, without_prior_shift
from fraudline.measures.scored_rows import one_in_of
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.split import Split


@dataclass(frozen=True)
class ModelQuality:
    """How the part that judges came out.

    Attributes:
        budgets: Precision and recall by alerts a day.
        days: Each day alone.
        covered_days: From the first to the last event; see `days_covered`.
        corrected: Scores without what balancing did to the prior, shape (rows,); None where
            scores are calibrated.
        before_and_after: Reliability of the scores, and of the corrected ones if there are any.
    """

    budgets: list[Budget]
    days: list[Day]
    covered_days: float
    corrected: npt.NDArray[np.float64] | None
    before_and_after: list[Reliability]


def measure_model_quality(
    recipe: Recipe, split: Split, fraud_share: float, rows: pa.Table
) -> ModelQuality:
    """Measure the part that judges.

    Args:
        recipe: How the model was trained.
        split: Of the history.
        fraud_share: Share of frauds among the payments of the stream.
        rows: Scored rows with columns `part`, `event_s`, `score` and `label`.
    """
    judged = rows.filter(pc.equal(rows.column("part"), split.judged_by))
    label, event_s, score = repeated(
        judged.column("label").to_numpy(),
        one_in_of(rows),
        *(judged.column(name).to_numpy() for name in ("event_s", "score")),
    )
    corrected = None
    if recipe.learned_share is not None:
        corrected = without_prior_shift(score, recipe.learned_share, fraud_share)
    versions = [score] if corrected is None else [score, corrected]
    return ModelQuality(
        measure_budgets(event_s, label, score),
        measure_days(event_s, label, score),
        days_covered(event_s),
        corrected,
        [measure_reliability(label, each) for each in versions],
    )
