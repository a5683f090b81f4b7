"""Scorers of several machines follow one registry in an object store, and go on without it."""

from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path

import pytest
from tests.faults.proxy import Proxy
from tests.s3_server import S3Server
from tests.transactions import CREDITCARD
from tests.use_cases.following import Following
from tests.use_cases.versions import add_version

from fraudline.bundle.bundle_files import GRAPH_FILE
from fraudline.errors import RegistryError
from fraudline.registry import Signature
from fraudline.registry import bucket as requests
from fraudline.registry.bundle_cache import BundleCache
from fraudline.settings import RegistrySettings, Settings
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.use_cases import follow_champion
from fraudline.use_cases.follow_champion import ChampionFollower
from fraudline.use_cases.project import Project


class Machine(Following):
    """What follows the champion on a machine: a home, and so a cache, of its own."""

    def __init__(self, home: Path, url: str) -> None:
        settings = Settings(home=home, registry=RegistrySettings(url=url))
        self.registry = Project(settings).registry
        self.told: list[str] = []
        self.progress = Progress(Task.SCORE)
        self.follower = ChampionFollower(Project(settings), None, self.progress)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_SMALL_S", 1)


@pytest.fixture
def versions(tmp_path: Path, bucket: str) -> tuple[str, str]:
    """Two versions in the store, of which the first is the champion."""
    settings = Settings(home=tmp_path / "trainer", registry=RegistrySettings(url=bucket))
    registry = Project(settings).registry
    first, second = (add_version(registry, CREDITCARD, power) for power in (1.0, 3.0))
    registry.promote(first)
    return first, second


def test_two_machines_take_the_same_promotion_and_rollback(
    tmp_path: Path, bucket: str, versions: tuple[str, str]
) -> None:
    first, second = versions
    one, two = (Machine(tmp_path / name, bucket) for name in ("one", "two"))
    assert [each.decided_by() for each in (one, two)] == [first, first]
    one.registry.promote(second)
    for each in (one, two):
        each.look()
        assert each.decided_by() == each.model.version == second
    two.registry.roll_back(first)
    for each in (one, two):
        each.look()
        assert each.decided_by() == first
        assert each.model.swaps == len(each.told) == 2


def test_a_store_that_is_away_or_hangs_is_told_once_and_what_decides_goes_on(
    tmp_path: Path,
    bucket: str,
    way: Proxy,
    versions: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = versions
    here = Machine(tmp_path / "here", bucket)
    for harm in (lambda: setattr(way, "is_refusing", True), way.hold):
        caplog.clear()
        harm()
        way.cut()
        for _ in range(2):
            here.look()
        assert here.decided_by() == here.model.version
        assert here.model.fault == f"the registry cannot be read, {here.model.version} decides on"
        way.heal()
        here.registry.promote(second if here.model.version == first else first)
        before = here.model.version
        here.look()
        assert here.decided_by() != before
        assert here.model.fault is None
        assert [each.message.partition(",")[0] for each in caplog.records] == [
            "score: it cannot be read who the champion is",
            "score: it can be read again who the champion is",
        ]
        assert "could not be read (HTTP error: error sending request" in caplog.text


def test_who_starts_while_the_store_is_away_decides_with_the_last_champion_and_says_so(
    tmp_path: Path, bucket: str, way: Proxy, versions: tuple[str, str]
) -> None:
    first, second = versions
    home = tmp_path / "here"
    Machine(home, bucket)  # it was started once, and ended
    registry = Project(Settings(home=home, registry=RegistrySettings(url=bucket))).registry
    way.is_refusing = True
    begun_at = time.time()
    here = Machine(home, bucket)
    assert here.model.read_at < begun_at, "what is alerted on"
    assert here.decided_by() == first
    assert here.follower.look is not None
    assert f"so it starts with {first}, the champion as this machine read it" in here.follower.look
    assert here.model.fault == f"the registry cannot be read, {first} decides on"
    way.heal()
    here.look()
    assert (here.model.fault, here.model.swaps) == (None, 0)
    registry.promote(second)
    here.look()
    assert here.decided_by() == second


def test_who_starts_while_the_store_is_away_says_that_it_does_not_know_who_decides_a_share(
    tmp_path: Path, bucket: str, way: Proxy, versions: tuple[str, str]
) -> None:
    first, second = versions
    before = Machine(tmp_path / "here", bucket)
    before.registry.rollouts.begin(second, 0.5, Signature("anna", "anna"))
    before.look()
    way.is_refusing = True
    here = Machine(tmp_path / "here", bucket)
    assert "known whether a version decides a share" in str(here.follower.look)
    for _ in range(2):
        assert here.model.rollout_fault == "it is not known whether a version decides a share"
        assert here.model.rollout is None
        here.follower.look_beside(here.told.append)
    way.heal()
    here.look()
    assert (here.model.rollout, here.model.rollout_fault) == (second, None)
    assert here.model.version == first


def test_who_starts_while_the_store_is_away_and_knows_no_champion_refuses(
    tmp_path: Path, bucket: str, way: Proxy, versions: tuple[str, str]
) -> None:
    way.is_refusing = True
    with pytest.raises(RegistryError, match=r"champion\.creditcard of the registry s3://.* could"):
        Machine(tmp_path / "new", bucket)


def test_a_full_disk_keeps_a_new_champion_away_and_the_old_one_decides(
    tmp_path: Path, bucket: str, versions: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_champion, "_FIRST_PAUSE_S", 0.0)
    first, second = versions
    here = Machine(tmp_path / "here", bucket)
    here.registry.promote(second)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(BundleCache, "keep", full)
        here.look()
        assert here.decided_by() == first
        assert "No space left on device" in here.model.refused_because
    assert {path.name for path in here.registry.directory.iterdir() if path.is_dir()} == {first}
    here.look()
    assert here.decided_by() == second


def test_a_champion_that_was_altered_in_the_store_is_refused_and_taken_once_it_is_mended(
    tmp_path: Path,
    bucket: str,
    s3_server: S3Server,
    versions: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow_champion, "_FIRST_PAUSE_S", 0.0)  # tried again at each look
    first, second = versions
    here = Machine(tmp_path / "here", bucket)
    graph = f"{bucket.removeprefix('s3://')}/{second}/{GRAPH_FILE}"
    whole = s3_server.get(graph)
    s3_server.put(graph, whole[:-1])
    trainer = Settings(home=tmp_path / "trainer", registry=RegistrySettings(url=bucket))
    Project(trainer).registry.promote(second)  # it has a whole one of its own
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            here.look()
    assert here.decided_by() == first
    assert here.model.refused == second
    assert f"altered: {GRAPH_FILE} has sha256" in here.model.refused_because
    assert caplog.text.count("is refused, and") == 1
    s3_server.put(graph, whole)
    here.look()
    assert here.decided_by() == second
    assert here.model.fault is None
