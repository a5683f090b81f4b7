"""Versions never change, a broken one stops nobody, and a champion is replaced in one step."""

import datetime as dt
import logging
import threading

import pytest
from tests.models import write_tiny_bundle
from tests.transactions import WALLET

from fraudline.bundle import GRAPH_FILE, check_bundle, open_bundle
from fraudline.errors import BundleError, InputError
from fraudline.registry import Registry


@pytest.fixture
def registry(tmp_path) -> Registry:
    return Registry(tmp_path / "home")


def add(registry: Registry, **changes: object) -> str:
    candidate = registry.new_directory()
    write_tiny_bundle(candidate, WALLET, **changes)
    return registry.add(candidate).version


def test_a_candidate_becomes_a_version_that_opens(registry):
    version = add(registry)
    assert [manifest.version for manifest in registry.versions()] == [version]
    assert open_bundle(registry.path(version), WALLET).manifest.version == version
    assert [path.name for path in registry.directory.iterdir()] == [version]


def test_a_candidate_that_is_being_built_is_not_a_version(registry):
    registry.new_directory()
    assert registry.versions() == []


def test_an_empty_registry_has_no_versions_and_says_how_to_make_one(registry):
    assert registry.versions() == []
    assert not registry.has_champion()
    with pytest.raises(BundleError, match=r"there is no champion .*`fraudline train --promote`"):
        registry.champion()
    with pytest.raises(InputError, match="there are none"):
        registry.path("wallet-tiny-0")


def test_versions_are_listed_oldest_first(registry):
    made = [
        add(registry, created_at=dt.datetime(year, 1, 1, tzinfo=dt.UTC), threshold=threshold)
        for year, threshold in ((2027, 0.1), (2025, 0.2), (2026, 0.3))
    ]
    assert [each.version for each in registry.versions()] == [made[1], made[2], made[0]]


def test_the_same_bundle_again_changes_nothing(registry):
    version = add(registry)
    before = (registry.path(version) / "bundle.json").stat()
    assert add(registry) == version
    after = (registry.path(version) / "bundle.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_training_anew_mends_a_version_that_was_altered(registry):
    version = add(registry)
    (registry.path(version) / GRAPH_FILE).write_bytes(b"x")
    assert add(registry) == version
    check_bundle(registry.path(version))


def test_a_candidate_that_is_not_whole_is_not_taken(registry):
    candidate = registry.new_directory()
    write_tiny_bundle(candidate, WALLET)
    (candidate / GRAPH_FILE).unlink()
    with pytest.raises(BundleError, match=f"{GRAPH_FILE} is missing"):
        registry.add(candidate)
    assert registry.versions() == []


def test_a_broken_version_is_named_and_the_others_are_listed(registry, caplog):
    good = add(registry)
    broken = add(registry, threshold=0.25)
    (registry.path(broken) / "bundle.json").write_bytes(b"{")
    (registry.directory / "not-a-bundle").mkdir()
    with caplog.at_level(logging.WARNING):
        assert [manifest.version for manifest in registry.versions()] == [good]
    told = caplog.text
    assert broken in told
    assert "not-a-bundle" in told
    with pytest.raises(InputError, match=f"there is {good}"):
        registry.path("unknown")


@pytest.mark.parametrize(
    "version",
    ["", ".", "..", "../home", "a/b", "/etc", "champion", "wallet-", "x" * 5000, "a\0b", "a\nb"],
)
def test_what_is_not_a_version_has_no_path_and_cannot_be_promoted(registry, version):
    good = add(registry)
    registry.promote(good)
    for refuse in (registry.path, registry.promote):
        with pytest.raises(InputError, match=rf"there is no model version .* there is {good}"):
            refuse(version)
    assert registry.champion() == good


def test_a_candidate_being_built_has_no_path(registry):
    with pytest.raises(InputError):
        registry.path(registry.new_directory().name)


def test_a_champion_is_remembered_and_replaced(registry):
    first, second = add(registry), add(registry, threshold=0.25)
    registry.promote(first)
    assert Registry(registry.directory.parent).champion() == first
    registry.promote(second)
    assert registry.champion() == second
    assert registry.has_champion()


def test_a_reader_sees_one_champion_or_the_other_and_never_half(registry):
    versions = [add(registry), add(registry, threshold=0.25)]
    registry.promote(versions[0])
    is_done = threading.Event()
    seen = set()

    def read() -> None:
        while not is_done.is_set():
            seen.add(registry.champion())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        registry.promote(versions[turn % 2])
    is_done.set()
    reader.join()
    assert seen <= set(versions)
    assert {path.name for path in registry.directory.iterdir()} == {"champion", *versions}
