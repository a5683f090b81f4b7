"""`fraudline learn`, killed at any moment, again and again; `make learner-kills` runs this.

Two kinds of world, with the same payments and labels: in one a line of versions has won, in the
other a network learns on in a process of its own. In each a learner is started and killed a few
times, then one is let finish, and what stands is compared with what a learner finds that nobody
kills. Each world has a registry of its own, and the data set to itself: a version's name follows
from what it was made of, the table's name in it, so the same ones are to come.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tests.harness import SCREEN
from tests.use_cases.versions import add_learned, add_network, add_version
from tests.warehouse.test_counting_labels import HOUR, Told, decision, fill

from fraudline import flows, local
from fraudline.bundle.bundle_files import check_bundle
from fraudline.contract import Period
from fraudline.local import Companion
from fraudline.local.process import end_process, is_free
from fraudline.local.service import SERVICES
from fraudline.local.start import await_proof, launch
from fraudline.local.state import read_records
from fraudline.registry import registry as registry_module
from fraudline.registry.promotions import PROMOTED, ROLLED_BACK
from fraudline.settings import BigQuerySettings, KafkaSettings, LocalSettings, Settings
from fraudline.use_cases.learning_steps import BEGUN
from fraudline.use_cases.project import Project
from fraudline.use_cases.run_learning import LearningRun
from fraudline.warehouse.learning_tables import create_learning_tables, read_rows
from fraudline.warehouse.tables import create_stream_tables

LINE, NETWORK = "line", "network"
KILLS_A_WORLD = 10
_NETWORK_EVERY = 5  # of so many worlds one has a network that learns, with TensorFlow
_DAY = dt.timedelta(days=1)
_PERIODS, _PAYMENTS, _FRAUDS = 10, 60, 12
_BEGIN_TIMEOUT_S = 120.0
_END_TIMEOUT_S = 20.0
_LONGEST_S = {LINE: 5.0, NETWORK: 12.0}
_EARLY_SHARE = 0.2  # of the kills, so many strike before it has said that it begins
# Which of a learner's time may differ between two that found the same: when, and how long.
_OF_THE_CLOCK = {"written_at", "processor_s", "row_key", "champion_since", "told", "state"}
_TABLES = (flows.MEASURES, flows.ALARMS, flows.UPDATES, flows.GATES, flows.CALIBRATIONS)


@dataclass
class World:
    """A champion, what it decided in days that are mature, and a learner that can be killed.

    Attributes:
        project: Whose everything is.
        learner: The process.
    """

    project: Project
    learner: Companion

    def learn_and_die(self, chance: random.Random, longest_s: float) -> str:
        """Start a learner, kill it somewhere; gives what it was doing, for the count."""
        self.learner.start()
        begun_at = time.monotonic()
        is_early = chance.random() < _EARLY_SHARE
        while not is_early and BEGUN not in self.learner.said:
            assert self.learner.is_alive, self.learner.said
            assert time.monotonic() < begun_at + _BEGIN_TIMEOUT_S, self.learner.said
            time.sleep(0.02)
        time.sleep(chance.uniform(0.0, 2.0 if is_early else longest_s))
        assert self.learner.is_alive, self.learner.said
        process = psutil.Process(self.learner.process.pid)
        children = process.children(recursive=True)
        told = self.learner.said.rstrip().rpartition("\n")[2].partition(" ")[0]
        self.learner.kill()
        _, alive = psutil.wait_procs(children, _END_TIMEOUT_S)
        assert not alive, f"{alive} went on without the learner"
        if children:
            return "in its process that learns"
        return f"after '{told}'" if BEGUN in self.learner.said else "before it began"

    def finish(self) -> list[str]:
        """Let a learner do all that is due; gives what it said."""
        said: list[str] = []
        LearningRun(
            self.project, on_done=lambda done: said.append(f"{done.step}: {done.said}")
        ).advance()
        return said

    def rows(self, table: flows.LearningTable) -> list[dict[str, Any]]:
        """What a learner wrote, of which each key is there once."""
        rows = read_rows(self.project.warehouse, table, self.project.contract)
        often = [key for key, count in Counter(row["row_key"] for row in rows).items() if count > 1]
        assert not often, f"written twice: {often}"
        return rows

    def found(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of all its tables, without what follows from when they were found."""
        return {
            table.name: [
                {name: value for name, value in row.items() if name not in _OF_THE_CLOCK}
                for row in self.rows(table)
            ]
            for table in _TABLES
        }

    def promoted(self) -> list[str]:
        """Which versions it promoted by itself."""
        return [each.version for each in self.project.registry.promotions()[1:]]

    def check_registry(self) -> None:
        """Nothing half made or half promoted: all versions are whole, and the list agrees."""
        registry = self.project.registry
        for manifest in registry.versions():
            check_bundle(registry.path(manifest.version))
        registry.discard(registry.new_directory())  # removes what the killed have left
        left = [path.name for path in registry.directory.glob(".candidate-*")]
        assert not left, left
        promotions = registry.promotions()
        done = [
            (each.at, each.change, each.version)
            for each in registry.changes()
            if each.is_done and each.change in {PROMOTED, ROLLED_BACK}
        ]
        assert done == [(each.at, each.change, each.version) for each in promotions]
        assert promotions[-1].version == registry.champion()


