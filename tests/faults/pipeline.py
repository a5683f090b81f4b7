"""A whole pipeline to do harm to: its own services, and workers behind proxies of their own."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
from confluent_kafka import ConsumerGroupState, Producer
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription
from tests.faults.proxy import Network, Proxy
from tests.faults.worker import WORKERS, Worker
from tests.harness import SCREEN
from tests.models import tiny_bundle, tiny_policy

from fraudline import local
from fraudline.bundle.policy import Policy
from fraudline.local import Companion
from fraudline.local.process import end_process, is_alive, is_free
from fraudline.local.service import SERVICES, OnProgress
from fraudline.local.start import await_proof, launch
from fraudline.local.state import read_records
from fraudline.settings import LearningSettings, LocalSettings, Settings
from fraudline.use_cases.learning_steps import BEGUN
from fraudline.use_cases.project import Project
from fraudline.use_cases.set_up import set_up

SERVICE_NAMES = ("kafka", "bqlite")
# All three decisions are to come; whoever mixes two versions is found out by what lies between.
POLICIES = (
    tiny_policy(review_from=0.4, block_from=0.8),
    tiny_policy(review_from=0.3, block_from=0.7),
)
_JUNK = (b"", b"junk", b"{}", b'{"contract":1}', b"\xff\x00" * 40, b"[" * 5000, b"x" * 20_000)
_LEARNING_PERIOD_S = 30.0
_BEGIN_TIMEOUT_S = 120.0  # all begin at once, each with what it imports
_END_TIMEOUT_S = 20.0
_ANSWER_TIMEOUT_S = 10.0
_MOST_PROMOTING_S = 0.3
_JUNK_TIMEOUT_S = 120.0  # a broker may be killed meanwhile


class Pipeline:
    """A broker, a bqlite, two scorers and two sinks; all can be killed, paused and cut off.

    Args:
        home: An empty directory for all they keep and say.
        on_progress: Told what the services do.

    Attributes:
        policies: By what each version decides.
        junk: How many messages that are no labels the topic of labels was sent.
        kills: How often somebody was killed while promoting.
    """

    def __init__(self, home: Path, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._ports = ports = _quiet_ports()
        self._settings = Settings(
            home=home,
            local=LocalSettings(
                kafka_port=next(ports),
                bigquery_port=next(ports),
                bigquery_storage_port=next(ports),
            ),
        )
        self.project = Project(self._settings)
        self._network = Network()
        self._listeners = {name: (next(ports), next(ports)) for name in WORKERS}
        kafka, bqlite = SERVICES
        self._services = {
            "kafka": replace(kafka, command=self._broker_command),
            "bqlite": replace(bqlite, command=lambda *how: [*bqlite.command(*how), "--faults"]),
        }
        self.workers: dict[str, Worker] = {}
        self.policies: dict[str, Policy] = {}
        self.junk = 0
        self.kills = 0
        self._beside: dict[str, Companion] = {}
        self._datasets = 1

    def open(self) -> None:
        """Start everything."""
        (self.home / "logs").mkdir(parents=True)
        for service in self._services.values():
            launch(service, self._settings, self._on_progress)
        for service in self._services.values():
            await_proof(service, self._settings, self._on_progress, is_fresh=True)
        set_up(self.project)
        registry = self.project.registry
        for policy in POLICIES:
            candidate = registry.new_directory()
            tiny_bundle(candidate, self.project.contract, policy=policy)
            self.policies[registry.add(candidate).version] = policy
        registry.promote(next(iter(self.policies)))
        for name in WORKERS:
            self.workers[name] = self._worker(name)
            self.workers[name].start()
        workers = self.workers.values()
        wait_until(
            lambda: all(worker.is_working for worker in workers), _BEGIN_TIMEOUT_S, "workers"
        )

    @property
    def bigquery_rest(self) -> str:
        """Where bqlite is, by no proxy."""
        return f"http://127.0.0.1:{self._settings.local.bigquery_port}"

    def pid(self, name: str) -> int:
        """Process number of a worker or a service."""
        if name in self.workers:
            return self.workers[name].pid
        pid = read_records(self.home)[name].pid
        assert pid is not None
        return pid

    @property
    def home(self) -> Path:
        """Where everything is; logs are in `logs`."""
        return self._settings.home

    def stop(self, name: str) -> None:
        """End a worker or a service in order, as SIGTERM asks for."""
        if name in self.workers:
            self.workers[name].stop()
            return
        service = self._services[name]
        end_process(self.pid(name), service.lock(self.home), service.stop_grace_s)

    def kill(self, name: str) -> None:
        """`kill -9` of a worker or a service."""
        if name in self.workers:
            self.workers[name].kill()
            return
        os.kill(self.pid(name), signal.SIGKILL)
        lock = self._services[name].lock(self.home)
        wait_until(lambda: not is_alive(lock), _END_TIMEOUT_S, f"{name} to end")

    def start(self, name: str) -> None:
        """Start what was ended, at the same ports and with the same data."""
        if name in self.workers:
            self.workers[name].start()
            return
        service = self._services[name]
        launch(service, self._settings, self._on_progress)
        await_proof(service, self._settings, self._on_progress, is_fresh=True)

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        os.kill(self.pid(name), signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        os.kill(self.pid(name), signal.SIGCONT)

    def kill_promoters(self, for_s: float) -> None:
        """One process after the other promotes and rolls back, until it is killed somewhere."""
        names = (str(self.home), self.project.contract.name, *self.policies)
        words = [sys.executable, "-m", "tests.faults.promoter", *names]
        ends_at = time.monotonic() + for_s
        while True:
            self._start_beside("promoter", words, {})
            promoter = self._beside["promoter"]
            wait_until(lambda it=promoter: it.said or not it.is_alive, _END_TIMEOUT_S, "promotions")
            time.sleep(random.uniform(0.0, _MOST_PROMOTING_S))
            assert promoter.is_alive, promoter.said
            promoter.kill()
            self.kills += 1
            if time.monotonic() > ends_at:
                return

    def start_learner(self) -> None:
        """Start `fraudline learn`, which judges short periods."""
        learning = LearningSettings(period_s=_LEARNING_PERIOD_S)
        settings = self._settings.model_copy(update={"learning": learning})
        self._start_beside("learner", local.call("learn"), local.environment(settings) | SCREEN)

    def await_learner(self) -> None:
        """Until it says that it learns.

        Raises:
            AssertionError: it ended before.
        """
        learner = self._beside["learner"]
        wait_until(
            lambda: BEGUN in learner.said or not learner.is_alive, _END_TIMEOUT_S, "a learner"
        )
        assert BEGUN in learner.said, learner.said

    def kill_learner(self) -> None:
        """`kill -9` of it. By itself it may only have ended where it could not begin."""
        learner = self._beside["learner"]
        ended_by_itself = not learner.is_alive
        said = learner.said
        learner.kill()
        assert not (ended_by_itself and BEGUN in said), said

    def _start_beside(self, name: str, words: Sequence[str], environment: dict[str, str]) -> None:
        log = self.home / "logs" / f"{name}.log"
        around = environment or dict(os.environ)
        self._beside[name] = Companion(words, around, log, None if not environment else self.home)
        self._beside[name].start()

    def take_registry_away(self) -> None:
        """As a directory that is not mounted any more."""
        (self.home / "models").rename(self.home / "away")

    def bring_registry_back(self) -> None:
        """Mount it again."""
        (self.home / "away").rename(self.home / "models")

    def flood_labels(self, count: int) -> None:
        """Send so many messages to the topic of labels of which none is a label."""
        kafka = self.project.kafka
        producer = Producer(
            {"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True}
        )
        failed: list[object] = []
        for number in range(count):
            producer.produce(
                kafka.topic_labels,
                value=_JUNK[number % len(_JUNK)],
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
            producer.poll(0)
        assert producer.flush(_JUNK_TIMEOUT_S) == 0
        assert not failed, failed[0]
        self.junk += count

    @property
    def champion(self) -> str:
        """Who is to decide; the registry says it in two ways that must agree.

        Raises:
            AssertionError: they do not, or a change is told otherwise than it happened.
        """
        registry = self.project.registry
        champion, promotions, changes = (
            registry.champion(),
            registry.promotions(),
            [each for each in registry.changes() if each.change in {"promoted", "rolled-back-to"}],
        )
        done = [(each.at, each.version) for each in changes if each.is_done]
        assert done == [(each.at, each.version) for each in promotions], "the changes differ"
        assert champion == promotions[-1].version, "half promoted"
        assert all(each.signature for each in changes), "a champion that nobody wrote down"
        assert len(changes) - len(done) <= self.kills, "a change did not happen, and none was cut"
        return champion

    @property
    def is_following(self) -> bool:
        """Whether all scorers say that the champion decides."""
        champion = self.champion
        scorers = [each for name, each in self.workers.items() if name.startswith("scorer")]
        return all(each.decides_by == champion for each in scorers)

    @property
    def is_whole(self) -> bool:
        """Whether both scorers and both sinks have their share of the partitions.

        One that hangs is not missed otherwise: the other takes its place.
        """
        return all(
            group.state == ConsumerGroupState.STABLE
            and [bool(member.assignment.topic_partitions) for member in group.members] == [True] * 2
            for group in self._groups()
        )

    def tend(self) -> None:
        """Restart workers that could not begin, and fail if one gave up."""
        for worker in self.workers.values():
            worker.tend()

    def use_new_tables(self) -> None:
        """Make another data set, which workers use from their next start on."""
        self._datasets += 1
        bigquery = self._settings.bigquery.model_copy(
            update={"dataset": f"fraud_detection_{self._datasets}"}
        )
        self._settings = self._settings.model_copy(update={"bigquery": bigquery})
        self.project = Project(self._settings)
        set_up(self.project)
        for worker in self.workers.values():
            worker.use_tables(bigquery)

    @property
    def pids(self) -> dict[str, int]:
        """Process numbers of all workers."""
        return {name: worker.pid for name, worker in self.workers.items()}

    @property
    def sink_members(self) -> frozenset[str]:
        """Who is in the sinks' consumer group, by the ids that the broker gave out."""
        return frozenset(member.member_id for member in self._groups()[1].members)

    @property
    def sink_bytes(self) -> int:
        """Memory of the sink that occupies most."""
        sinks = [worker.pid for name, worker in self.workers.items() if name.startswith("sink")]
        return max(int(psutil.Process(pid).memory_info().rss) for pid in sinks)

    def close(self) -> None:
        """End everything; data and logs stay."""
        for beside in self._beside.values():
            if beside.is_alive:
                beside.kill()
        for worker in self.workers.values():
            worker.kill()
        for service in read_records(self.home).values():
            if service.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(service.pid, signal.SIGCONT)
        local.down(self._settings, self._on_progress)
        for worker in self.workers.values():
            for proxy in worker.links.values():
                proxy.close()
        self._network.close()

    def _groups(self) -> list[ConsumerGroupDescription]:
        kafka = self.project.kafka
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        answers = admin.describe_consumer_groups([f"{kafka.group}.score", f"{kafka.group}.sink"])
        return [answer.result(_ANSWER_TIMEOUT_S) for answer in answers.values()]

    def _worker(self, name: str) -> Worker:
        at, leads_to = self._listeners[name]
        ways = {"kafka": (at, leads_to)}
        if name.startswith("sink"):
            own = self._settings.local
            ways["rest"] = (next(self._ports), own.bigquery_port)
            ways["storage"] = (next(self._ports), own.bigquery_storage_port)
        return Worker(
            name,
            self.home,
            {role: Proxy(self._network, *way) for role, way in ways.items()},
            {role: port for role, (port, _) in ways.items()},
        )

    def _broker_command(
        self, settings: Settings, directory: Path, ports: Mapping[str, int], say: OnProgress
    ) -> list[str]:
        """The broker's command, with a listener for each worker that names the worker's proxy.

        A client goes where the broker tells it to; were it the broker's own port, the proxy
        would see no more than the first question.
        """
        client = f"CLIENT://127.0.0.1:{ports['client']}"
        places = self._listeners.items()
        listeners = [
            client,
            f"CONTROLLER://127.0.0.1:{ports['controller']}",
            *(f"{name.upper()}://127.0.0.1:{port}" for name, (_, port) in places),
        ]
        advertised = [client, *(f"{name.upper()}://127.0.0.1:{at}" for name, (at, _) in places)]
        names = [listener.partition(":")[0] for listener in listeners]
        overrides = {
            "listeners": listeners,
            "advertised.listeners": advertised,
            "listener.security.protocol.map": [f"{name}:PLAINTEXT" for name in names],
        }
        command = SERVICES[0].command(settings, directory, ports, say)
        for name, values in overrides.items():
            command += ["--override", f"{name}={','.join(values)}"]
        return command


@contextmanager
def pipeline(home: Path, on_progress: OnProgress) -> Iterator[Pipeline]:
    """A pipeline that runs inside the `with` block and ends with it."""
    made = Pipeline(home, on_progress)
    try:
        made.open()
        yield made
    finally:
        made.close()


def wait_until(is_true: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for a condition, and fail if it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s for {what}, in vain"
        time.sleep(0.05)


def _quiet_ports() -> Iterator[int]:
    """Free ports that nobody else is given while the service that listens there is down.

    Neither by the kernel, which gives higher ones to those who connect, nor by `fraudline up`,
    with which tests beside this one start services; and there is one pipeline at a time.
    """
    places = random.SystemRandom().sample(range(10_000, 15_000), 1_000)
    return (port for port in places if is_free(port))
