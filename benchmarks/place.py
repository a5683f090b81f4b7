"""Where benchmarks run: a broker and bqlite of their own, topics, models, processes."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pyarrow as pa
from benchmarks.measure import say
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from fraudline import flows, local
from fraudline.bundle.bundle import Bundle, open_bundle
from fraudline.contract import json_lines
from fraudline.datasets.files import read_transactions
from fraudline.errors import BrokerError
from fraudline.local import Companion
from fraudline.settings import KafkaSettings, PolicySettings, Settings, load_settings
from fraudline.stream.broker import client_config, create_topics, existing_topics
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.use_cases.project import Project
from fraudline.warehouse.tables import create_stream_tables

SAMPLE = Path(__file__).parents[1] / "tests" / "data" / "creditcard-sample.csv"
_NUMBERS = itertools.count()
_TIMEOUT_S = 180.0
_LEGITIMATE_PER_FRAUD = 577  # in the whole data set
# The model of the whole data set stopped 78 of its 56,962 test payments, 0.14 % (`make demo`).
ALERT_SHARE = 0.002


class Place:
    """A project whose topics, consumer group and data set nothing else uses.

    Args:
        settings: Its settings; the services of its home run.
    """

    def __init__(self, settings: Settings) -> None:
        self.project = Project(settings)
        if self.kafka.topic_decisions not in existing_topics(self.kafka):
            self._create_topic_with_arrival_times(self.kafka.topic_decisions)
        create_topics(self.kafka, self.project.stream_topics)
        for topic in self.project.stream_topics:
            wait_until(lambda: self._has_leaders(topic), 30, f"leaders of topic '{topic}'")  # noqa: B023 - called here and now
        create_stream_tables(self.project.warehouse, self.project.contract)

    def _create_topic_with_arrival_times(self, topic: str) -> None:
        """So that every scorer's decisions are dated by the broker, and none by itself."""
        admin = AdminClient(client_config(self.kafka))
        dated = {"message.timestamp.type": "LogAppendTime"}
        made = admin.create_topics([NewTopic(topic, self.kafka.partitions, 1, config=dated)])
        made[topic].result(30)

    def sibling(self, batch_rows: int | None = None, **changes: Any) -> Place:
        """The same services and models with fresh decisions; `changes` are Kafka settings."""
        settings = self.project.settings
        if batch_rows is not None:
            settings = settings.model_copy(
                update={"scoring": settings.scoring.model_copy(update={"batch_rows": batch_rows})}
            )
        return Place(_fresh(settings, **changes))

    def elsewhere(self, home: Path, contract: str) -> Place:
        """The same services for another contract, with models of its own in another home."""
        for shared in ("services.json", "kafka", "bqlite"):
            (home / shared).symlink_to(self.project.settings.home / shared)
        (home / "logs").mkdir()
        # No contract that fraudline brings: its costs have to be given, and any will do here.
        costs = PolicySettings(fraud_cost=15, review_cost=4, wrong_block_cost=25)
        update = {"home": home, "contract": contract, "policy": costs}
        return Place(
            _fresh(
                self.project.settings.model_copy(update=update),
                topic_transactions=f"transactions-{home.name}",
            )
        )

    @property
    def services(self) -> local.Services:
        """The addresses of broker and bqlite."""
        return local.addresses(self.project.settings)

    @property
    def kafka(self) -> KafkaSettings:
        """The broker."""
        return self.project.kafka

    def run(self, *arguments: str) -> None:
        """Run a command of ours to its end."""
        with self.running(*arguments, is_ending=True) as process:
            process.wait()

    @contextmanager
    def running(self, *command: str, is_ending: bool = False) -> Iterator[Watched]:
        """Run a command of ours, or any other whose first word is a path, beside us.

        Raises:
            RuntimeError: it ended by itself, with an error or, unless `is_ending`, at all.
        """
        settings = self.project.settings
        companion = Companion(
            command if "/" in command[0] else local.call(*command),
            local.environment(settings),
            settings.home / "logs" / f"{next(_NUMBERS)}.log",
        )
        with companion.running():
            yield Watched(companion)
            code = companion.process.poll()
            if code if is_ending else code is not None:
                raise RuntimeError(f"{companion.words} failed: {companion.said[-2000:]}")

    def train(self, recipe: str, file: Path = SAMPLE) -> Bundle:
        """Train by a recipe on what was loaded, promote a version of it, and open that.

        One payment in seven of the sample is a fraud, and a policy learned from it stops far
        too many: the version stops `ALERT_SHARE` of the payments that are sent here.
        """
        self.run("train", "--recipe", recipe, "--promote")
        trained = self._champion()
        scores = trained.score(self.project.contract.feature_matrix(self.rows(file)))
        threshold = float(np.quantile(scores, 1 - ALERT_SHARE))
        self.project.registry.promote(self.blocking_from(trained.manifest.version, threshold))
        return self._champion()

    def blocking_from(self, version: str, threshold: float) -> str:
        """Make a version of the same model that blocks from a score, and reviews nothing."""
        known = {manifest.version for manifest in self.project.registry.versions()}
        fixed = str(threshold)
        self.run("models", "policy", version, "--review-from", fixed, "--block-from", fixed)
        (made,) = {manifest.version for manifest in self.project.registry.versions()} - known
        return made

    def _champion(self) -> Bundle:
        registry = self.project.registry
        return open_bundle(registry.path(registry.champion()), self.project.contract)

    def rows(self, file: Path = SAMPLE) -> pa.Table:
        """The file's legitimate transactions, and frauds in the share they have in real data.

        The sample has every fraud of the whole data set, but few of the others.
        """
        rows = read_transactions(file, self.project.contract).rows
        labels = self.project.contract.labels(rows)
        frauds, legitimate = np.flatnonzero(labels), np.flatnonzero(labels == 0)
        few = frauds[: max(1, len(legitimate) // _LEGITIMATE_PER_FRAUD)]
        return rows.take(np.sort(np.concatenate([legitimate, few])))

    def lines(self, file: Path = SAMPLE) -> list[bytes]:
        """The same as messages."""
        names = [column.name for column in self.project.contract.transaction_columns]
        return json_lines(self.rows(file).select(names))

    def fill(self, topic: str, lines: Sequence[bytes], count: int) -> None:
        """Produce so many messages to a topic, the lines over and over, evenly."""
        producer = Producer({**client_config(self.kafka), "linger.ms": 50, "batch.size": 1_000_000})
        for index in range(count):
            while True:
                try:
                    producer.produce(
                        topic,
                        lines[index % len(lines)],
                        partition=index % self.kafka.partitions,
                    )
                    break
                except BufferError:
                    producer.poll(0.05)
        if left := producer.flush(60):
            raise RuntimeError(f"{left} messages did not arrive in topic '{topic}'")

    def end_of(self, topic: str) -> Callable[[], int]:
        """A function that tells how many offsets of a topic are taken, committed or not."""
        options = {"group.id": "benchmark", "isolation.level": "read_uncommitted"}
        consumer = Consumer({**client_config(self.kafka), **options})
        parts = [TopicPartition(topic, number) for number in range(self.kafka.partitions)]

        return lambda: sum(consumer.get_watermark_offsets(part, timeout=10)[1] for part in parts)

    def _has_leaders(self, topic: str) -> bool:
        try:
            return bool(offset_ranges(self.kafka, topic))
        except BrokerError:  # the topic is so fresh that nobody is responsible for it yet
            return False

    def times_ms(self, topic: str) -> npt.NDArray[np.int64]:
        """Time stamps of a topic's committed messages, milliseconds since 1970, in order."""
        stamps: list[int] = []
        for partition, (start, stop) in offset_ranges(self.kafka, topic).items():
            for _, _, messages in read_range(self.kafka, topic, partition, start, stop, 50_000):
                stamps += messages.sent_at_ms
        return np.sort(np.asarray(stamps, dtype=np.int64))


class Watched(psutil.Process):
    """A command that runs beside us, and what it takes of the machine."""

    def __init__(self, companion: Companion) -> None:
        super().__init__(companion.process.pid)
        self._process = companion.process

    def poll(self) -> int | None:
        """Its exit code once it has ended."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, as soon as it ends."""
        return self._process.wait(timeout)


@contextmanager
def opened() -> Iterator[Place]:
    """A place with services that just started and an empty home, until the block ends."""
    settings = load_settings()
    home = (settings.home / "bench").absolute()
    if home.exists():
        local.down(settings.model_copy(update={"home": home}), say)
        shutil.rmtree(home)
    home.mkdir(parents=True)
    settings = Settings(home=home, contract="creditcard")
    with local.running(settings, say):
        yield Place(_fresh(settings))


@dataclass(frozen=True)
class Throughput:
    """What a process did between a tenth and nine tenths of its messages.

    Attributes:
        rate: Messages a second, by the time at which the broker had them.
        cpu_us: Processor time that the process took for one message, all its threads.
    """

    rate: float
    cpu_us: float


def throughput(place: Place, command: tuple[str, ...], count: int, copies: int = 1) -> Throughput:
    """Let a program, in one process or several, fill the topic of decisions.

    The topic of transactions is full already, so that no producer competes.
    """
    topic = place.kafka.topic_decisions
    end, deadline = place.end_of(topic), time.monotonic() + _TIMEOUT_S
    with ExitStack() as stack:
        running = [stack.enter_context(place.running(*command)) for _ in range(copies)]
        seen: list[tuple[int, float]] = []
        while not seen or seen[-1][0] < count:
            if time.monotonic() > deadline or any(one.poll() is not None for one in running):
                raise RuntimeError(f"{seen[-1:]} of {count:,} messages in topic '{topic}'")
            times = [one.cpu_times() for one in running]
            seen.append((end(), sum(one.user + one.system for one in times)))
            time.sleep(0.05)
    first, last = (next(at for at in seen if at[0] >= count * share) for share in (0.1, 0.9))
    times_ms = place.times_ms(topic)
    offsets_a_message = end() / len(times_ms)  # the end of a transaction takes an offset, too
    times_ms = times_ms[:count]
    begin, stop = len(times_ms) // 10, len(times_ms) * 9 // 10
    return Throughput(
        float((stop - begin) / (times_ms[stop] - times_ms[begin]) * 1000),
        (last[1] - first[1]) / (last[0] - first[0]) * offsets_a_message * 1e6,
    )


def wait_until(is_true: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for a condition, and fail loudly if it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.1)


def _fresh(settings: Settings, **changes: Any) -> Settings:
    number = next(_NUMBERS)
    fresh = {"group": f"group-{number}"}
    for flow in flows.FLOWS:
        if flow is not flows.TRANSACTIONS or not settings.kafka.model_fields_set:
            fresh[f"topic_{flow.name}"] = f"{flow.name}-{number}"
    kafka = settings.kafka.model_copy(update={**fresh, **changes})
    bigquery = settings.bigquery.model_copy(update={"dataset": f"bench_{number}"})
    return settings.model_copy(update={"kafka": kafka, "bigquery": bigquery})
