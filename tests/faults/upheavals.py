"""Upheavals: what somebody does to topics and groups, after which a person has to act.

A worker that stops and says what to do is right. It is done as it says, or as the guide to
operations does that it names, and the pipeline goes on; then the proof is as after any fault.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions
from tests.faults.pipeline import Pipeline, wait_until
from tests.faults.trial import Trial
from tests.faults.worker import WORKERS, Worker

from fraudline import local
from fraudline.stream.broker import create_topics

_MOST_PARTITIONS = 8
_MOST_AT_ONCE = 8_000
_STOP_TIMEOUT_S = 90.0
_COMMAND_TIMEOUT_S = 120
_MOST_ORDERS = 8
_ORDER = re.compile(r"`fraudline (offsets set [^`]*)`")

# Each is as likely as any other.
UPHEAVALS = (
    "widen transactions",
    "forget scorer",
    "forget sink",
    "recreate transactions",
    "recreate decisions",
    "recreate rejects",
)


@dataclass(frozen=True)
class Upheaval:
    """One of `UPHEAVALS`: what happens, and to what."""

    kind: str

    def __str__(self) -> str:
        return self.kind

    def strike(self, trial: Trial) -> None:
        """Do it to a pipeline that is at rest, do what the workers say, and let all go on."""
        what, target = self.kind.split()
        {"widen": _widen, "forget": _forget, "recreate": _recreate}[what](trial, target)


def _widen(trial: Trial, target: str) -> None:
    """Add a partition while messages come; nobody has to do anything."""
    pipeline, traffic = trial.pipeline, trial.traffic
    if traffic.partitions >= _MOST_PARTITIONS:
        return
    kafka = pipeline.project.kafka
    traffic.begin()
    time.sleep(0.5)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for topic in (kafka.topic_decisions, getattr(kafka, f"topic_{target}")):
        added = admin.create_partitions([NewPartitions(topic, traffic.partitions + 1)])
        added[topic].result(30)
    traffic.widen()
    time.sleep(2)


def _forget(trial: Trial, target: str) -> None:
    """Kill all scorers or all sinks, and delete their group's offsets."""
    pipeline = trial.pipeline
    kafka = pipeline.project.kafka
    trial.traffic.begin()
    time.sleep(1)
    workers = [worker for name, worker in pipeline.workers.items() if name.startswith(target)]
    for worker in workers:
        worker.kill()
    group = f"{kafka.group}.{'score' if target == 'scorer' else 'sink'}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})

    def is_forgotten() -> bool:
        try:
            admin.delete_consumer_groups([group])[group].result(10)
        except KafkaException:  # the killed are not yet taken for dead
            return False
        return True

    wait_until(is_forgotten, _STOP_TIMEOUT_S, f"group {group} to be empty")
    _obey(pipeline, workers, "has no offset for topic")


def _recreate(trial: Trial, target: str) -> None:
    """Delete a topic and make it anew under the running workers."""
    pipeline, traffic = trial.pipeline, trial.traffic
    kafka = pipeline.project.kafka.model_copy(update={"partitions": traffic.partitions})
    topic = getattr(kafka, f"topic_{target}")
    if target == "rejects":
        kafka = kafka.model_copy(update={"partitions": pipeline.project.kafka.partitions})
    longest = traffic.longest
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: create_topics(kafka, [topic]) == [topic], 30, f"topic {topic}")
    if target == "transactions":
        traffic.begin_anew()
        traffic.burst(min(_MOST_AT_ONCE, (longest + 100) * traffic.partitions))
        stopped = ("scorer1", "scorer2")
    else:
        stopped = WORKERS
    for name in stopped:
        _await_stop(pipeline.workers[name], "was deleted and made anew")
    if target == "transactions":  # as the guide says
        for name in ("sink1", "sink2"):
            pipeline.stop(name)
        trial.use_new_tables()
        _order(pipeline, "offsets set score --to start")
        _order(pipeline, "offsets set sink --to committed")
    else:
        _order(pipeline, f"offsets set sink --topic {topic} --to start")
        _order(pipeline, "offsets set score --to committed")
    for name in WORKERS:
        pipeline.start(name)
    traffic.begin()


def _obey(pipeline: Pipeline, workers: list[Worker], expected: str) -> None:
    """Start workers, and do what they say as they stop, until they go on."""
    for _ in range(_MOST_ORDERS):
        for worker in workers:
            if not worker.is_alive:
                worker.start()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while all(worker.is_alive for worker in workers) and not (
            pipeline.is_whole and all(worker.goes_on for worker in workers)
        ):
            assert time.monotonic() < deadline, "neither stopped nor began"
            time.sleep(0.1)
        stopped = [worker for worker in workers if not worker.is_alive]
        if not stopped:
            return
        said = stopped[0].said
        assert expected in said, f"{stopped[0].name} stopped otherwise; see {stopped[0].log}"
        for worker in workers:  # the command is refused while one runs
            worker.end()
        order = _ORDER.search(" ".join(said.split()))
        assert order is not None, f"{stopped[0].name} does not say what to do; see its log"
        _order(pipeline, order[1])
    raise AssertionError(f"after {_MOST_ORDERS} commands they still stop")


def _await_stop(worker: Worker, expected: str) -> None:
    """Wait until a worker has stopped by itself, with exit code 1 and the right words."""
    wait_until(lambda: not worker.is_alive, _STOP_TIMEOUT_S, f"{worker.name} to stop")
    assert worker.exit_code == 1, f"{worker.name} ended with exit code {worker.exit_code}"
    said = " ".join(worker.said.split())
    assert expected in said or "does not exist" in said or "no offset for topic" in said, (
        f"{worker.name} stopped otherwise; see {worker.log}"
    )


def _order(pipeline: Pipeline, words: str) -> None:
    """Run a command as a person does who reads it."""
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while True:
        done = subprocess.run(
            local.call(*shlex.split(words)),
            check=False,
            env=local.environment(pipeline.project.settings),
            cwd=pipeline.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
        )
        if done.returncode == 0:
            return
        # Who was killed is a member until the session times out.
        assert " members" in done.stderr, f"{words}: {done.stderr}"
        assert time.monotonic() < deadline, f"{words}: {done.stderr}"
        time.sleep(1)
