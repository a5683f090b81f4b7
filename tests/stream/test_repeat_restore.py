"""A scorer that is started anew knows what was decided before."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import Place, eventually, place
from tests.models import tiny_bundle, tiny_policy
from tests.stream.test_score_loop import Scorer, committed, send
from tests.transactions import WALLET_FILE, WALLET_ROW, message

from fraudline.errors import BrokerError
from fraudline.scoring import Decider, RepeatMemory
from fraudline.stream.broker import create_topics
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.stream.repeat_restore import RepeatRestore
from fraudline.stream.score_loop import score_loop

PAYMENTS: list[bytes | None] = [message(WALLET_ROW, payment_id=f"p-{n}") for n in range(200)]


@pytest.fixture
def wallet(services_home: Path, tmp_path: Path) -> Iterator[Place]:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as made:
        yield made


def remembering(
    place: Place, window_offsets: int = 10_000, memory: RepeatMemory | None = None
) -> Scorer:
    memory = memory or RepeatMemory(place.project.contract, window_offsets)
    return Scorer(place, memory, RepeatRestore(place.project.kafka, memory))


def made(place: Place) -> list[dict[str, object]]:
    return committed(place, place.project.kafka.topic_decisions)


def repeats(place: Place) -> int:
    rows = made(place)
    position_of = {
        f"{row['source_topic']}:{row['source_partition']}:{row['source_offset']}": row
        for row in rows
    }
    for row in rows:
        if row["repeat_of"] is not None:
            first = position_of[row["repeat_of"]]
            assert (first["transaction_id"], first["repeat_of"]) == (row["transaction_id"], None)
            for name in ("score", "decision", "threshold", "model_version"):
                assert first[name] == row[name]
    return sum(row["repeat_of"] is not None for row in rows)


def test_repeats_are_known_across_a_restart(wallet: Place) -> None:
    key_of = wallet.project.contract.key_of
    with remembering(wallet, 10_000) as scorer:
        send(wallet, PAYMENTS, key_of=key_of)
        eventually(lambda: scorer.done == 200)
    assert repeats(wallet) == 0
    with remembering(wallet, 10_000) as scorer:
        send(wallet, PAYMENTS, key_of=key_of)
        eventually(lambda: scorer.done == 200)
    eventually(lambda: len(made(wallet)) == 400)  # the broker still writes the last markers
    assert repeats(wallet) == 200


def test_what_lies_before_the_window_is_not_read_back(wallet: Place) -> None:
    key_of = wallet.project.contract.key_of
    with remembering(wallet, 10) as scorer:
        send(wallet, PAYMENTS, key_of=key_of)
        eventually(lambda: scorer.done == 200)
    with remembering(wallet, 10) as scorer:
        send(wallet, PAYMENTS[-1:], key_of=key_of)
        send(wallet, PAYMENTS[:1], key_of=key_of)
        eventually(lambda: scorer.done == 2)
    assert repeats(wallet) == 1


def test_what_was_decided_and_not_committed_is_forgotten(wallet: Place) -> None:
    """Another owner decides it in the meantime; a repeat is then answered as that one did."""
    project = wallet.project
    kafka, key_of = project.kafka, project.contract.key_of
    directory = project.settings.home / "other"
    strict = tiny_bundle(directory, project.contract, policy=tiny_policy(0.0))
    memory = RepeatMemory(project.contract, 10_000)
    stale = Decider(strict, memory)
    send(wallet, PAYMENTS, key_of=key_of)
    for partition, (start, stop) in offset_ranges(kafka, kafka.topic_transactions).items():
        for _, _, messages in read_range(
            kafka, kafka.topic_transactions, partition, start, stop, 1000
        ):
            stale.decide(messages, dt.datetime.now(dt.UTC))  # and then it dies
    with remembering(wallet) as scorer:
        eventually(lambda: scorer.done == 200)
    with remembering(wallet, memory=memory) as scorer:
        send(wallet, PAYMENTS, key_of=key_of)
        eventually(lambda: scorer.done == 200)
    assert repeats(wallet) == 200


def test_partitions_go_back_and_forth_and_repeats_are_known(wallet: Place) -> None:
    key_of = wallet.project.contract.key_of
    with remembering(wallet) as first:
        for number in range(0, 100, 20):
            send(wallet, PAYMENTS[number : number + 20], key_of=key_of)
            with remembering(wallet):  # it joins, and leaves again
                send(wallet, PAYMENTS[number : number + 20], key_of=key_of)
                eventually(lambda sent=number + 20: len(made(wallet)) == 2 * sent, 90)
        assert first.done > 0
    assert repeats(wallet) == 100


def test_a_topic_of_decisions_with_other_partitions_is_refused(wallet: Place) -> None:
    kafka = wallet.project.kafka.model_copy(
        update={"topic_decisions": f"{wallet.project.kafka.topic_decisions}-2", "partitions": 2}
    )
    create_topics(kafka, [kafka.topic_decisions])
    memory = RepeatMemory(wallet.project.contract, 10)
    with pytest.raises(BrokerError, match=r"has 4 partitions and topic .* has 2"):
        score_loop(
            kafka,
            lambda: lambda *_: [],
            batch_rows=10,
            stop=threading.Event(),
            progress=Progress(Task.SCORE),
            restore=RepeatRestore(kafka, memory),
        )
