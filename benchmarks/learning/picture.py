"""One picture: average precision of each day, frozen against learning, and when it was promoted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.alarms_handbook import Stream
from benchmarks.learning import told
from benchmarks.learning.changes import JUDGED, follow_change
from benchmarks.learning.follow import CHAMPION, FROZEN
from benchmarks.learning.kept import Kept
from benchmarks.learning.quiet import seeds_told
from benchmarks.learning.runs import FINE_TUNED
from benchmarks.learning.streams import CHANGE_AFTER, CHANGES, changed
from benchmarks.learning.world import Floats
from matplotlib.figure import Figure

from fraudline.training.charts import BLUE, GREY, ORANGE, as_png

TITLE = "Learning from late labels: a picture"
PICTURE = Path(__file__).parent / "learning.png"
SMOOTHED_DAYS = 3


def measure(stream: Stream, recipe: str, seeds: range, kept: Kept) -> list[str]:
    """Draw each change, with the first seed."""
    first = seeds[:1]
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True).ravel()
    for ax, change in zip(axes, CHANGES, strict=True):
        found = follow_change(stream, change, FINE_TUNED, recipe, first[0], kept)
        streamed = changed(stream, JUDGED, change)
        day = np.arange(streamed.period[-1] + 1) - CHANGE_AFTER
        for way, line, color, name in (
            (FROZEN, "-", BLUE, "frozen"),
            (CHAMPION, "-", ORANGE, "the champion by the gate"),
        ):
            reached, frauds = told.precisions(streamed, found["scores"][:, way])
            ax.plot(day, smoothed(reached, frauds), line, color=color, label=name)
        for number, promoted in enumerate(found["promoted"]):
            ax.axvline(
                promoted - CHANGE_AFTER,
                color=ORANGE,
                linestyle=":",
                linewidth=1,
                label="promoted" if number == 0 else None,
            )
        ax.axvline(0, color=GREY, linestyle="--", linewidth=1, label="the change")
        ax.set(
            title=f"{change}: {CHANGES[change].partition(':')[0].partition(':')[0]}", ylim=(0, 1)
        )
    for ax in axes[2:]:
        ax.set(xlabel="days after the change")
    for ax in axes[::2]:
        ax.set(ylabel=f"average precision, {SMOOTHED_DAYS} days")
    axes[0].legend(frameon=False)
    PICTURE.write_bytes(as_png(figure))
    return [
        f"Recipe `{recipe}`, {seeds_told(first)}, fine-tuning. Average precision within days, the "
        f"mean over the frauds of {SMOOTHED_DAYS} days, of the frozen model and of the champion "
        "that the gate made. Both are calibrated daily, which changes no order.",
        f"![Average precision by day, frozen and learning, in four changes]({PICTURE.parent.name}"
        f"/{PICTURE.name})",
    ]


def smoothed(reached: Floats, frauds: np.ndarray) -> Floats:
    """The mean over the frauds of each day and the ones before it; shorter at the beginning."""
    ones = np.ones(SMOOTHED_DAYS)
    sums = np.convolve(reached * frauds, ones)[: len(reached)]
    return np.asarray(sums / np.maximum(np.convolve(frauds, ones)[: len(reached)], 1))
