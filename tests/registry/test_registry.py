"""Versions never change, a broken one stops nobody, and a champion is replaced in one step."""

import datetime as dt
import logging
import shutil
import threading

import pytest
from tests.models import write_tiny_bundle
from tests.transactions import WALLET

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import GRAPH_FILE, check_bundle
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


def promoted(registry: Registry, count: int) -> list[str]:
    """So many versions, each promoted after the other."""
    versions = [add(registry, threshold=0.1 + number / 100) for number in range(count)]
    for version in versions:
        registry.promote(version)
    return versions


def roll_back(registry: Registry) -> str:
    registry.roll_back(registry.earlier_champion())
    return registry.champion()


def test_a_rolled_back_champion_is_the_one_before(registry):
    first, _ = promoted(registry, 2)
    assert roll_back(registry) == first
    assert Registry(registry.directory.parent).champion() == first


def test_a_rollback_after_a_rollback_goes_one_further_back_and_never_forward(registry):
    first, second, _ = promoted(registry, 3)
    assert roll_back(registry) == second
    assert roll_back(registry) == first
    with pytest.raises(InputError, match=f"no version was the champion before {first}"):
        registry.earlier_champion()


def test_what_was_rolled_back_is_not_gone_back_to_after_another_promotion(registry):
    _, second, _ = promoted(registry, 3)
    roll_back(registry)
    mended = add(registry, threshold=0.9)
    registry.promote(mended)
    assert roll_back(registry) == second


def test_promoting_the_champion_again_does_not_hide_the_one_before(registry):
    first, second = promoted(registry, 2)
    registry.promote(second)
    assert roll_back(registry) == first


def test_every_promotion_and_rollback_is_remembered_with_its_time(registry):
    begun_at = dt.datetime.now(dt.UTC).replace(microsecond=0)
    first, second = promoted(registry, 2)
    roll_back(registry)
    told = Registry(registry.directory.parent).promotions()
    assert [(each.change, each.version) for each in told] == [
        ("promoted", first),
        ("promoted", second),
        ("rolled-back-to", first),
    ]
    assert all(begun_at <= each.at <= dt.datetime.now(dt.UTC) for each in told)


def test_without_a_champion_there_is_nothing_to_go_back_to(registry):
    with pytest.raises(BundleError, match="there is no champion"):
        registry.earlier_champion()
    assert registry.promotions() == []


def test_an_earlier_champion_that_is_gone_is_refused_by_name(registry):
    first, second = promoted(registry, 2)
    shutil.rmtree(registry.path(first))
    with pytest.raises(InputError, match=f"there is no model version '{first}'"):
        registry.roll_back(registry.earlier_champion())
    assert registry.champion() == second


def test_a_champion_that_changed_since_somebody_looked_is_not_rolled_back(registry):
    first, _, third = promoted(registry, 3)
    with pytest.raises(InputError, match=f"changed meanwhile: it is {third}"):
        registry.roll_back(first)
    assert registry.champion() == third


def test_a_champion_that_was_written_by_hand_can_be_gone_back_to(registry):
    first, second = add(registry), add(registry, threshold=0.25)
    (registry.directory / "champion").write_text(first + "\n")
    registry.promote(second)
    assert roll_back(registry) == first


def test_a_promotion_that_was_altered_is_told_and_the_champion_still_scores(registry):
    (version,) = promoted(registry, 1)
    (registry.directory / "champion").write_text(f"{version}\nyesterday, I think\n")
    assert registry.champion() == version
    with pytest.raises(BundleError, match="'yesterday, I think' is no promotion"):
        registry.promotions()


@pytest.mark.parametrize("text", ["another\n{line}\n", "{version}\n{unknown}\n"])
def test_promotions_that_contradict_themselves_are_told(registry, text):
    (version,) = promoted(registry, 1)
    path = registry.directory / "champion"
    line = path.read_text().splitlines()[1]
    unknown = line.replace("promoted", "praised")
    assert unknown != line
    path.write_text(text.format(version=version, line=line, unknown=unknown))
    with pytest.raises(BundleError, match="was altered"):
        registry.promotions()


def test_promotions_at_the_same_time_are_all_remembered(registry):
    versions = [add(registry), add(registry, threshold=0.25)]

    def promote(version: str) -> None:
        for _ in range(20):
            registry.promote(version)

    threads = [threading.Thread(target=promote, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.promotions()) == 40
