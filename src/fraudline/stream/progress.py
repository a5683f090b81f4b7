"""What a running loop reports of itself: how far it is, what it does, what it waits for.

The loop reports from its single thread, a few plain numbers for each batch. Whoever wants to
know (the status line, metrics, health) takes a snapshot from another thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import confluent_kafka
import msgspec
import numpy as np

from fraudline.contract import RejectReason
from fraudline.stream.client_statistics import EVERY_MS, ClientStatistics, parse_statistics
from fraudline.stream.counts import DecisionCounts, FailedSide, FailureCounts, Task
from fraudline.stream.durations import DurationHistogram
from fraudline.stream.intake import Intake, PartitionKey, Partitions
from fraudline.stream.served_model import ServedModel

_LOG = logging.getLogger(__name__)
_UNREADABLE = (
    f"health cannot be judged, since the statistics of this Kafka client (librdkafka "
    f"{confluent_kafka.libversion()[0]}) cannot be read: %s. Install the versions of "
    "requirements/"
)
RECALLED = ("whole", "by_id", "unreadable")
# A broker answers each fetch within 0.1 s; an older answer is no evidence.
FRESH_S = 2.0
# Any producer can write any time stamp; one this old, or none (-1), says nothing about speed.
_OLDEST_S = 365 * 86_400.0


@dataclass
class LoopState:
    """What is known about a loop at one moment. Times are those of `time.monotonic`.

    Attributes:
        task: Which loop runs.
        model: Which version decides; None for a sink.
        decided: Transactions whose decision is committed; zero for a sink.
        stored: Rows that are stored, by table; empty for a scorer.
        rejected: Messages by the reason why they were rejected.
        cut: Decided messages of which something was ignored, as their contract says.
        recalled: Earlier decisions that were read back, by how much is known of them, as in
            `Recall`; for a scorer whose contract has an id.
        learned: Periods that a learner has done, by step; empty for the others.
        alarms: How many alarms the last period that a learner watched has, by detector.
        judged: Figures of the last period that a learner judged for the first time, by part of the
            payments and by name; without those that are not known.
        failures: Sessions that ended by a failure.
        latencies: Ages of messages when they were finished, by their own time stamps; without
            those that have no time stamp, or one more than a year old.
        steps: How long each step of the loop took.
        step: The one that the loop is in.
        step_since: Since when.
        failed_with: Why the last session ended, until every partition is fine again.
        failed_at: When it ended.
        waits_for: What the loop waits for, while it cannot continue.
        waits_since: Since when.
        appends_in_flight: Appends that BigQuery has not answered yet.
        topics_seen_at: When the broker last said which topics there are, and how wide; None if
            the loop does not ask.
        statistics: What the Kafka client reported last.
        statistics_fault: Why its last report cannot be read; without one, nothing is certain.
        positions: The next offset to be taken, for each fetched partition.
        held: Messages waiting in partitions that are not fetched while the loop waits.
        taken: The offset after the last message taken, for each partition.
        finished: The offset after the last message finished, for each partition.
        proved_at: When each partition last had a message finished, or certainly had nothing to
            do. A member without partitions has one entry, `None`: that it is in its group. So has
            a learner: that it did something for a period, or had nothing to do.
    """

    task: Task
    model: ServedModel | None = None
    decided: DecisionCounts = field(default_factory=DecisionCounts)
    stored: Counter[str] = field(default_factory=Counter)
    rejected: Counter[RejectReason] = field(
        default_factory=lambda: Counter(dict.fromkeys(RejectReason, 0))
    )
    cut: int = 0
    recalled: dict[str, int] = field(default_factory=dict)
    learned: Counter[str] = field(default_factory=Counter)
    alarms: dict[str, int] = field(default_factory=dict)
    judged: dict[str, dict[str, float]] = field(default_factory=dict)
    failures: FailureCounts = field(default_factory=FailureCounts)
    latencies: DurationHistogram = field(default_factory=DurationHistogram)
    steps: dict[str, DurationHistogram] = field(default_factory=dict)
    step: str = "start"
    step_since: float = field(default_factory=time.monotonic)
    failed_with: str | None = None
    failed_at: float = 0.0
    waits_for: str | None = None
    waits_since: float = 0.0
    appends_in_flight: int = 0
    topics_seen_at: float | None = None
    statistics: ClientStatistics | None = None
    statistics_fault: str | None = None
    positions: dict[PartitionKey, int] = field(default_factory=dict)
    held: dict[PartitionKey, int] = field(default_factory=dict)
    taken: dict[PartitionKey, int] = field(default_factory=dict)
    finished: dict[PartitionKey, int] = field(default_factory=dict)
    proved_at: dict[PartitionKey | None, float] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """How many messages were decided or stored."""
        return self.decided.total + self.stored.total()

    def waiting_messages(self) -> dict[PartitionKey, int]:
        """How many offsets of each partition are still to be processed, as far as is known."""
        waiting = dict(self.held)
        for key, fetched in self.statistics.partitions.items() if self.statistics else ():
            if key not in self.positions:
                continue
            position = self.positions[key]
            if self.is_in_hand(key):
                position = self.finished.get(key, position)
            waiting[key] = max(0, fetched.end - position)
        return waiting

    def silent_s(self, now: float) -> float:
        """Age of the oldest evidence that a partition was fine; infinite if there never was any."""
        return now - min(self.proved_at.values(), default=float("-inf"))

    def is_in_hand(self, key: PartitionKey) -> bool:
        """Whether messages of a partition were taken and are not finished."""
        return self.taken.get(key) != self.finished.get(key) and key in self.taken


class Progress:
    """Keeps the state of one loop from its start to its end, across all of its sessions.

    Args:
        task: Which loop runs.
        tables: Where a sink stores rows, so that each table is counted from zero on.
    """

    def __init__(self, task: Task, tables: Iterable[str] = ()) -> None:
        self._state = LoopState(task, stored=Counter(dict.fromkeys(tables, 0)))
        self._source: object = None
        self._fresh: str | None = None
        self._intake: Intake | None = None
        self._lock = threading.Lock()

    @property
    def task(self) -> Task:
        """Which loop runs."""
        return self._state.task

    def snapshot(self) -> LoopState:
        """What is known now. Never waits for the loop, even if that hangs."""
        with self._lock:
            return deepcopy(self._state)

    @property
    def step(self) -> tuple[str, float]:
        """The step that the loop is in, and since when by `time.monotonic`: both tell it apart."""
        with self._lock:
            return self._state.step, self._state.step_since

    @property
    def client_statistics(self) -> tuple[ClientStatistics | None, int]:
        """What the Kafka client reported last, as far as it could be read.

        And how many partitions messages were wanted of then: those that are held back are
        assigned, and not fetched.
        """
        with self._lock:
            return self._state.statistics, len(self._state.positions)

    @property
    def consumer_options(self) -> dict[str, Any]:
        """Options of one consumer that deliver its statistics here while it is consumed from.

        Those of consumers before it, which may still be ending, count no more.
        """
        source = self._source = object()

        def take(text: str) -> None:
            if source is self._source:
                self._fresh = text

        return {"statistics.interval.ms": EVERY_MS, "stats_cb": take}

    def attach(self, intake: Intake) -> None:
        """Use this intake to learn how far the session is."""
        self._intake = intake

    def begin_step(self, name: str) -> None:
        """Note which step the loop takes from now on."""
        with self._lock:
            self._begin(name)

    def record_taken(self, offsets: Partitions, step: str) -> None:
        """Note that messages were taken, and which step comes next.

        Args:
            offsets: The one after the last of them, for each partition.
            step: What the loop does from now on.
        """
        with self._lock:
            self._state.taken.update(_positions(offsets))
            self._look_at_statistics()
            self._begin(step)

    def record_idle(self) -> None:
        """Note that there was nothing to take; what was taken earlier may still be in hand."""
        with self._lock:
            self._look_at_statistics()

    def record_done(
        self,
        offsets: Partitions,
        sent_at_ms: Sequence[int],
        *,
        decided: DecisionCounts | None = None,
        stored: Mapping[str, int] | None = None,
        rejected: Mapping[RejectReason, int] | None = None,
        cut: int = 0,
    ) -> None:
        """Count messages whose outcomes are safe now: committed, or stored.

        Args:
            offsets: The one after the last of them, for each partition.
            sent_at_ms: When each was sent, milliseconds since 1970 UTC.
            decided: How many of them were decided which way.
            stored: How many rows of them are stored, by table.
            rejected: How many of them were rejected, by reason.
            cut: Of how many of them something was ignored.
        """
        finished = _positions(offsets)
        sent_at = np.fromiter(sent_at_ms, np.int64, len(sent_at_ms))
        ages_s = np.maximum(time.time() - sent_at / 1000, 0.0)  # a clock may be ahead of ours
        with self._lock:
            state = self._state
            state.finished.update(finished)
            state.proved_at.update(dict.fromkeys(finished, time.monotonic()))
            if decided is not None:
                state.decided.add(decided)
            state.stored.update(stored or {})
            state.rejected.update(rejected or {})
            state.cut += cut
            state.latencies.add_all(ages_s[ages_s <= _OLDEST_S])

    def record_model(self, model: ServedModel) -> None:
        """Note which version decides, and which was refused."""
        with self._lock:
            self._state.model = model

    def record_recalled(self, counts: Mapping[str, int]) -> None:
        """Note how many earlier decisions were read back so far, by how much is known of them."""
        with self._lock:
            self._state.recalled = {name: counts[name] for name in RECALLED}

    def record_learned(self, step: str | None = None) -> None:
        """Note that a step was done for a period; without one, that nothing is to be done."""
        with self._lock:
            if step is not None:
                self._state.learned[step] += 1
            self._state.proved_at[None] = time.monotonic()
            self._state.failed_with = None

    def record_alarms(self, alarms: Mapping[str, int]) -> None:
        """Note how many alarms a period has, by detector, those that have none among them."""
        with self._lock:
            self._state.alarms = dict(alarms)

    def record_judged(self, figures: Mapping[str, Mapping[str, float]]) -> None:
        """Note the figures of a period that was judged for the first time, by part and by name."""
        with self._lock:
            self._state.judged = {part: dict(named) for part, named in figures.items()}

    def begin_waiting(self, for_what: str) -> None:
        """Note that the loop cannot continue until something outside changes."""
        with self._lock:
            if self._state.waits_for is None:
                self._state.waits_since = time.monotonic()
            self._state.waits_for = for_what

    def end_waiting(self) -> None:
        """Note that the wait is over."""
        with self._lock:
            self._state.waits_for = None
            self._state.held = {}

    def record_held(self, messages: Mapping[PartitionKey, int]) -> None:
        """Note how many messages wait in partitions that are not being fetched."""
        with self._lock:
            self._state.held.update(messages)

    def record_topics(self, seen_at: float) -> None:
        """Note when the broker last said that the topics are what they were."""
        with self._lock:
            self._state.topics_seen_at = seen_at

    def discard_taken(self) -> None:
        """Note that what was taken and is not finished will be taken again, here or elsewhere."""
        with self._lock:
            self._state.taken.clear()

    def record_in_flight(self, appends: int) -> None:
        """Note how many appends BigQuery has not answered yet."""
        with self._lock:
            self._state.appends_in_flight = appends

    def record_failure(self, side: FailedSide, reason: str) -> None:
        """Note that a session failed; the next one begins after a pause.

        Args:
            side: Which side failed.
            reason: What failed, in words.
        """
        with self._lock:
            state = self._state
            state.failures.add(side)
            state.failed_with, state.failed_at = reason, time.monotonic()
            state.waits_for = None
            state.held = {}
            state.appends_in_flight = 0
            state.taken.clear()
            state.finished.clear()
            state.statistics = self._fresh = self._intake = None
            state.positions = {}
            self._begin("pause")

    def _begin(self, step: str) -> None:
        state = self._state
        now = time.monotonic()
        state.steps.setdefault(state.step, DurationHistogram()).add(now - state.step_since)
        state.step, state.step_since = step, now

    def _look_at_statistics(self) -> None:
        """See which partitions certainly have nothing to do.

        A partition with messages in the client's queue or in our hands has something to do. Its
        end is that of the statistics, at most a second old; positions are current.
        """
        if self._fresh is None or self._intake is None:
            return
        state = self._state
        found = self._parsed(self._fresh)
        state.positions = self._intake.positions
        self._fresh = None
        if found is None or not found.is_steady:
            return
        now = time.monotonic()
        # The first partitions have to show progress; later ones are given some time.
        begun_at = now if state.proved_at else float("-inf")
        proofs: dict[PartitionKey | None, float] = {}
        if not found.partitions:
            proofs[None] = max(found.answered_at, state.proved_at.get(None, begun_at))
        for key, fetched in found.partitions.items():
            proofs[key] = state.proved_at.get(key, begun_at)
            if (
                not state.is_in_hand(key)
                and state.positions.get(key, -1) >= fetched.end
                and now - fetched.answered_at < FRESH_S
            ):
                proofs[key] = now
        state.proved_at = proofs
        for kept in (state.taken, state.finished):
            for key in kept.keys() - found.partitions.keys():  # another member has them now
                del kept[key]
        if state.failed_with is not None and min(proofs.values()) > state.failed_at:
            state.failed_with = None

    def _parsed(self, text: str) -> ClientStatistics | None:
        """What the client reported; None, and a line in the log, if it cannot be read."""
        state = self._state
        was_readable = state.statistics_fault is None
        try:
            state.statistics, state.statistics_fault = parse_statistics(text), None
        except (msgspec.DecodeError, ValueError) as error:
            state.statistics, state.statistics_fault = None, _UNREADABLE % error
            if was_readable:
                _LOG.warning("%s: %s; the loop goes on", state.task, state.statistics_fault)
        return state.statistics


def _positions(offsets: Partitions) -> dict[PartitionKey, int]:
    return {(after.topic, after.partition): after.offset for after in offsets}
