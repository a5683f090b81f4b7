"""A reject is sent again once: whatever dies, whoever else runs, however often it is asked."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st
from tests.harness import Place
from tests.stream.test_score_loop import send

from fraudline.contract import (
    REPLAYED,
    Column,
    Decoder,
    Messages,
    Reject,
    RejectReason,
    reject_record,
)
from fraudline.contract.rejects import MAX_ORIGINAL_BYTES
from fraudline.errors import BrokerError, InputError
from fraudline.stream import pending_rejects
from fraudline.stream.broker import client_config
from fraudline.stream.kafka_transaction import TransactionalProducer
from fraudline.stream.pending_rejects import (
    MessagePosition,
    reject_history,
    summarize_pending,
    survey_rejects,
)
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.stream.replay_rejects import RejectReplay, replay_rejects

EVER = dt.datetime.fromtimestamp(0, dt.UTC)
NOW = dt.datetime(2026, 5, 4, 3, 2, 1, tzinfo=dt.UTC)
MENDED = Decoder([Column("x", "int64")])
GOOD = b'{"x":1}'


def record(
    place: Place,
    offset: int,
    value: bytes | None = GOOD,
    *,
    partition: int = 1,
    topic: str | None = None,
    reason: RejectReason = RejectReason.WRONG_TYPE,
    key: bytes | None = b"card 7",
) -> bytes:
    """What a scorer writes of a message that it refused."""
    messages = Messages(
        topic or place.project.kafka.topic_transactions, [partition], [offset], [key], [value], [0]
    )
    rejected_at = NOW + dt.timedelta(seconds=offset)
    return reject_record(messages, Reject(0, reason, f"fault {offset}"), rejected_at)


def write(place: Place, *records: bytes | None) -> None:
    send(place, list(records), place.project.kafka.topic_rejects)


def replay(
    place: Place,
    *,
    since: dt.datetime = EVER,
    reason: str | None = None,
    positions: Collection[MessagePosition] = (),
    is_dry_run: bool = False,
    is_stopped: bool = False,
    on_sent: Callable[[int], None] = lambda _: None,
) -> RejectReplay:
    stop = threading.Event()
    if is_stopped:
        stop.set()
    kafka = place.project.kafka
    return replay_rejects(
        kafka,
        {kafka.topic_transactions: MENDED},
        since=since,
        reason=reason,
        positions=positions,
        is_dry_run=is_dry_run,
        stop=stop,
        on_sent=on_sent,
    )


def position(place: Place, offset: int, partition: int = 1) -> MessagePosition:
    return MessagePosition(place.project.kafka.topic_transactions, partition, offset)


def read(place: Place, topic: str) -> list[tuple[int, int, bytes | None, bytes | None]]:
    """Partition, offset, key and value of each committed message of a topic.

    A broker may answer that a transaction is committed before its readers see it: they are
    waited for by reading to the very end.
    """
    kafka = place.project.kafka
    return [
        each
        for partition, (start, stop) in offset_ranges(kafka, topic, is_beyond_open=True).items()
        for _, _, found in read_range(kafka, topic, partition, start, stop, 10_000)
        for each in zip(found.partitions, found.offsets, found.keys, found.values, strict=True)
    ]


def sent(place: Place) -> list[tuple[int, int, bytes | None, bytes | None]]:
    return read(place, place.project.kafka.topic_transactions)


def records(place: Place) -> list[dict[str, Any]]:
    """The records in the topic of rejects, each with the partition in which it is."""
    return [
        {**msgspec.json.decode(value or b""), "in": partition}
        for partition, _, _, value in read(place, place.project.kafka.topic_rejects)
    ]


def markers(place: Place) -> list[dict[str, Any]]:
    return [row for row in records(place) if row["reason"] == REPLAYED]


def pending(place: Place) -> int:
    kafka = place.project.kafka
    return summarize_pending(kafka, survey_rejects(kafka, EVER), None, 1).counts.total()


def test_an_original_goes_back_to_its_partition_with_its_key_and_is_marked(here: Place) -> None:
    write(here, record(here, 77, partition=2), record(here, 78, b"{}", key=None))
    done = replay(here)
    assert (done.sent, done.transactions) == (1, 1)
    ((partition, offset, key, value),) = sent(here)
    assert (partition, key, value) == (2, b"card 7", GOOD)
    (marker,) = markers(here)
    assert marker["message"] == f"sent again as {position(here, offset, 2)}"
    assert (marker["source_partition"], marker["source_offset"]) == (2, 77)
    assert (marker["original"], marker["original_size_bytes"]) == ("", len(GOOD))
    assert pending(here) == 1


def test_a_marker_is_in_the_partition_of_its_reject_so_retention_deletes_the_reject_first(
    here: Place,
) -> None:
    write(here, *(record(here, offset) for offset in range(20)))
    assert replay(here).sent == 20
    places = {True: set(), False: set()}
    for row in records(here):
        places[row["reason"] == REPLAYED].add((row["source_offset"], row["in"]))
    assert places[True] == places[False]
    assert len(places[True]) == 20


def test_what_was_sent_again_is_not_sent_a_second_time(here: Place) -> None:
    write(here, *(record(here, offset) for offset in range(5)))
    assert replay(here).sent == 5
    assert replay(here).sent == 0
    assert len(sent(here)) == len(markers(here)) == 5


def test_a_replay_that_is_stopped_says_that_it_has_not_looked_at_all(here: Place) -> None:
    write(here, *(record(here, offset) for offset in range(3)))
    done = replay(here, is_stopped=True)
    assert (done.sent, done.is_cut_short) == (0, True)
    done = replay(here)
    assert (done.sent, done.is_cut_short) == (3, False)


def test_a_replay_that_died_in_the_middle_of_a_transaction_has_sent_nothing(here: Place) -> None:
    write(here, record(here, 7))
    dead = TransactionalProducer(here.project.kafka, "rejects", is_sole=True)
    topic = here.project.kafka.topic_transactions

    def die(_: list[int]) -> list[tuple[str, int, bytes | None, bytes]]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dead.commit_with_followups([(topic, 1, None, GOOD)], die)
    assert replay(here).sent == 1
    assert len(sent(here)) == len(markers(here)) == 1


def test_a_second_replay_shuts_out_the_first_and_no_reject_is_sent_twice(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_rejects, "_WINDOW_RECORDS", 2)
    write(here, *(record(here, offset) for offset in range(40)))
    others: list[RejectReplay] = []

    def interfere(so_far: int) -> None:
        if so_far and not others:
            others.append(replay(here))

    with pytest.raises(BrokerError, match="another `fraudline rejects replay`"):
        replay(here, on_sent=interfere)
    assert len(sent(here)) == len(markers(here)) == 40
    assert 0 < others[0].sent < 40
    assert pending(here) == 0


def test_a_marker_behind_an_open_transaction_is_waited_for(here: Place) -> None:
    kafka = here.project.kafka
    write(here, record(here, 7))
    (home,) = (
        part for part, (start, stop) in offset_ranges(kafka, kafka.topic_rejects).items() if stop
    )
    scorer = Producer({**client_config(kafka), "transactional.id": f"{kafka.group}.open"})
    scorer.init_transactions(30)
    scorer.begin_transaction()
    scorer.produce(kafka.topic_rejects, value=record(here, 8), partition=home)
    scorer.flush()
    first = TransactionalProducer(kafka, "rejects", is_sole=True)
    marker = msgspec.json.encode({**msgspec.json.decode(record(here, 7)), "reason": REPLAYED})
    first.commit_with_followups(
        [(kafka.topic_transactions, 1, None, GOOD)],
        lambda _: [(kafka.topic_rejects, home, None, marker)],
    )
    # A reader of committed messages is kept before the open transaction, and sees no marker.
    assert offset_ranges(kafka, kafka.topic_rejects)[home] == (0, 1)
    ends = threading.Timer(2.0, scorer.abort_transaction, [10])
    ends.start()
    assert replay(here).sent == 0
    ends.join()
    assert len(sent(here)) == 1


def test_transactions_are_bounded_by_their_number_of_rejects(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_rejects, "_WINDOW_RECORDS", 10)
    write(here, *(record(here, offset) for offset in range(95)))
    counts: list[int] = []
    done = replay(here, on_sent=counts.append)
    assert done.sent == len(sent(here)) == 95
    assert done.transactions >= 10
    assert all(after - before <= 10 for before, after in zip([0, *counts], counts, strict=False))


def test_what_would_be_rejected_again_stays_and_why_is_told(here: Place) -> None:
    write(
        here,
        record(here, 1),
        record(here, 2, b'{"x":"1"}'),
        record(here, 3, b'{"x":"2"}'),
        record(here, 4, None, reason=RejectReason.TOMBSTONE),
        record(here, 5, b"x" * (MAX_ORIGINAL_BYTES + 1)),
        record(here, 6, topic="elsewhere"),
        record(here, 7, partition=99),
    )
    done = replay(here)
    assert done.sent == 1
    assert {reason: unsent.count for reason, unsent in done.unsent.items()} == {
        "wrong_type": 2,
        "empty": 1,
        "cut": 1,
        "other_topic": 1,
        "no_partition": 1,
    }
    assert "of its 524,289 bytes only the first 524,288" in done.unsent["cut"].message
    assert done.unsent["other_topic"].position == MessagePosition("elsewhere", 1, 6)
    assert len(sent(here)) == 1


def test_only_what_was_asked_for_is_sent(here: Place) -> None:
    write(
        here,
        *(record(here, offset) for offset in range(4)),
        *(record(here, offset, reason=RejectReason.OUT_OF_RANGE) for offset in range(4, 6)),
    )
    assert replay(here, reason="out_of_range").sent == 2
    assert replay(here, positions=[position(here, 1), position(here, 2)]).sent == 2
    assert sorted(marker["source_offset"] for marker in markers(here)) == [1, 2, 4, 5]
    assert pending(here) == 2


def test_what_only_the_model_refused_is_sent_when_it_is_asked_for(here: Place) -> None:
    write(here, record(here, 1, reason=RejectReason.NOT_SCORABLE), record(here, 2))
    done = replay(here)
    assert (done.sent, done.unsent["not_scorable"].message) == (1, "fault 1")
    assert replay(here, reason="not_scorable").sent == 1


def test_a_dry_run_counts_and_sends_nothing_and_shuts_nobody_out(here: Place) -> None:
    write(here, record(here, 1), record(here, 2, b"{}"))
    running = TransactionalProducer(here.project.kafka, "rejects", is_sole=True)
    done = replay(here, is_dry_run=True)
    assert (done.sent, done.transactions, done.unsent["missing_column"].count) == (1, 0, 1)
    topic = here.project.kafka.topic_transactions
    running.commit_with_followups([(topic, 0, None, b"it goes on")], lambda _: [])
    assert [value for *_, value in sent(here)] == [b"it goes on"]


def test_a_position_without_a_pending_reject_is_named_and_nothing_is_sent(here: Place) -> None:
    write(here, record(here, 1), record(here, 2))
    replay(here, positions=[position(here, 1)])
    for wrong, words in ((1, "was already sent again"), (3, "has no reject")):
        with pytest.raises(InputError, match=words) as error:
            replay(here, positions=[position(here, 2), position(here, wrong)])
        assert str(position(here, wrong)) in str(error.value)
    assert len(sent(here)) == 1


def test_a_reject_behind_the_marker_of_another_one_at_its_position_is_pending(here: Place) -> None:
    """A topic that is deleted and made anew has its positions once more."""
    write(here, record(here, 1))
    assert replay(here).sent == 1
    write(here, record(here, 1))  # the very same message, at the same offset of the new topic
    assert pending(here) == 1
    assert replay(here, positions=[position(here, 1)]).sent == 1
    assert pending(here) == 0
    with pytest.raises(InputError, match="was already sent again"):
        replay(here, positions=[position(here, 1)])
    assert len(sent(here)) == len(markers(here)) == 2


def test_the_marker_of_a_later_reject_at_its_position_leaves_an_earlier_one_pending(
    here: Place,
) -> None:
    write(here, record(here, 1, b'{"x":10}', reason=RejectReason.OUT_OF_RANGE), record(here, 1))
    assert replay(here, reason="wrong_type").sent == 1
    assert pending(here) == 1
    assert replay(here).sent == 1
    assert sorted(value or b"" for *_, value in sent(here)) == [b'{"x":10}', GOOD]


def test_rejects_from_before_a_time_are_left_out(here: Place) -> None:
    write(here, record(here, 1))
    assert survey_rejects(here.project.kafka, EVER).records == 1
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    assert survey_rejects(here.project.kafka, later).records == 0
    assert replay(here, since=later).sent == 0


def test_the_overview_counts_by_reason_and_keeps_the_newest(here: Place) -> None:
    kafka = here.project.kafka
    write(
        here,
        *(record(here, offset) for offset in range(30)),
        *(record(here, offset, reason=RejectReason.EMPTY) for offset in range(30, 35)),
        b"garbage",
        None,
        record(here, 99).replace(b"2026-", b"0001-").replace(b"Z", b"+23:00"),
        record(here, 99).replace(b"Z", b""),  # a time without an offset
    )
    found = survey_rejects(kafka, EVER)
    assert (found.records, found.unreadable, found.replayed) == (39, 4, {})
    seen = summarize_pending(kafka, found, None, 3)
    assert seen.counts == {"wrong_type": 30, "empty": 5}
    assert [each.source_offset for each in seen.newest] == [34, 33, 32]
    assert seen.last_at["wrong_type"] == NOW + dt.timedelta(seconds=29)
    only = summarize_pending(kafka, found, "wrong_type", 3)
    assert only.counts == {"wrong_type": 30}
    assert [each.source_offset for each in only.newest] == [29, 28, 27]


def test_a_reject_is_found_with_the_marker_behind_it(here: Place) -> None:
    write(here, record(here, 1), record(here, 2))
    replay(here, positions=[position(here, 2)])
    first, *more = reject_history(here.project.kafka, EVER, position(here, 2))
    assert first.original == GOOD
    assert [each.reason for each in more] == [REPLAYED]
    assert len(reject_history(here.project.kafka, EVER, position(here, 1))) == 1


@pytest.mark.parametrize(
    "text",
    ["", "1", "transactions:1", "transactions:1:", ":0:1", "a:0:-1", "a:\u0660:1", "a b:0:1"],
)
def test_what_is_no_position_is_named(text: str) -> None:
    with pytest.raises(InputError, match="is not a position"):
        MessagePosition.parse(text)


@given(st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True), st.integers(0), st.integers(0))
def test_a_position_reads_as_it_is_printed(topic: str, partition: int, offset: int) -> None:
    written = MessagePosition(topic, partition % 2**31, offset % 2**63)
    assert MessagePosition.parse(str(written)) == written
