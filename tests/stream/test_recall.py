"""A scorer that is started anew knows what was decided before."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.conftest import Place, eventually, place
from tests.stream.test_score_loop import Scorer, committed, send
from tests.transactions import WALLET_FILE, WALLET_ROW, message

from fraudline.scoring import FirstDecisions
from fraudline.stream.recall import recall

PAYMENTS: list[bytes | None] = [message(WALLET_ROW, payment_id=f"p-{n}") for n in range(200)]


@pytest.fixture
def wallet(services_home: Path, tmp_path: Path) -> Iterator[Place]:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as made:
        yield made


def remembering(place: Place, window_offsets: int) -> Scorer:
    firsts = FirstDecisions(place.project.contract, window_offsets)
    return Scorer(place, firsts, on_assign=partial(recall, place.project.kafka, firsts))


def repeats(place: Place) -> int:
    made = committed(place, place.project.kafka.topic_decisions)
    position_of = {
        f"{row['source_topic']}:{row['source_partition']}:{row['source_offset']}": row
        for row in made
    }
    for row in made:
        if row["repeat_of"] is not None:
            first = position_of[row["repeat_of"]]
            assert (first["transaction_id"], first["repeat_of"]) == (row["transaction_id"], None)
            assert first["score"] == row["score"]
    return sum(row["repeat_of"] is not None for row in made)


def test_repeats_are_known_across_a_restart(wallet: Place) -> None:
    key_of = wallet.project.contract.key_of
    with remembering(wallet, 10_000) as scorer:
        send(wallet, PAYMENTS, key_of=key_of)
        eventually(lambda: scorer.done == 200)
    assert repeats(wallet) == 0
    with remembering(wallet, 10_000) as scorer:
        send(wallet, PAYMENTS, key_of=key_of)
        eventually(lambda: scorer.done == 200)
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