@dataclass
class KillCount:
    """What was done so far.

    Attributes:
        kills: How many learners were killed.
        worlds: In how many worlds.
        moments: At which moments, and how often.
        rows: How many rows of a learner's tables were compared.
        promoted: In how many worlds a version was promoted, once.
    """

    kills: int = 0
    worlds: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    promoted: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills in {self.worlds} worlds, {self.rows:,} rows compared with those "
            f"of a learner that nobody killed: 0 lost, 0 doubled, 0 differing; {self.promoted} "
            "promotions, none of them half"
        )


@contextmanager
def warehouse_of_worlds(home: Path) -> Iterator[Settings]:
    """A BigQuery of this machine for all worlds; gives the settings that reach it."""
    (home / "logs").mkdir(parents=True)
    ports = (port for port in range(28_400, 28_999) if is_free(port))
    settings = Settings(
        home=home,
        kafka=KafkaSettings(bootstrap_servers="127.0.0.1:9"),  # a learner never asks it
        local=LocalSettings(bigquery_port=next(ports), bigquery_storage_port=next(ports)),
    )
    (bqlite,) = [each for each in SERVICES if each.name == "bqlite"]
    launch(bqlite, settings, lambda _: None)
    await_proof(bqlite, settings, lambda _: None, is_fresh=True)
    try:
        yield settings
    finally:
        pid = read_records(home)["bqlite"].pid
        assert pid is not None
        end_process(pid, bqlite.lock(home), bqlite.stop_grace_s)


def kill_learners(
    settings: Settings, kills: int, seed: int, say: Callable[[str], None] = lambda _: None
) -> KillCount:
    """Kill learners, and compare what they leave.

    Args:
        settings: As `warehouse_of_worlds` gives them.
        kills: How many.
        seed: By which moments are drawn.
        say: Told of each world.

    Raises:
        AssertionError: something was lost, doubled, half done, or found otherwise.
    """
    chance, count = random.Random(seed), KillCount()
    expected: dict[str, tuple[dict[str, list[dict[str, Any]]], list[str]]] = {}
    while count.kills < kills:
        kind = NETWORK if count.worlds % _NETWORK_EVERY == _NETWORK_EVERY - 1 else LINE
        if kind not in expected:
            alone = _world(settings, f"alone_{kind}", kind)
            said = alone.finish()
            expected[kind] = alone.found(), alone.promoted()
            say(f"a {kind} that nobody kills: {'; '.join(said[-3:])}")
        world = _world(settings, f"world_{count.worlds}", kind)
        for _ in range(min(KILLS_A_WORLD, kills - count.kills)):
            moment = world.learn_and_die(chance, _LONGEST_S[kind])
            count.kills, count.moments = count.kills + 1, count.moments + Counter([moment])
        world.finish()
        world.check_registry()
        found, (wanted, promoted) = world.found(), expected[kind]
        for name, rows in found.items():
            assert rows == wanted[name], f"{name} of {world.project.settings.home} differ"
            count.rows += len(rows)
        # Killed between its row and the promotion, it promotes after the next period.
        assert world.promoted() in ([], promoted)
        count.promoted += len(world.promoted())
        count.worlds += 1
        say(f"{kind:8} {count.kills:4d} kills, promoted {world.promoted()}")
    return count


