"""A topic that is made anew keeps its name: rows of the old one are not those of its messages."""

from __future__ import annotations

import pytest
from tests.harness import Place, eventually
from tests.reconcile.test_reconcile import check, count
from tests.stream.test_offsets_gone import forget
from tests.stream.test_score_loop import Scorer, send, transactions
from tests.stream.test_sink_loop import run_sink
from tests.stream.test_topic_guard import offsets, recreate, set_offsets

from fraudline.reconcile.stages import StageTracker
from fraudline.use_cases.sink_routes import routes

SENT = 40


def send_all(place: Place) -> None:
    """The same messages at the same positions, whenever it is called for an empty topic."""
    send(place, list(transactions(place, SENT)), key_of=lambda line: line)


@pytest.fixture
def stored(here: Place) -> Place:
    """A topic of which every message is stored as it should be."""
    send_all(here)
    with Scorer(here) as scorer:
        eventually(lambda: scorer.done == SENT)
    run_sink(here, routes(here.project), until=lambda: count(here) == SENT)
    assert check(here).is_exact
    return here


def test_rows_of_a_former_topic_are_not_those_of_the_messages_at_their_offsets(
    stored: Place,
) -> None:
    kafka = stored.project.kafka
    topic = kafka.topic_transactions
    left = offsets(kafka, f"{kafka.group}.score", topic)
    recreate(kafka, topic)
    send_all(stored)
    totals = check(stored).totals  # a broker deletes the group's offsets with the topic
    assert (totals.inputs, totals.decisions) == (SENT, 0)
    assert (totals.missing, totals.unexpected, totals.doubled) == (SENT, SENT, 0)
    told = stored.run("reconcile")
    said = " ".join(told.said.split())
    assert told.code == 1
    assert f"group '{kafka.group}.score' has no offset there" in said
    assert "stored, but not decided in the topic as it is now" in said
    assert "fraudline offsets set score --to stored" in said

    set_offsets(kafka, f"{kafka.group}.score", left)  # or it does not
    ledger = check(stored)
    assert (ledger.totals.missing, ledger.totals.unexpected) == (SENT, SENT)
    assert f"topic '{topic}' was deleted and made anew: its id is" in ledger.notes[0]


def test_rows_of_a_former_topic_do_not_count_until_the_new_one_is_decided(stored: Place) -> None:
    kafka = stored.project.kafka
    recreate(kafka, kafka.topic_transactions)
    assert stored.run("offsets", "set", "score", "--to", "start").code == 0
    send_all(stored)
    ledger = check(stored)
    assert (ledger.totals.missing, ledger.totals.unexpected) == (SENT, SENT)
    assert "has not decided in topic" in ledger.notes[0]
    with Scorer(stored) as scorer:
        eventually(lambda: scorer.done == SENT)
    run_sink(stored, routes(stored.project), until=lambda: count(stored) == 2 * SENT)
    ledger = check(stored)
    assert (ledger.totals.doubled, ledger.notes) == (SENT, [])


def test_a_group_whose_offsets_have_expired_proves_nothing_until_its_place_is_set(
    stored: Place,
) -> None:
    forget(stored, "score")
    assert not check(stored).is_exact
    assert stored.run("offsets", "set", "score", "--to", "stored").code == 0
    ledger = check(stored)
    assert ledger.is_exact
    assert ledger.notes == []


def test_a_proof_under_another_group_says_which_group_has_decided(stored: Place) -> None:
    told = stored.run("reconcile", FRAUDLINE_KAFKA__GROUP="somebody")
    said = " ".join(told.said.split())
    assert told.code == 1
    assert "`kafka.group`, which is 'somebody', is not what the scorers have" in said
    assert f"(scorers of '{stored.project.kafka.group}' have decided in this topic)" in said


def test_who_follows_notices_a_new_topic_though_it_is_longer_than_the_old_one(
    stored: Place,
) -> None:
    kafka = stored.project.kafka
    stages = StageTracker(kafka)
    stages.look()
    assert not stages.recreated
    recreate(kafka, kafka.topic_transactions)
    for _ in range(3):
        send_all(stored)
    stages.look()
    stages.close()
    assert stages.recreated == frozenset(range(kafka.partitions))
