"""Metrics and health over HTTP, beside a loop that may hang."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest
from confluent_kafka import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from fraudline.contract import RejectReason
from fraudline.errors import ServiceError
from fraudline.local.process import free_port
from fraudline.metrics import server as http_server
from fraudline.metrics import serving
from fraudline.metrics.api_collector import api_metrics
from fraudline.metrics.api_counts import ApiCounts
from fraudline.settings import MetricsSettings
from fraudline.stream.counts import DecisionCounts, FailedSide, Task
from fraudline.stream.durations import BOUNDS_S
from fraudline.stream.progress import Progress
from fraudline.stream.served_model import ServedModel

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


@pytest.fixture
def port() -> int:
    return free_port()


def busy(
    task: Task, decided: DecisionCounts | None = None, stored: dict[str, int] | None = None
) -> Progress:
    """A loop that has just dealt with three messages, 3 ms, 1 s and 100 days old."""
    progress = Progress(task, stored or ())
    after = [TopicPartition("t", 0, 3)]
    now_ms = int(time.time() * 1000)
    progress.record_taken(after, "decide")
    progress.record_done(
        after,
        [now_ms - 3, now_ms - 1000, now_ms - 8_640_000_000],
        decided=decided,
        stored=stored,
        rejected={RejectReason.EMPTY: 1},
    )
    return progress


def scrape(progress: Progress, port: int) -> dict[str, float]:
    with serving(progress, MetricsSettings(port=port)):
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_scorer_tells_what_it_decided(port: int) -> None:
    found = scrape(busy(Task.SCORE, DecisionCounts(5, 3, 2)), port)
    task = ("task", "score")
    assert found[f"fraudline_transactions_decided_total{[task]}"] == 10
    assert found[f"fraudline_transactions_blocked_total{[task]}"] == 2
    assert found[f"fraudline_transactions_reviewed_total{[task]}"] == 3
    assert found[f"fraudline_transactions_rejected_total{[('reason', 'empty'), task]}"] == 1
    assert found[f"fraudline_failures_total{[('kind', 'broker'), task]}"] == 0
    assert found[f"fraudline_is_healthy{[task]}"] == 1
    assert found["process_resident_memory_bytes[]"] > 0


def test_a_scorer_tells_which_version_decides_and_which_champion_was_refused(port: int) -> None:
    progress = busy(Task.SCORE, DecisionCounts(5, 3, 2))
    task = ("task", "score")
    progress.record_model(ServedModel("creditcard-1", swaps=2, read_at=7.0))
    found = scrape(progress, port)
    assert any("model_version', 'creditcard-1'" in name for name in found)
    assert found[f"fraudline_model_swaps_total{[task]}"] == 2
    assert found[f"fraudline_model_is_refused{[task]}"] == 0
    assert found[f"fraudline_champion_read_timestamp_seconds{[task]}"] == 7
    refused = ServedModel("creditcard-1", refused="creditcard-2", refused_because="x", refusals=1)
    progress.record_model(refused)
    found = scrape(progress, port)
    assert any("model_version', 'creditcard-1'" in name for name in found)
    assert found[f"fraudline_model_refusals_total{[task]}"] == 1
    assert found[f"fraudline_model_is_refused{[task]}"] == 1
    with serving(progress, MetricsSettings(port=port)):
        health = httpx.get(f"http://127.0.0.1:{port}/health").json()
    assert health["is_healthy"] is True
    assert health["model"]["version"] == "creditcard-1"
    assert health["model"]["refused"] == "creditcard-2"
    assert health["model"]["refused_because"] == "x"


def test_a_sink_tells_what_it_stored_in_each_table(port: int) -> None:
    found = scrape(busy(Task.SINK, stored={"decisions": 3, "rejects": 0}), port)
    for table, rows in (("decisions", 3), ("rejects", 0)):
        name = f"fraudline_rows_stored_total{[('table', table), ('task', 'sink')]}"
        assert found[name] == rows


def test_a_learner_tells_what_it_did_and_is_healthy_with_nothing_to_do(port: int) -> None:
    progress = Progress(Task.LEARN)
    progress.record_failure(FailedSide.WAREHOUSE, "away")
    task = ("task", "learn")
    assert scrape(progress, port)[f"fraudline_is_healthy{[task]}"] == 0
    progress.record_learned("judge")
    progress.record_learned()
    progress.record_judged({"all": {"average_precision": 0.75, "decisions": 10}})
    found = scrape(progress, port)
    assert found[f"fraudline_periods_done_total{[('step', 'judge'), task]}"] == 1
    assert found[f"fraudline_failures_total{[('kind', 'warehouse'), task]}"] == 1
    assert found[f"fraudline_judged_average_precision{[('part', 'all'), task]}"] == 0.75
    assert not any("judged_recall" in name for name in found)
    assert found[f"fraudline_is_healthy{[task]}"] == 1


def test_each_message_is_counted_in_the_buckets_of_its_age(port: int) -> None:
    found = scrape(busy(Task.SCORE, DecisionCounts(approved=3)), port)

    def older_than_no(bound: float) -> float:
        return found[f"fraudline_latency_seconds_bucket{[('le', str(bound)), ('task', 'score')]}"]

    assert older_than_no(0.001) == 0
    assert older_than_no(0.512) == 1
    assert older_than_no(2.048) == 2
    assert older_than_no(BOUNDS_S[-1]) == 2
    assert found["fraudline_latency_seconds_count[('task', 'score')]"] == 3
    assert found["fraudline_latency_seconds_sum[('task', 'score')]"] > 8_640_000


def test_health_is_200_while_messages_are_done_and_503_with_a_reason_when_none_are(
    port: int,
) -> None:
    progress = busy(Task.SINK, stored={"decisions": 3})
    with serving(progress, MetricsSettings(port=port, stalled_after_s=0.5)):
        address = f"http://127.0.0.1:{port}/health"
        assert httpx.get(address).status_code == 200
        deadline = time.monotonic() + 30
        while (answer := httpx.get(address)).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert answer.status_code == 503
    found = answer.json()
    assert found["task"] == "sink"
    assert found["is_healthy"] is False
    assert "step 'decide'" in found["reason"]
    assert found["silent_s"] > 0.5


def test_nothing_listens_unless_a_port_is_set(port: int) -> None:
    assert MetricsSettings().port == 0
    with serving(busy(Task.SINK), MetricsSettings()), socket.socket() as asked:
        assert asked.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_that_is_taken_is_told_with_the_setting(port: int) -> None:
    progress = Progress(Task.SCORE)
    settings = MetricsSettings(port=port)
    with (
        serving(progress, settings),
        pytest.raises(ServiceError, match="FRAUDLINE_METRICS__PORT"),
        serving(progress, settings),
    ):
        pass


def test_any_other_path_is_not_found(port: int) -> None:
    with serving(Progress(Task.SCORE), MetricsSettings(port=port)):
        answer = httpx.get(f"http://127.0.0.1:{port}/")
    assert answer.status_code == 404
    assert "/health" in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
def test_a_web_page_of_somebody_else_reads_no_metrics(
    port: int, headers: dict[str, str], status: int
) -> None:
    with serving(busy(Task.SCORE), MetricsSettings(port=port)):
        for path in ("metrics", "health"):
            answer = httpx.get(f"http://127.0.0.1:{port}/{path}", headers=headers)
            assert answer.status_code == status


def test_who_serves_metrics_beyond_this_machine_is_asked_by_any_name(port: int) -> None:
    settings = MetricsSettings(port=port, host="0.0.0.0")
    with serving(busy(Task.SCORE), settings):
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"Host": "scorer-1"})
    assert answer.status_code == 200


@pytest.mark.parametrize("task", Task)
def test_every_metric_is_in_the_reference(port: int, task: Task) -> None:
    progress = busy(task, DecisionCounts(approved=1))
    if task is Task.SCORE:
        progress.record_model(ServedModel("creditcard-1"))
    with serving(progress, MetricsSettings(port=port)):
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    families = {
        line.split()[2] for line in text.splitlines() if line.startswith("# TYPE fraudline_")
    }
    assert len(families) > 8
    reference = REFERENCE.read_text()
    assert [name for name in families if f"`{name}`" not in reference] == []


def test_every_metric_of_the_api_is_in_the_reference() -> None:
    counts = ApiCounts()
    counts.record_model(ServedModel("creditcard-1"))
    counts.answered("/v1/score", 200, 0.001)
    counts.batch(3, 0.001)
    _, text = api_metrics(counts, "")
    families = {
        line.split()[2]
        for line in text.decode().splitlines()
        if line.startswith("# TYPE fraudline_")
    }
    assert len({each for each in families if each.startswith("fraudline_api_")}) > 8
    reference = REFERENCE.read_text()
    assert [name for name in families if f"`{name}`" not in reference] == []


def test_time_stamps_that_say_nothing_are_not_in_the_latencies() -> None:
    progress = Progress(Task.SCORE)
    now_ms = int(time.time() * 1000)
    progress.record_done(
        [TopicPartition("t", 0, 4)],
        [-1, 0, 1000, now_ms - 5],
        decided=DecisionCounts(approved=4),
    )
    latencies = progress.snapshot().latencies
    assert latencies.counts.sum() == 1
    assert latencies.sum_s < 60


def test_who_sends_a_request_slowly_is_hung_up_on_and_others_are_served(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_LONGEST_REQUEST_S", 1.0)
    with serving(busy(Task.SINK), MetricsSettings(port=port)):
        slow = [
            socket.create_connection(("127.0.0.1", port))
            for _ in range(http_server._MOST_CONNECTIONS)
        ]
        refused = socket.create_connection(("127.0.0.1", port))
        refused.settimeout(30)
        assert refused.recv(1) == b""  # nobody is free
        given_up_at = time.monotonic() + 30
        open_still = list(slow)
        while open_still:
            assert time.monotonic() < given_up_at
            for one in list(open_still):
                try:
                    one.sendall(b"G")  # each byte would begin the time-out of a read anew
                except OSError:
                    open_still.remove(one)
            time.sleep(0.05)
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    for one in [*slow, refused]:
        one.close()
