"""The pictures of a report, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import precision_recall_curve

from fraudline.bundle.policy import score_text
from fraudline.contract.array_types import Floats, Labels
from fraudline.measures.evaluation import Evaluation

if TYPE_CHECKING:  # TensorFlow comes with it
    from fraudline.training.fitted import Checkpoint

BLUE, ORANGE, GREY = "#2166ac", "#b35806", "#6b7280"
BINS = 40
GROUPS = 8


@dataclass(frozen=True)
class Moment:
    """Something that happened while time went by.

    Attributes:
        at: When, in the unit of the picture.
        what: In a few words.
    """

    at: float
    what: str


def learning_curves(checkpoints: list[Checkpoint]) -> bytes:
    """Loss, and average precision on validation where there is any, by steps."""
    numbers = [each.steps for each in checkpoints]
    validation = [each for each in checkpoints if each.validation_loss is not None]
    figure = Figure(figsize=(9 if validation else 5, 3.6), layout="constrained")
    axes = figure.subplots(1, 2 if validation else 1, squeeze=False)[0]
    axes[0].plot(numbers, [e.train_loss for e in checkpoints], "o-", color=BLUE, label="train")
    axes[0].set(title="Cross-entropy", xlabel="steps", yscale="log")
    if validation:
        losses = [each.validation_loss for each in validation]
        axes[0].plot(numbers, losses, "s--", color=ORANGE, label="validation")
        precisions = [each.validation_average_precision for each in validation]
        axes[1].plot(numbers, precisions, "s--", color=ORANGE)
        axes[1].set(title="Average precision on validation", xlabel="steps")
    axes[0].legend(frameon=False)
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return as_png(figure)


def confusion_matrix(evaluation: Evaluation) -> bytes:
    """The four counts, each coloured by its share of its row."""
    counts = np.array(
        [
            [evaluation.legitimate_approved, evaluation.legitimate_stopped],
            [evaluation.frauds_missed, evaluation.frauds_caught],
        ]
    )
    shares = counts / counts.sum(axis=1, keepdims=True)
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    ax = figure.subplots()
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        ax.text(
            column,
            row,
            f"{count:,}\n{100 * share:.2f} %",
            ha="center",
            va="center",
            fontsize=12,
            color="white" if share > 0.5 else "black",
        )
    ax.set_xticks([0, 1], ["below", "at or above"])
    ax.set_yticks([0, 1], ["legitimate", "fraud"])
    ax.set(title="Confusion matrix", xlabel="threshold", ylabel="label")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return as_png(figure)


def precision_recall(
    labels: Labels, scores: Floats, evaluation: Evaluation, threshold: float
) -> bytes:
    """Precision against recall, with the threshold of the figures."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    ax = figure.subplots()
    ax.step(recall, precision, where="post", color=BLUE)
    ax.plot(
        evaluation.recall,
        evaluation.precision,
        "o",
        color=ORANGE,
        label=f"threshold {score_text(threshold)}",
    )
    base = evaluation.frauds / evaluation.rows
    ax.axhline(base, color=GREY, linestyle=":", label=f"share of frauds, {100 * base:.2f} %")
    ax.set(
        title=f"Precision and recall (AP {evaluation.average_precision:.3f})",
        xlabel="recall",
        ylabel="precision",
        xlim=(0, 1.02),
        ylim=(0, 1.02),
    )
    ax.legend(frameon=False, loc="lower left")
    return as_png(figure)


def score_distribution(
    labels: Labels, scores: Floats, threshold: float, corrected: Floats | None
) -> bytes:
    """How many of each class have which score, and how often a score came true."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    bins = np.linspace(0, 1, BINS + 1)
    left.hist(scores[labels == 0], bins=bins, color=BLUE, alpha=0.6, label="legitimate")
    left.hist(scores[labels == 1], bins=bins, color=ORANGE, alpha=0.7, label="fraud")
    left.axvline(threshold, color=GREY, linestyle="--", label=f"threshold {score_text(threshold)}")
    left.set(title="Scores", xlabel="score", ylabel="transactions", yscale="log")
    left.legend(frameon=False)
    right.plot([1e-5, 1], [1e-5, 1], color=GREY, linestyle=":", label="perfectly calibrated")
    name = "as the network gives them" if corrected is not None else "scores"
    _reliability(right, labels, scores, "o-", BLUE, name)
    if corrected is not None:
        _reliability(right, labels, corrected, "s--", ORANGE, "without the shifted prior")
    right.set(
        title="Reliability",
        xlabel="mean score of the group",
        ylabel="share of frauds in the group",
        xscale="log",
        yscale="log",
    )
    right.legend(frameon=False)
    return as_png(figure)


def precision_over_time(
    times: Sequence[float],
    frozen: Sequence[float | None],
    decided: Sequence[float | None],
    moments: Sequence[Moment],
    *,
    unit: str,
) -> bytes:
    """Average precision of each period: of what decided, beside a model that never learned.

    Args:
        times: The middle of each period.
        frozen: Of the model that stays as it was; None where there was no fraud.
        decided: Of the scores that were given at the time, likewise.
        moments: What happened, and when.
        unit: Of the times, for the axis.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    ax = figure.subplots()
    for values, line, color, name in (
        (frozen, "s--", GREY, "as it was trained at first"),
        (decided, "o-", BLUE, "what decided, learning"),
    ):
        known = [(at, value) for at, value in zip(times, values, strict=True) if value is not None]
        ax.plot(*zip(*known, strict=True), line, color=color, label=name)
    for moment in moments:
        ax.axvline(moment.at, color=ORANGE, linestyle=":")
        ax.annotate(
            moment.what,
            (moment.at, 1.03),
            rotation=20,
            color=ORANGE,
            xycoords=("data", "axes fraction"),
            annotation_clip=False,
        )
    ax.set(xlabel=unit, ylabel="average precision within the period", ylim=(0, 1.02))
    ax.legend(frameon=False, loc="best")
    return as_png(figure)


def _reliability(
    ax: Axes, labels: Labels, scores: Floats, line: str, color: str, name: str
) -> None:
    """Mean score against the share of frauds, in groups of like scores with equal frauds."""
    order = np.argsort(scores, kind="stable")
    caught = labels[order].cumsum()
    group = np.minimum((caught - labels[order]) * GROUPS // caught[-1], GROUPS - 1)
    sizes = np.bincount(group, minlength=GROUPS)
    mean = np.bincount(group, scores[order], GROUPS) / np.maximum(sizes, 1)
    share = np.bincount(group, labels[order], GROUPS) / np.maximum(sizes, 1)
    ax.plot(mean[sizes > 0], share[sizes > 0], line, color=color, label=name)


def as_png(figure: Figure) -> bytes:
    """The bytes of a picture, the same for the same picture; of its frames, top and right go."""
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    # Without matplotlib's own name and version: the same picture is the same bytes.
    figure.savefig(file, format="png", dpi=130, metadata={"Software": None})
    return file.getvalue()
