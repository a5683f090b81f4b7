"""The console line of a running loop."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import TopicPartition
from tests.harness import eventually

from fraudline.cli import status_line
from fraudline.contract import RejectReason
from fraudline.settings import MetricsSettings
from fraudline.stream.counts import FailedSide, Task
from fraudline.stream.progress import Progress
from fraudline.stream.served_model import ServedModel


def deal_with(progress: Progress, offset: int, count: int) -> None:
    after = [TopicPartition("t", 0, offset)]
    progress.record_taken(after, "decide")
    progress.record_done(
        after,
        [int(time.time() * 1000)],
        stored={"decisions": count},
        rejected={RejectReason.EMPTY: 1},
    )


def test_it_tells_counts_and_rate_and_nothing_where_there_is_no_news(capsys):
    progress = Progress(Task.SCORE)
    line = status_line._Line(progress, stalled_after_s=60)

    def said() -> str:
        line.show(only_news=True)
        return capsys.readouterr().err

    deal_with(progress, 1, 41)
    first = said()
    assert first.startswith("41 decided, 1 rejected, ")
    assert "no progress" not in first
    assert said() == ""
    deal_with(progress, 2, 1)
    assert said().startswith("42 decided, 2 rejected, ")


def test_it_tells_why_nothing_moves_for_as_long_as_nothing_does(
    capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(status_line, "_EVERY_S", 0.05)
    progress = Progress(Task.SINK)
    progress.record_failure(FailedSide.BROKER, "Connection refused")
    said = ""

    def count() -> int:
        nonlocal said
        said += capsys.readouterr().err
        return said.count("no progress: retries after 1 failure: Connection refused")

    with status_line.status_lines(progress, MetricsSettings()):
        eventually(lambda: count() >= 3)


def test_the_last_line_tells_what_was_done_in_all(capsys):
    progress = Progress(Task.SINK)
    with status_line.status_lines(progress, MetricsSettings(stalled_after_s=60)):
        deal_with(progress, 1, 1234)
    assert capsys.readouterr().err.splitlines()[-1].startswith("1,234 stored, 1 rejected, ")


def test_it_tells_for_as_long_as_the_champion_is_not_what_decides(capsys):
    progress = Progress(Task.SCORE)
    line = status_line._Line(progress, stalled_after_s=60)
    progress.record_model(ServedModel("v-1", refused="v-2", refused_because="was altered"))
    for offset in (1, 2):
        deal_with(progress, offset, 1)
        line.show(only_news=True)
        assert "; champion v-2 is refused, v-1 decides on" in capsys.readouterr().err
    progress.record_model(ServedModel("v-2"))
    line.show()
    assert "decides on" not in capsys.readouterr().err
