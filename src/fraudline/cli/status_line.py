"""How a running loop is seen on the screen: a line now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fraudline.cli.screen import say
from fraudline.settings import MetricsSettings
from fraudline.stream.counts import Task
from fraudline.stream.health import assess_health
from fraudline.stream.progress import Progress

_EVERY_S = 5.0
_WORDS = {Task.SCORE: "decided", Task.SINK: "stored"}


@contextmanager
def status_lines(progress: Progress, settings: MetricsSettings) -> Iterator[None]:
    """A line every few seconds while something moves, waits or stalls, and one at the end."""
    line = _Line(progress, settings.stalled_after_s)
    over = threading.Event()

    def run() -> None:
        while not over.wait(_EVERY_S):
            line.show(only_news=True)

    writer = threading.Thread(target=run, daemon=True)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()
        line.show()


class _Line:
    """The line, and what the last one said."""

    def __init__(self, progress: Progress, stalled_after_s: float) -> None:
        self._progress = progress
        self._stalled_after_s = stalled_after_s
        self._count = 0
        self._shown_at = time.monotonic()
        self._was_healthy = False

    def show(self, *, only_news: bool = False) -> None:
        """Print it; or only if something happened since, or should have."""
        state = self._progress.snapshot()
        now = time.monotonic()
        health = assess_health(state, now, self._stalled_after_s)
        done, rejected = state.done, state.rejected.total()
        moved = done + rejected - self._count
        rate = moved / max(now - self._shown_at, 1e-9)
        if only_news and not moved and health.is_healthy and self._was_healthy:
            return
        words = f"{done:,} {_WORDS[state.task]}, {rejected:,} rejected, {rate:,.0f}/s"
        if health.waiting:
            words += f", {health.waiting:,} wait"
        if not health.is_healthy:
            words += f"; no progress: {health.reason}"
        model = state.model
        if model is not None and model.rollout is not None and model.rollout_fault is None:
            words += f"; {model.rollout} decides {100 * model.rollout_share:g} %"
        if model is not None and model.fault is not None:
            words += f"; {model.fault}"
        say(words)
        self._count, self._shown_at, self._was_healthy = done + rejected, now, health.is_healthy