def _world(settings: Settings, name: str, kind: str) -> World:
    """A data set and a registry of its own; the same payments and versions in each of a kind."""
    home = settings.home / name
    home.mkdir(mode=0o700)
    for shared in ("services.json", "bqlite"):
        (home / shared).symlink_to(settings.home / shared)
    own = settings.model_copy(update={"home": home, "bigquery": BigQuerySettings(dataset="worlds")})
    project = Project(own)
    project.warehouse.client.delete_dataset("worlds", delete_contents=True, not_found_ok=True)
    create_stream_tables(project.warehouse, project.contract)
    create_learning_tables(project.warehouse)
    today = Period.holding(dt.datetime.now(dt.UTC), _DAY.total_seconds()).start
    begin = today - dt.timedelta(days=project.contract.maturity_days) - _PERIODS * _DAY
    champion = _versions(settings.home, project, kind, begin - _DAY)
    _pay(project, champion, begin)
    log = home / "learn.log"
    learner = Companion(local.call("learn"), local.environment(own) | SCREEN, log, home)
    return World(project, learner)


def _versions(shared: Path, project: Project, kind: str, at: dt.datetime) -> str:
    """The champion since a moment; a line has squares, of which that one adds up its features."""
    registry, kept = project.registry, shared / f"versions_{kind}"
    if not kept.exists():
        if kind == NETWORK:
            features = np.random.default_rng(1).normal(size=(500, len(project.contract.features)))
            champion = add_network(registry, project.contract, features.astype(np.float32))
        else:
            champion = add_version(registry, project.contract, 1.0)
            add_learned(registry, project.contract, champion, at + HOUR, 2.0)
        before = registry_module._now
        registry_module._now = lambda: at
        try:
            registry.promote(champion)
        finally:
            registry_module._now = before
        shutil.copytree(registry.directory, kept)
    elif not registry.directory.exists() or not registry.has_champion():
        shutil.copytree(kept, registry.directory, dirs_exist_ok=True)
    return registry.champion()


def _pay(project: Project, champion: str, begin: dt.datetime) -> None:
    """Payments of some days; those with a negative feature are frauds, and are told to be."""
    decided, told = [], []
    for number in range(_PERIODS * _PAYMENTS):
        at, is_fraud = begin + number * _DAY / _PAYMENTS, number % _PAYMENTS < _FRAUDS
        value = -3.0 if is_fraud else random.Random(number).uniform(0, 0.9)
        row = decision(
            project.contract,
            number,
            V28=value,
            Amount=1.0,
            Time=1.0,
            model_version=champion,
            decided_at=at,
            received_at=at,
        )
        decided.append(row)
        if is_fraud:
            told.append(Told(row, "fraud", "customer", at + HOUR, at + HOUR, number))
    fill(project.warehouse, flows.DECISIONS, project.contract, decided)
    labels = [one.row(project.contract) for one in told]
    fill(project.warehouse, flows.LABELS, project.contract, labels)


def main() -> None:
    """Kill learners from the command line."""
    parser = argparse.ArgumentParser(prog="make learner-kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="fraudline-learner-"))

    def say(line: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stdout.flush()

    say(f"seed {options.seed}, {options.kills} kills, process {os.getpid()}; all is in {home}")
    with warehouse_of_worlds(home / "home") as settings:
        try:
            count = kill_learners(settings, options.kills, options.seed, say)
        except AssertionError as error:
            say(f"FAILED with seed {options.seed}: {error}\nall is in {home}")
            raise SystemExit(1) from error
    for moment, times in count.moments.most_common():
        say(f"{times:5d}  killed {moment}")
    say(f"seed {options.seed}: {count}")


if __name__ == "__main__":
    main()
