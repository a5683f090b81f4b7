"""A champion takes over while a scorer runs; one that cannot decide is told and changes nothing."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest
from tests.models import write_tiny_bundle
from tests.transactions import CREDITCARD
from tests.use_cases.following import Following
from tests.use_cases.versions import add_version

from fraudline.bundle.bundle_files import GRAPH_FILE, MANIFEST_FILE
from fraudline.registry import Registry
from fraudline.settings import Settings
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.use_cases import follow_champion
from fraudline.use_cases.follow_champion import ChampionFollower
from fraudline.use_cases.project import Project


@dataclass
class Followed(Following):
    """A project, its two versions, and what follows its champion."""

    project: Project
    first: str
    second: str
    progress: Progress
    follower: ChampionFollower
    told: list[str] = field(default_factory=list)

    @property
    def registry(self) -> Registry:
        return self.project.registry


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    project = Project(Settings(home=tmp_path / "home"))
    first, second = (add_version(project.registry, CREDITCARD, power) for power in (1.0, 3.0))
    project.registry.promote(first)
    progress = Progress(Task.SCORE)
    return Followed(project, first, second, progress, ChampionFollower(project, None, progress))


def test_what_is_promoted_and_rolled_back_to_takes_over_and_is_told(followed: Followed) -> None:
    assert followed.decided_by() == followed.model.version == followed.first
    followed.registry.promote(followed.second)
    followed.look()
    assert followed.decided_by() == followed.model.version == followed.second
    assert f"{followed.second} is the champion and decides from now on" in followed.told[0]
    followed.registry.roll_back(followed.first)
    followed.look()
    assert followed.decided_by() == followed.model.version == followed.first
    assert followed.model.swaps == len(followed.told) == 2
    assert followed.model.fault is None


def test_a_champion_that_stays_is_not_opened_again(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(follow_champion, "open_version", never)
    followed.look()
    followed.registry.promote(followed.first)  # which changes nothing
    followed.look()
    assert (followed.model.swaps, followed.model.refusals) == (0, 0)


def altered(version: Path) -> None:
    (version / GRAPH_FILE).write_bytes(b"x")


def half_copied(version: Path) -> None:
    (version / GRAPH_FILE).unlink()


def of_a_newer_format(version: Path) -> None:
    manifest = json.loads((version / MANIFEST_FILE).read_bytes())
    (version / MANIFEST_FILE).write_text(json.dumps(manifest | {"format": 99}))


def gone(version: Path) -> None:
    shutil.rmtree(version)


def of_another_contract(version: Path) -> None:
    gone(version)
    write_tiny_bundle(version, replace(CREDITCARD, description="", columns=CREDITCARD.columns[:9]))


def under_another_name(version: Path) -> None:
    gone(version)
    write_tiny_bundle(version, CREDITCARD)


@contextmanager
def harmed(version: Path, fault: Callable[[Path], None] = altered) -> Iterator[None]:
    """A version that cannot be opened while the block runs, and can be after it."""
    kept = version.parent.parent / "kept"
    shutil.copytree(version, kept)
    fault(version)
    try:
        yield
    finally:
        shutil.rmtree(version, ignore_errors=True)
        kept.rename(version)


FAULTS = {
    altered: "was altered: graph.onnx",
    half_copied: "graph.onnx is missing",
    of_a_newer_format: "has format 99, this fraudline reads",
    gone: "there is no model version",
    of_another_contract: "but contract 'creditcard' has",
    under_another_name: "and its decisions would say so",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.__name__)
def test_a_champion_that_cannot_decide_is_refused_once_by_name_and_taken_once_it_is_mended(
    followed: Followed,
    fault: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow_champion, "_FIRST_PAUSE_S", 0.0)  # tried again at each look
    version = followed.registry.directory / followed.second
    kept = followed.registry.directory.parent / "kept"
    shutil.copytree(version, kept)
    fault(version)
    # As it would be where another machine, or another release, has promoted it.
    (followed.registry.directory / "champion.creditcard").write_text(f"{followed.second}\n")
    for _ in range(5):
        followed.look()
    assert followed.decided_by() == followed.model.version == followed.first
    assert followed.model.refused == followed.second
    assert FAULTS[fault] in followed.model.refused_because
    assert followed.model.refusals == 1
    told = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    refusals = [each for each in told if f"champion {followed.second} is refused" in each]
    assert len(refusals) == 1
    assert f"and {followed.first} decides on: " in refusals[0]
    assert FAULTS[fault] in refusals[0]
    shutil.rmtree(version, ignore_errors=True)
    shutil.copytree(kept, version)
    followed.look()
    assert followed.decided_by() == followed.second
    assert followed.model.fault is None


def test_a_refused_champion_is_tried_again_later_and_later_and_at_once_if_promoted_again(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(follow_champion.time, "monotonic", lambda: clock[0])
    tries = []
    monkeypatch.setattr(follow_champion, "open_version", lambda *_: tries.append(clock[0]) or 1 / 0)
    followed.registry.promote(followed.second)
    for second in range(16):
        clock[0] = float(second)
        followed.look()
    assert tries == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert followed.model.refused_because == "division by zero"
    followed.registry.promote(followed.second)
    followed.look()
    assert len(tries) == 6
    assert followed.model.refusals == 2


def test_a_rollback_ends_a_refusal(followed: Followed) -> None:
    altered(followed.registry.path(followed.second))
    followed.registry.promote(followed.second)
    followed.look()
    assert followed.model.fault is not None
    followed.registry.roll_back(followed.first)
    followed.look()
    assert followed.model.fault is None
    assert followed.model.swaps == 0


def test_a_registry_that_is_away_is_told_once_and_again_when_it_is_back(
    followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    directory = followed.registry.directory
    away = directory.rename(directory.with_name("away"))
    read_at = followed.model.read_at
    for _ in range(3):
        followed.look()
    assert followed.decided_by() == followed.first
    assert followed.model.read_at == read_at
    assert followed.model.fault == f"the registry cannot be read, {followed.first} decides on"
    away.rename(directory)
    for _ in range(3):
        followed.look()
    assert followed.model.fault is None
    assert followed.model.read_at > read_at
    assert [each.message.partition(",")[0] for each in caplog.records] == [
        "score: it cannot be read who the champion is",
        "score: it can be read again who the champion is",
    ]


def test_fifty_swaps_in_a_row_keep_no_memory(followed: Followed) -> None:
    def swap(times: int) -> int:
        for _ in range(times):
            for version in (followed.second, followed.first):
                followed.registry.promote(version)
                followed.look()
                assert followed.decided_by() == version
        return psutil.Process().memory_info().rss

    before = swap(5)
    after = swap(25)
    assert followed.model.swaps == 60
    assert after - before < 8 * 2**20
