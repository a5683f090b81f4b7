"""The state of a loop as Prometheus metrics, made when they are scraped.

Names follow Prometheus' conventions: base units, `_total` for counters. All are listed in
`docs/reference/metrics.md`; a test holds the list to this module.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fraudline.stream.counts import Task
from fraudline.stream.durations import BOUNDS_S, DurationHistogram
from fraudline.stream.health import assess_health
from fraudline.stream.progress import RECALLED, LoopState, Progress
from fraudline.stream.served_model import ServedModel

JUDGED = {
    "decisions": "Payments",
    "frauds": "Payments that a label calls fraud",
    "immature_share": "Share of the payments that may still be told to be frauds",
    "average_precision": "Average precision",
    "precision": "Share of frauds among the alerts that could be looked at",
    "recall": "Share of the frauds among those alerts",
    "log_loss": "Log loss of the scores, in nats",
    "saved": "What was saved against approving everything, in the unit of the costs",
}
"""Figures of a judged period that are served, by the attributes of `PeriodMeasures`."""


class LoopCollector(Collector):
    """Metrics of one loop.

    Args:
        progress: Where the loop reports its state.
        stalled_after_s: See `fraudline.stream.health`.
    """

    def __init__(self, progress: Progress, stalled_after_s: float) -> None:
        self._progress = progress
        self._stalled_after_s = stalled_after_s
        self._info = {"task": progress.task, "version": version("fraudline")}

    def collect(self) -> Iterator[Metric]:
        """All metrics, as of now; every one has the label `task`."""
        state = self._progress.snapshot()
        task = state.task
        decides = {} if state.model is None else {"model_version": state.model.version}
        yield InfoMetricFamily("fraudline_build", "What runs here.", value=self._info | decides)
        yield from _outcomes(state)
        if state.model is not None:
            yield from model_metrics(task, state.model)
        yield counter_metric(
            "fraudline_failures", "Sessions that ended with a failure, by the side that failed.",
            task, "kind", asdict(state.failures).items(),
        )  # fmt: skip
        yield histogram_metric(
            "fraudline_latency_seconds",
            "From a message's own time stamp until its outcome was committed or stored.",
            [({"task": task}, state.latencies)],
        )
        yield histogram_metric(
            "fraudline_step_seconds",
            "Duration of each step of the loop; a batch takes each step once.",
            [({"task": task, "step": name}, spent) for name, spent in state.steps.items()],
        )
        yield from self._state(state)

    def _state(self, state: LoopState) -> Iterator[Metric]:
        task, now = state.task, time.monotonic()
        health = assess_health(state, now, self._stalled_after_s)
        lag = GaugeMetricFamily(
            "fraudline_consumer_lag_messages",
            "Offsets of a partition still to be processed, at most a second ago.",
            labels=["task", "topic", "partition"],
        )
        for (topic, partition), count in state.waiting_messages().items():
            lag.add_metric([task, topic, str(partition)], count)
        yield lag
        for name, meaning, value in (
            ("is_healthy", "1 if GET /health answers 200.",
             health.is_healthy),
            ("is_waiting", "1 while the loop cannot continue until something outside changes.",
             state.waits_for is not None),
            ("appends_in_flight", "Appends that BigQuery has not answered yet.",
             state.appends_in_flight),
            ("last_progress_timestamp_seconds",
             "When every partition was last known to progress or to have nothing to do.",
             max(0.0, time.time() - health.silent_s)),
        ):  # fmt: skip
            gauge = GaugeMetricFamily(f"fraudline_{name}", meaning, labels=["task"])
            gauge.add_metric([task], float(value))
            yield gauge


def model_metrics(task: str, model: ServedModel) -> Iterator[Metric]:
    """What is known of the model that decides."""
    for name, meaning, count in (
        ("swaps", "Champions that took over while this process ran.", model.swaps),
        ("refusals", "Champions that could not be opened, so that another decided on.",
         model.refusals),
    ):  # fmt: skip
        counter = CounterMetricFamily(f"fraudline_model_{name}", meaning, labels=["task"])
        counter.add_metric([task], count)
        yield counter
    for name, meaning, value in (
        ("model_is_refused", "1 while the champion cannot be opened and another decides on.",
         model.refused is not None),
        ("champion_read_timestamp_seconds", "When it was last read who the champion is.",
         model.read_at),
        ("challengers", "Versions that score beside the champion and decide nothing.",
         len(model.challengers)),
        ("challengers_refused", "Live challengers that do not score, because they cannot.",
         len(model.challenger_faults)),
        ("rollout_share", "Share of the transactions that another version is to decide.",
         model.rollout_share),
        ("rollout_is_refused", "1 while that version cannot be opened, or it is not known whether "
         "there is one, and the champion decides.", model.rollout_fault is not None),
        ("following_has_failed", "1 while it cannot be looked at which versions are to be used.",
         model.following_fault is not None),
        ("explore_share", "Share of what would be blocked that is reviewed instead.",
         model.explore_share),
    ):  # fmt: skip
        gauge = GaugeMetricFamily(f"fraudline_{name}", meaning, labels=["task"])
        gauge.add_metric([task], float(value))
        yield gauge


def _outcomes(state: LoopState) -> Iterator[Metric]:
    if state.task is Task.SINK:
        yield counter_metric(
            "fraudline_rows_stored", "Rows that BigQuery has acknowledged to this process.",
            state.task, "table", state.stored.items(),
        )  # fmt: skip
        yield counter_metric(
            "fraudline_messages_rejected", "Messages that no table can hold.",
            state.task, "reason", state.rejected.items(),
        )  # fmt: skip
        return
    if state.task is Task.LEARN:
        yield counter_metric(
            "fraudline_periods_done", "Periods that were done, each as often as it was looked at.",
            state.task, "step", state.learned.items(),
        )  # fmt: skip
        alarms = GaugeMetricFamily(
            "fraudline_alarms",
            "Alarms of the last period that was watched, by what was looked at.",
            labels=["task", "detector"],
        )
        for detector, count in state.alarms.items():
            alarms.add_metric([state.task, detector], count)
        yield alarms
        yield from _judged(state)
        return
    for name, meaning, count in (
        ("decided", "Transactions with a committed decision.", state.decided.total),
        ("blocked", "Those of them that were blocked.", state.decided.blocked),
        ("reviewed", "Those of them that a person has to look at.", state.decided.reviewed),
        ("cut", "Those of them with something that the contract ignores.", state.cut),
    ):
        counter = CounterMetricFamily(f"fraudline_transactions_{name}", meaning, labels=["task"])
        counter.add_metric([state.task], count)
        yield counter
    yield counter_metric(
        "fraudline_decisions_recalled",
        "Earlier decisions read back, by how much is known of them.",
        state.task, "known", [(kind, state.recalled.get(kind, 0)) for kind in RECALLED],
    )  # fmt: skip
    yield counter_metric(
        "fraudline_transactions_rejected", "Messages that could not be decoded or scored.",
        state.task, "reason", state.rejected.items(),
    )  # fmt: skip


def _judged(state: LoopState) -> Iterator[Metric]:
    """Of the first look, which each period has at one age: a later one knows more labels."""
    for name, meaning in JUDGED.items():
        gauge = GaugeMetricFamily(
            f"fraudline_judged_{name}",
            f"{meaning}, in the last period that was judged for the first time.",
            labels=["task", "part"],
        )
        for part, figures in state.judged.items():
            if name in figures:
                gauge.add_metric([state.task, part], figures[name])
        yield gauge


def counter_metric(
    name: str, meaning: str, task: str, label: str, counts: Iterable[tuple[str, int]]
) -> CounterMetricFamily:
    """Counts by the values of one label, beside the task."""
    counter = CounterMetricFamily(name, meaning, labels=["task", label])
    for value, count in counts:
        counter.add_metric([task, value], count)
    return counter


def histogram_metric(
    name: str, meaning: str, series: Iterable[tuple[dict[str, str], DurationHistogram]]
) -> HistogramMetricFamily:
    """Durations, by labels."""
    found = list(series)
    histogram = HistogramMetricFamily(name, meaning, labels=list(found[0][0]) if found else ())
    bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
    for labels, durations in found:
        cumulative = accumulate(durations.counts.tolist())
        histogram.add_metric(
            list(labels.values()),
            list(zip(bounds, cumulative, strict=True)),
            durations.sum_s,
        )
    return histogram
