"""The loop from the topic of transactions to decisions and rejects."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

import msgspec
import pytest
from tests.harness import Place, eventually
from tests.models import tiny_bundle

from fraudline.bundle.bundle import open_bundle
from fraudline.contract import Messages, Outcome
from fraudline.errors import BrokerError
from fraudline.schemas import MessageForms
from fraudline.scoring import Decider, RepeatMemory
from fraudline.stream.broker import create_topics, existing_topics, require_topics
from fraudline.stream.counts import Task
from fraudline.stream.produce_lines import produce_lines
from fraudline.stream.progress import Progress
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.stream.repeat_restore import RepeatRestore
from fraudline.stream.score_loop import score_loop

pytestmark = pytest.mark.usefixtures("services_home")


def transactions(place: Place, count: int) -> list[bytes]:
    names = [column.name for column in place.project.contract.transaction_columns]
    return [
        msgspec.json.encode({name: float(number % 100) for name in names})
        for number in range(count)
    ]


def send(
    place: Place,
    lines: list[bytes | None],
    topic: str | None = None,
    key_of: Callable[[bytes], bytes | None] = lambda _: None,
) -> None:
    kafka = place.project.kafka
    sent = produce_lines(
        kafka,
        topic or kafka.topic_transactions,
        lines,
        key_of=key_of,
        rate=0,
        stop=threading.Event(),
        on_sent=lambda _: None,
    )
    assert sent == len(lines)


def committed(place: Place, topic: str) -> list[dict[str, object]]:
    kafka = place.project.kafka
    return [
        msgspec.json.decode(value or b"")
        for partition, (start, stop) in offset_ranges(kafka, topic).items()
        for _, _, messages in read_range(kafka, topic, partition, start, stop, 1000)
        for value in messages.values
    ]


class Scorer:
    """A score loop in a thread of the test."""

    def __init__(
        self,
        place: Place,
        memory: RepeatMemory | None = None,
        restore: RepeatRestore | None = None,
        slow_s: float = 0,
        batch_rows: int = 50,
        forms: MessageForms | None = None,
    ) -> None:
        project = place.project
        directory = project.settings.home / "tiny"
        if not directory.exists():
            tiny_bundle(directory, project.contract)
        self.progress = Progress(Task.SCORE)
        self._stop = threading.Event()
        bundle = open_bundle(directory, project.contract)
        decider = Decider(bundle, memory)

        def decide(messages: Messages, decided_at: dt.datetime) -> list[Outcome]:
            time.sleep(slow_s * len(messages))
            return decider.decide(messages, decided_at)

        self._thread = threading.Thread(
            target=score_loop,
            args=(project.kafka, lambda: decide),
            kwargs={
                "batch_rows": batch_rows,
                "stop": self._stop,
                "progress": self.progress,
                "restore": restore,
                "forms": forms,
            },
        )

    @property
    def done(self) -> int:
        """Messages of which the outcome is committed."""
        state = self.progress.snapshot()
        return state.done + state.rejected.total()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_each_message_becomes_one_decision_or_one_reject(here: Place) -> None:
    lines: list[bytes | None] = [*transactions(here, 300), b"broken", None, b""]
    send(here, lines)
    with Scorer(here) as scorer:
        eventually(lambda: scorer.done == len(lines))
    kafka = here.project.kafka
    decisions = committed(here, kafka.topic_decisions)
    rejects = committed(here, kafka.topic_rejects)
    assert len(decisions) == 300
    assert Counter(reject["reason"] for reject in rejects) == {
        "invalid_json": 1,
        "tombstone": 1,
        "empty": 1,
    }
    positions = {(row["source_partition"], row["source_offset"]) for row in [*decisions, *rejects]}
    assert len(positions) == len(lines)


def test_a_second_run_goes_on_where_the_first_one_ended(here: Place) -> None:
    for _ in range(2):
        send(here, list(transactions(here, 100)))
        with Scorer(here) as scorer:
            eventually(lambda: scorer.done == 100)
    assert len(committed(here, here.project.kafka.topic_decisions)) == 200


@pytest.mark.parametrize("count", [1000, 1300, 2000, 2300], ids=lambda count: f"{count} messages")
def test_a_transaction_of_several_pieces_moves_the_offsets_past_all_of_them(
    here: Place, count: int
) -> None:
    for run in (1, 2):  # what the first did not move past, the second decides again
        send(here, list(transactions(here, count)))
        with Scorer(here, batch_rows=2000) as scorer:
            eventually(lambda: scorer.done >= count)
        assert scorer.done == count
        decisions = committed(here, here.project.kafka.topic_decisions)
        positions = {(row["source_partition"], row["source_offset"]) for row in decisions}
        assert len(decisions) == len(positions) == count * run


def test_two_scorers_share_the_partitions_and_decide_each_message_once(here: Place) -> None:
    with Scorer(here) as first, Scorer(here) as second:
        for _ in range(5):  # the group rebalances while messages come
            send(here, list(transactions(here, 200)))
        eventually(lambda: first.done + second.done >= 1000)
    decisions = committed(here, here.project.kafka.topic_decisions)
    positions = {(row["source_partition"], row["source_offset"]) for row in decisions}
    assert len(decisions) == len(positions) == 1000


def test_a_slow_scorer_commits_before_the_broker_aborts(here: Place) -> None:
    # All of them together take longer than the broker waits for a transaction, 6 s.
    with Scorer(here, slow_s=0.006, batch_rows=100_000) as scorer:
        send(here, list(transactions(here, 2000)))
        eventually(lambda: scorer.done == 2000)
        assert scorer.progress.snapshot().failures.total == 0


def test_a_batch_that_was_not_committed_is_decided_again_and_seen_once(here: Place) -> None:
    send(here, list(transactions(here, 40)))
    fails = [True]

    class CutError(Exception):
        pass

    project = here.project
    directory = project.settings.home / "tiny"
    tiny_bundle(directory, project.contract)
    decider = Decider(open_bundle(directory, project.contract))

    def decide(messages, decided_at):
        outcomes = decider.decide(messages, decided_at)
        if fails.pop() if fails else False:
            raise CutError
        return outcomes

    stop = threading.Event()
    with pytest.raises(CutError):
        score_loop(
            project.kafka,
            lambda: decide,
            batch_rows=50,
            stop=stop,
            progress=Progress(Task.SCORE),
        )
    with Scorer(here) as scorer:
        eventually(lambda: scorer.done == 40)
    assert len(committed(here, project.kafka.topic_decisions)) == 40


def test_a_topic_that_is_not_there_is_named_with_those_that_are(here: Place) -> None:
    kafka = here.project.kafka
    with pytest.raises(BrokerError) as error:
        require_topics(kafka, ["transactoins"])
    assert "'transactoins'" in str(error.value)
    assert kafka.topic_transactions in str(error.value)


def test_topics_that_exist_are_not_created_again(here: Place) -> None:
    kafka = here.project.kafka
    assert create_topics(kafka, [kafka.topic_transactions]) == []
    assert kafka.topic_transactions in existing_topics(kafka)
