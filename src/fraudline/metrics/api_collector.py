"""What the API counts, as Prometheus metrics, made when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fraudline.metrics.api_counts import BATCH_BOUNDS, ApiCounts
from fraudline.metrics.collector import counter_metric, histogram_metric, model_metrics

TASK = "serve"


class ApiCollector(Collector):
    """Metrics of the API; every one has the label `task`.

    Args:
        counts: What it counts.
    """

    def __init__(self, counts: ApiCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """All of them, as of now."""
        counts, model = self._counts, self._counts.model
        told = {"task": TASK, "version": version("fraudline")}
        decides = {} if model is None else {"model_version": model.version}
        yield InfoMetricFamily("fraudline_build", "What runs here.", value=told | decides)
        if model is not None:
            yield from model_metrics(TASK, model)
        requests = CounterMetricFamily(
            "fraudline_api_requests",
            "Requests that were answered; status 499 is a client that had gone.",
            labels=["task", "route", "status"],
        )
        for (route, status), count in counts.requests.items():
            requests.add_metric([TASK, route, str(status)], count)
        yield requests
        yield histogram_metric(
            "fraudline_api_request_seconds",
            "From the head of a request until its answer was handed over.",
            [({"task": TASK, "route": route}, spent) for route, spent in counts.seconds.items()],
        )
        yield counter_metric(
            "fraudline_api_transactions_decided", "Transactions by their decision.",
            TASK, "decision", counts.decided.items(),
        )  # fmt: skip
        yield counter_metric(
            "fraudline_api_transactions_refused", "Transactions that could not be decided.",
            TASK, "reason", counts.rejected.items(),
        )  # fmt: skip
        yield from self._batches()
        for name, meaning, value in (
            ("transactions_cut", "Decided ones with something that the contract ignores.",
             counts.cut),
            ("failed_batches", "Batches that the model could not decide.", counts.failed_batches),
            ("refused_connections", "Connections closed for being one too many, slow or large.",
             counts.refused_connections),
        ):  # fmt: skip
            counter = CounterMetricFamily(f"fraudline_api_{name}", meaning, labels=["task"])
            counter.add_metric([TASK], value)
            yield counter

    def _batches(self) -> Iterator[Metric]:
        counts = self._counts
        sizes = HistogramMetricFamily(
            "fraudline_api_batch_transactions",
            "Transactions that were decided together, at one turn of the event loop.",
            labels=["task"],
        )
        bounds = [*(str(bound) for bound in BATCH_BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(counts.batches), strict=True))
        sizes.add_metric([TASK], buckets, counts.batch_rows)
        yield sizes
        yield histogram_metric(
            "fraudline_api_batch_seconds",
            "How long deciding such a batch took.",
            [({"task": TASK}, counts.batch_seconds)],
        )
        waiting = GaugeMetricFamily(
            "fraudline_api_waiting_transactions",
            "Transactions that wait to be decided.",
            labels=["task"],
        )
        waiting.add_metric([TASK], counts.waiting_rows)
        yield waiting


def api_metrics(counts: ApiCounts, accepts: str) -> tuple[str, bytes]:
    """Content type and text of all metrics.

    Args:
        counts: What the API counts.
        accepts: The header `Accept` of who asks.
    """
    registry = CollectorRegistry()
    registry.register(ApiCollector(counts))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accepts)
    return content_type, encode(registry)
