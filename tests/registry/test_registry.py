"""Versions never change, a broken one stops nobody, and a champion is replaced in one step."""

import datetime as dt
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from multiprocessing.context import ForkServerContext
from pathlib import Path

import msgspec
import pytest
from tests.models import manifest_for, write_tiny_bundle, write_tiny_files
from tests.transactions import CREDITCARD, WALLET

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import (
    COMPARISONS_FILE,
    GRAPH_FILE,
    check_bundle,
    write_manifest,
)
from fraudline.bundle.comparisons import Comparison, Comparisons
from fraudline.contract import Contract
from fraudline.errors import BundleError, InputError
from fraudline.registry import Registry

LAST_RELEASE = Path(__file__).parents[1] / "data" / "last_release"


@pytest.fixture
def registry(tmp_path) -> Registry:
    return registry_of(tmp_path / "home")


def registry_of(home: Path, contract: str = "wallet") -> Registry:
    return Registry(home, lambda: contract)


def add(registry: Registry, contract: Contract = WALLET, **changes: object) -> str:
    candidate = registry.new_directory()
    write_tiny_bundle(candidate, contract, **changes)
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


def test_training_anew_mends_a_version_that_was_altered_and_says_so(registry, caplog):
    version = add(registry)
    (registry.path(version) / GRAPH_FILE).write_bytes(b"x")
    assert add(registry) == version
    check_bundle(registry.path(version))
    assert "it is replaced by what was made now, of the same name" in caplog.text


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
    assert registry_of(registry.directory.parent).champion() == first
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
    files = {"champion.wallet", "changes.wallet"}
    assert {path.name for path in registry.directory.iterdir()} == {*files, *versions}


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
    assert registry_of(registry.directory.parent).champion() == first


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
    told = registry_of(registry.directory.parent).promotions()
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
    (registry.directory / "champion.wallet").write_text(first + "\n")
    registry.promote(second)
    assert roll_back(registry) == first


def test_a_promotion_that_was_altered_is_told_and_the_champion_still_scores(registry):
    (version,) = promoted(registry, 1)
    (registry.directory / "champion.wallet").write_text(f"{version}\nyesterday, I think\n")
    assert registry.champion() == version
    with pytest.raises(BundleError, match="'yesterday, I think' is no promotion"):
        registry.promotions()


@pytest.mark.parametrize("text", ["another\n{line}\n", "{version}\n{unknown}\n"])
def test_promotions_that_contradict_themselves_are_told(registry, text):
    (version,) = promoted(registry, 1)
    path = registry.directory / "champion.wallet"
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


def test_each_contract_has_a_champion_of_its_own(registry):
    cards = registry_of(registry.directory.parent, "creditcard")
    first, second = add(registry), add(registry, threshold=0.25)
    card = add(cards, CREDITCARD)
    for version in (first, second, card):
        registry.promote(version)
    assert (registry.champion(), cards.champion()) == (second, card)
    assert roll_back(registry) == first
    assert cards.champion() == card
    with pytest.raises(InputError, match=f"no version was the champion before {card}"):
        cards.earlier_champion()
    assert [each.version for each in registry.champions()] == [card, first]


def test_a_contract_without_a_champion_is_told_who_has_one(registry):
    registry.promote(add(registry, CREDITCARD))
    with pytest.raises(BundleError, match=r"no champion for contract 'wallet' .* for creditcard"):
        registry.champion()


def of_the_last_release(registry: Registry) -> tuple[Registry, Registry]:
    """The registries of two contracts that share a file `champion`, as that release wrote it."""
    registry.directory.mkdir(parents=True)
    shutil.copy(LAST_RELEASE / "champion", registry.directory)
    return registry, registry_of(registry.directory.parent, "creditcard")


def test_a_champion_that_contracts_shared_in_the_last_release_is_each_ones_own(registry):
    wallets, cards = of_the_last_release(registry)
    # The wallet's second champion was rolled back, to the one before it: a card's.
    assert wallets.champion() == "wallet-tiny-604bc6f6c053"
    assert cards.champion() == "creditcard-tiny-7278609d465e"
    assert cards.earlier_champion() == "creditcard-tiny-77ab191f8824"
    assert len(registry.champions()) == 2


def add_as_the_last_release(registry: Registry, contract: Contract) -> str:
    """The bundle that it would have written: it compared each feature as a number."""
    candidate = registry.new_directory()
    write_tiny_files(candidate, contract)
    usual = Comparison("number", (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0))
    compared = Comparisons(1000, 8, 0.0, dict.fromkeys(contract.features, usual))
    (candidate / COMPARISONS_FILE).write_bytes(msgspec.json.encode(compared))
    (candidate / "report.html").write_text("<p>tiny</p>")
    write_manifest(candidate, manifest_for(contract, format=2))
    return registry.add(candidate).version


def test_what_the_last_release_promoted_is_gone_back_to_and_its_file_stays(registry):
    wallets, cards = of_the_last_release(registry)
    before = (registry.directory / "champion").read_bytes()
    for contract, which in ((WALLET, wallets), (CREDITCARD, cards)):
        assert add_as_the_last_release(which, contract) == which.promotions()[0].version
    assert roll_back(cards) == "creditcard-tiny-77ab191f8824"
    assert wallets.champion() == "wallet-tiny-604bc6f6c053"
    wallets.promote(add(wallets, threshold=0.9))
    assert roll_back(wallets) == "wallet-tiny-604bc6f6c053"
    assert (registry.directory / "champion").read_bytes() == before


def other_processes() -> ForkServerContext:
    """What starts processes beside this one.

    They are never forked from this one: it may hold the threads of gRPC and TensorFlow, and more
    memory than may be promised twice.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _end_alike(home: Path, barrier: threading.Barrier) -> None:
    registry = registry_of(home)
    candidate = registry.new_directory()
    write_tiny_bundle(candidate, WALLET)
    barrier.wait()
    registry.add(candidate)


def test_trainings_that_end_alike_at_the_same_time_all_succeed(registry):
    others = other_processes()
    barrier = others.Barrier(4)
    ends = [
        others.Process(target=_end_alike, args=(registry.directory.parent, barrier))
        for _ in range(4)
    ]
    for each in ends:
        each.start()
    for each in ends:
        each.join()
    assert [each.exitcode for each in ends] == [0] * 4
    (version,) = registry.versions()
    assert [path.name for path in registry.directory.iterdir()] == [version.version]


def test_what_a_killed_training_left_is_removed_by_the_next_and_told(registry, caplog):
    code = (
        "import sys, time; from pathlib import Path; from fraudline.registry import Registry\n"
        "print(Registry(Path(sys.argv[1]), lambda: 'wallet').new_directory(), flush=True)\n"
        "time.sleep(60)"
    )
    home = registry.directory.parent
    killed = subprocess.Popen([sys.executable, "-c", code, home], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    left = Path(killed.stdout.readline().strip())
    mine = registry.new_directory()
    assert left.is_dir(), "its training lives"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    with caplog.at_level(logging.WARNING):
        registry.new_directory()
    assert not left.exists()
    assert str(left) in caplog.text
    assert mine.is_dir(), "ours lives, too"
