"""The report: one page that stands by itself, and its pictures as files."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fraudline.bundle.bundle_files import REPORT_FILE
from fraudline.bundle.manifest import Manifest
from fraudline.bundle.policy import score_text
from fraudline.contract import Contract
from fraudline.measures.bootstrap import RESAMPLES
from fraudline.measures.drawn_rows import repeated
from fraudline.measures.evaluation import Evaluation
from fraudline.measures.policy_effect import PolicyEffect, money, percent
from fraudline.measures.reliability import BINS
from fraudline.training.categories import CategoryLevels
from fraudline.training.faithfulness import TOP, Faith
from fraudline.training.fitted import Checkpoint
from fraudline.training.importance import MOST_ROWS, Importance
from fraudline.training.levels import LEAST_ROWS
from fraudline.training.missing_values import MissingValues
from fraudline.training.model_quality import ModelQuality
from fraudline.training.pages import PAGES
from fraudline.training.reason_files import Example
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.split import Rows, Split
from fraudline.training.trees import BesideTrees

MOST_TOLD = 15
"""Of so many features the page tells how far they move scores; `metrics.json` has all."""


@dataclass(frozen=True)
class TrainingResult:
    """What training gave, row by row and in sum; the report is a view of it.

    Attributes:
        split: Row numbers of each part.
        labels: Of every row of the history.
        scores: Of every row of the history.
        evaluations: By part.
        settings: What was trained with, by name.
        checkpoints: In order.
        twins: Rows of the part that judges with an exact twin in another part.
        faith: Of the reasons for alerts; None without an alert.
        examples: Some alerts and their reasons.
        quality: Of the part that judges.
        effect: Of the policy, on the part that judges.
        comparison: With boosted trees, if there were any.
        missing: Of each feature that may be null, in the train part.
        categories: Of each category, likewise.
        importance: Of each feature, on the part that judges, the greatest first.
    """

    split: Split
    labels: npt.NDArray[np.int8]
    scores: npt.NDArray[np.float64]
    evaluations: dict[str, Evaluation]
    settings: dict[str, object]
    checkpoints: list[Checkpoint]
    twins: Rows
    faith: Faith | None
    examples: list[Example]
    quality: ModelQuality
    effect: PolicyEffect
    comparison: BesideTrees | None
    offered: str | None
    missing: list[MissingValues]
    categories: list[CategoryLevels]
    importance: list[Importance]


def write_report(
    directory: Path, manifest: Manifest, contract: Contract, recipe: Recipe, result: TrainingResult
) -> None:
    """Write `report.html` and its pictures into the directory.

    A version that goes on from another has the page without pictures: there is one for each
    period, and drawing them took a tenth of what it costs. Its numbers are all there.
    """
    judged_by = result.split.judged_by
    evaluation = result.evaluations[judged_by]
    pictures = {} if manifest.learned else _pictures(manifest, result)
    for name, content in pictures.items():
        (directory / name).write_bytes(content)
    page = PAGES.get_template("report.html.jinja").render(
        manifest=manifest,
        recipe=recipe,
        settings=result.settings,
        comparison=result.comparison,
        offered=result.offered,
        is_forest=recipe.fit is not None,
        unit=contract.amount_unit,
        judged_by=judged_by,
        evaluation=evaluation,
        effect=result.effect,
        checkpoints=result.checkpoints,
        money=money,
        score_text=score_text,
        faith=result.faith,
        examples=result.examples,
        pictures={name: base64.b64encode(content).decode() for name, content in pictures.items()},
        twins=len(result.twins),
        fraud_twins=int(result.labels[result.twins].sum()),
        is_random=result.split.is_random,
        has_time=contract.event_time is not None,
        quality=result.quality,
        missing=result.missing,
        categories=result.categories,
        importance=result.importance[:MOST_TOLD],
        of_importance=MOST_ROWS,
        percent=percent,
        least_rows=LEAST_ROWS,
        resamples=RESAMPLES,
        bins=BINS,
        top=TOP,
        day_name=lambda number: _day_name(contract, number),
    )
    (directory / REPORT_FILE).write_text(page, encoding="utf-8")


def _pictures(manifest: Manifest, result: TrainingResult) -> dict[str, bytes]:
    from fraudline.training import charts  # noqa: PLC0415 - brings matplotlib

    judged_by = result.split.judged_by
    rows = result.split.parts[judged_by]
    labels, scores = repeated(result.labels[rows], manifest.source.one_in, result.scores[rows])
    evaluation = result.evaluations[judged_by]
    return {
        "learning_curves.png": charts.learning_curves(result.checkpoints),
        "confusion_matrix.png": charts.confusion_matrix(evaluation),
        "pr_curve.png": charts.precision_recall(labels, scores, evaluation, manifest.threshold),
        "score_distribution.png": charts.score_distribution(
            labels, scores, manifest.threshold, result.quality.corrected
        ),
    }


def _day_name(contract: Contract, number: int) -> str:
    """A date where event times are dates, else the day's number, counted from 1."""
    if contract.has_timestamps:
        return (dt.date(1970, 1, 1) + dt.timedelta(days=number)).isoformat()
    return f"day {number + 1}"
