"""A registry in an object store is the same registry; of two that promote at once one wins."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.models import write_tiny_bundle
from tests.registry.test_registry import LAST_RELEASE, add, roll_back
from tests.s3_server import S3Server
from tests.transactions import WALLET

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import GRAPH_FILE, MANIFEST_FILE, read_manifest
from fraudline.errors import BundleError, InputError, RegistryError
from fraudline.registry import Registry, Signature, bucket_store, bundle_cache
from fraudline.registry import bucket as requests
from fraudline.registry.bucket import Bucket
from fraudline.registry.bucket_store import BucketStore

ROOT = Path(__file__).parents[2]


def machine(home: Path, url: str, contract: str = "wallet") -> Registry:
    """The registry as one machine sees it: with a home of its own, and so with a cache."""
    return Registry(home, lambda: contract, url)


@pytest.fixture
def url(bucket: str) -> str:
    return f"{bucket}/team/models"


@pytest.fixture
def registry(tmp_path: Path, url: str) -> Registry:
    return machine(tmp_path / "home", url)


@pytest.fixture
def other(tmp_path: Path, url: str) -> Registry:
    return machine(tmp_path / "other", url)


def key(registry: Registry, name: str) -> str:
    """Where an object is, for a client without the registry."""
    return f"{registry._store.where.removeprefix('s3://')}/{name}"


def test_what_one_machine_does_every_other_one_sees(registry, other):
    first, second = add(registry), add(other, threshold=0.25)
    registry.promote(first)
    assert other.champion() == first
    assert open_bundle(other.path(first), WALLET).manifest.version == first
    other.promote(second)
    assert {each.version for each in registry.versions()} == {first, second}
    assert registry.champion() == second
    assert roll_back(registry) == first
    other.record_policy("wallet-tiny-9", second, {"review_cost": (4.0, 9.0)})
    told = [(each.what, each.version, each.before) for each in registry.changes()]
    assert told == [
        ("promoted", first, None),
        ("promoted", second, first),
        ("rolled back to", first, second),
        ("policy changed", "wallet-tiny-9", second),
    ]
    assert other.changes() == registry.changes()
    assert [each.version for each in other.champions()] == [first]


def test_a_directory_that_was_copied_there_is_the_same_registry(tmp_path, url, s3_server):
    local = Registry(tmp_path / "home", lambda: "wallet")
    shutil.copytree(LAST_RELEASE, local.directory, ignore=shutil.ignore_patterns("*.py"))
    version = add(local)
    local.promote(version)
    there = machine(tmp_path / "there", url)
    for path in local.directory.rglob("*"):
        if path.is_file():
            name = path.relative_to(local.directory).as_posix()
            s3_server.put(key(there, name), path.read_bytes())
    assert there.champion() == version
    assert there.promotions()[-1] == local.promotions()[-1]
    cards, before = (
        which(home, *rest, contract="creditcard")
        for which, home, *rest in (
            (machine, tmp_path / "there", url),
            (lambda home, contract: Registry(home, lambda: contract), tmp_path / "home"),
        )
    )
    assert cards.champion() == before.champion()
    assert cards.earlier_champion() == before.earlier_champion()
    there.promote(version)
    assert len(there.changes()) == len(local.changes()) + 1


def let_between(store: Any, do: Callable[[], None]) -> None:
    """Let another machine do something between what is read and what is written next."""
    replace = store.replace

    def replace_after(*rest: Any) -> bool:
        store.replace = replace
        do()
        return bool(replace(*rest))

    store.replace = replace_after


@contextmanager
def promoters(tmp_path: Path, url: str, how: str) -> Iterator[list[subprocess.Popen[str]]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.registry.promoter", str(tmp_path / name), url, how],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def send(processes: list[subprocess.Popen[str]], line: str) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()


def answers(processes: list[subprocess.Popen[str]]) -> list[str]:
    return [process.stdout.readline().strip() for process in processes if process.stdout]


def test_of_two_machines_that_promote_at_once_one_wins_and_the_other_is_told(
    registry, tmp_path, url
):
    versions = [add(registry, threshold=0.1 + number / 100) for number in range(2)]
    rounds = 10
    with promoters(tmp_path, url, "step") as both:
        for turn in range(rounds):
            for process, version in zip(both, versions, strict=True):
                send([process], version)
            assert answers(both) == ["ready", "ready"]  # each has read the same champion
            send(both if turn % 2 else both[::-1], "")
            told = answers(both)
            (won,) = [at for at, each in enumerate(told) if each == "won"]
            assert registry.champion() == versions[won]
            assert told[1 - won].startswith(
                "lost: another machine changed the champion at the same moment: it is "
                f"{versions[won]}. Nothing was done with {versions[1 - won]};"
            )
    assert len(registry.promotions()) == rounds
    done = [(each.at, each.version) for each in registry.changes() if each.is_done]
    assert done == [(each.at, each.version) for each in registry.promotions()]
    lost = [each for each in registry.changes() if not each.is_done]
    assert len(lost) == rounds
    assert all("did not happen" in each.what for each in lost)


def test_promotions_that_race_freely_are_all_written_down_or_told_as_lost(registry, tmp_path, url):
    version = add(registry)
    with promoters(tmp_path, url, "run") as both:
        for _ in range(15):
            send(both, version)
        told = [answers(both) for _ in range(15)]
    flat = [each.partition(":")[0] for pair in told for each in pair]
    assert set(flat) <= {"won", "lost"}
    assert len(registry.promotions()) == flat.count("won") >= 15
    assert len(registry.changes()) == 30


def test_who_is_killed_while_promoting_leaves_one_champion_and_a_list_that_agrees(
    registry, tmp_path, url
):
    versions = [add(registry), add(registry, threshold=0.25)]
    chance = random.Random(3)
    kills = 3
    for _ in range(kills):
        with promoters(tmp_path, url, "run") as (promoter, spare):
            spare.kill()
            send([promoter], "\n".join(versions * 30))
            answers([promoter])  # it has begun
            time.sleep(chance.uniform(0.0, 0.1))
    promotions = registry.promotions()
    assert registry.champion() == promotions[-1].version
    changes = registry.changes()
    done = [(each.at, each.version) for each in changes if each.is_done]
    assert done == [(each.at, each.version) for each in promotions]
    assert len(changes) - len(done) <= kills, "one for each kill at most"


def test_what_was_decided_by_a_list_that_another_machine_made_longer_is_not_written(
    registry, other
):
    first, second, third = (add(registry, threshold=0.1 + n / 10) for n in range(3))
    registry.promote(first)
    signed = Signature.of_this_process()
    registry.rollouts.begin(second, 0.05, signed)
    let_between(registry._store, lambda: other.rollouts.end(second, signed))
    with pytest.raises(InputError, match=r"another machine changed .*changes\.wallet at the same"):
        registry.rollouts.widen(second, 0.2, signed)
    assert registry.rollout() is other.rollout() is None
    let_between(registry._store, lambda: other.rollouts.begin(third, 0.1, signed))
    with pytest.raises(InputError, match="Nothing was done"):
        registry.rollouts.begin(second, 0.1, signed)
    assert [each.version for each in registry.all_rollouts()] == [third]


def test_who_only_writes_down_what_was_done_lets_another_machine_pass(registry, other):
    version = add(registry)
    registry.promote(version)
    let_between(registry._store, lambda: other.promote(version))
    registry.record_policy("wallet-tiny-9", version, {})
    assert [each.what for each in registry.changes()] == ["promoted", "promoted", "policy changed"]


class Killed(BaseException):
    """What a process does that is killed: nothing more."""


def test_an_upload_that_is_killed_anywhere_makes_no_version_and_the_next_one_does(
    registry, other, monkeypatch, caplog
):
    put = Bucket.put
    puts = 0
    left = [0]

    def put_until_killed(store: Bucket, *rest: Any) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        put(store, *rest)

    monkeypatch.setattr(Bucket, "put", put_until_killed)
    other._store._keeps_conditions = registry._store._keeps_conditions = True
    for puts in range(20):
        left[0] = puts
        try:
            version = add(registry)
        except Killed:
            assert other.versions() == []
            with pytest.raises(InputError, match="there is no model version"):
                other.promote("wallet-tiny-e0b48e5a7c5e")
        else:
            break
    assert puts > 4, "each of its files was one"
    assert "has no bundle.json, which is uploaded last" in caplog.text
    assert [each.version for each in other.versions()] == [version]
    assert open_bundle(other.path(version), WALLET).manifest.version == version


def test_the_same_version_of_two_machines_is_one(registry, other, s3_server):
    version = add(registry)
    kept = s3_server.get(key(registry, f"{version}/{MANIFEST_FILE}"))
    assert add(other) == version
    assert s3_server.get(key(registry, f"{version}/{MANIFEST_FILE}")) == kept


def test_a_version_that_was_altered_is_refused_by_name_and_training_anew_mends_it(
    registry, other, s3_server
):
    version = add(registry)
    for name, said in ((GRAPH_FILE, "graph.onnx has sha256"), (MANIFEST_FILE, "manifest")):
        s3_server.put(key(registry, f"{version}/{name}"), b"x")
        with pytest.raises(BundleError, match=said):
            other.path(version)
        assert list(other.directory.iterdir()) == [], "nothing of it stays"
        assert add(registry) == version
    s3_server.delete(key(registry, f"{version}/{GRAPH_FILE}"))
    with pytest.raises(BundleError, match=rf"{version} in s3://.* altered: graph.onnx is missing"):
        other.path(version)
    assert add(registry) == version
    assert other.path(version).is_dir()


def test_a_version_under_another_name_is_refused(registry, other, s3_server):
    version = add(registry)
    copy_version(registry, s3_server, version, "wallet-tiny-other")
    with pytest.raises(BundleError, match=f"wallet-tiny-other holds version {version}"):
        other.path("wallet-tiny-other")


def test_a_manifest_that_leads_out_of_the_cache_is_refused(registry, other, s3_server, tmp_path):
    version = add(registry)
    manifest = read_manifest(registry.path(version))
    files = manifest.files | {"../../escaped": hashlib.sha256(b"x").hexdigest()}
    forged = msgspec.structs.replace(manifest, files=files).sealed()
    copy_version(registry, s3_server, version, forged.version)
    at = key(registry, f"{forged.version}/{MANIFEST_FILE}")
    s3_server.put(at, msgspec.json.encode(forged))
    with pytest.raises(BundleError, match="has a name that no file of a bundle has"):
        other.path(forged.version)
    assert not list(tmp_path.rglob("escaped"))


def copy_version(registry: Registry, s3_server: S3Server, version: str, name: str) -> None:
    for path in registry.path(version).iterdir():
        s3_server.put(key(registry, f"{name}/{path.name}"), path.read_bytes())


def test_a_version_is_fetched_once_and_anew_where_what_was_kept_is_not_whole(
    registry, other, monkeypatch
):
    version = add(registry)
    fetched = []
    fetch = BucketStore._fetch_file

    def count(store: BucketStore, name: str, *rest: Any) -> str:
        fetched.append(name)
        return fetch(store, name, *rest)

    monkeypatch.setattr(BucketStore, "_fetch_file", count)
    for _ in range(3):
        path = other.path(version)
    files = len(fetched)
    assert len(set(fetched)) == files
    (path / GRAPH_FILE).write_bytes(b"x")
    assert open_bundle(other.path(version), WALLET).manifest.version == version
    assert len(fetched) == 2 * files


def test_versions_that_were_used_longest_ago_leave_the_cache_and_come_back(
    registry, other, monkeypatch
):
    monkeypatch.setattr(bundle_cache, "KEPT_VERSIONS", 2)
    versions = [add(registry, threshold=0.1 + number / 100) for number in range(3)]
    for number, version in enumerate(versions):
        os.utime(other.path(version), (number, number))
    kept = {path.name for path in other.directory.iterdir()}
    assert kept == set(versions[1:])
    (other.directory / f".aside-{versions[0]}").mkdir()  # of a process that was killed
    assert other.path(versions[0]).is_dir()
    assert {path.name for path in other.directory.iterdir()} == {versions[0], versions[2]}


def test_a_champion_stays_in_the_cache_however_long_ago_it_was_opened(registry, other, monkeypatch):
    monkeypatch.setattr(bundle_cache, "KEPT_VERSIONS", 1)
    champion, *others = [add(registry, threshold=0.1 + number / 100) for number in range(3)]
    registry.promote(champion)
    assert other.champion() == champion
    os.utime(other.path(champion), (1, 1))
    for number, version in enumerate(others, start=2):
        os.utime(other.path(version), (number, number))
    assert {path.name for path in other.directory.iterdir() if path.name[0] != "."} == {
        champion,
        others[-1],
    }


def test_what_decides_or_scores_beside_the_champion_stays_in_the_cache_too(
    registry, other, monkeypatch
):
    monkeypatch.setattr(bundle_cache, "KEPT_VERSIONS", 1)
    versions = [add(registry, threshold=0.1 + number / 100) for number in range(5)]
    champion, rolled_out, live, judged, last = versions
    registry.promote(champion)
    registry.rollouts.begin(rolled_out, 0.05, Signature("anna", "anna"))
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    registry.challenge(live, soon, is_live=True)
    registry.challenge(judged, soon)
    for number, version in enumerate(versions):
        os.utime(other.path(version), (number, number))
    assert {path.name for path in other.directory.iterdir() if path.name[0] != "."} == {
        champion,
        rolled_out,
        live,
        last,
    }


def test_a_version_that_another_process_fetched_meanwhile_is_not_taken_from_who_opens_it(
    registry, other, monkeypatch
):
    version = add(registry)
    fetch, opened = BucketStore._fetch_file, []

    def fetch_after_another(store: BucketStore, name: str, *rest: Any) -> str:
        if not opened:
            opened.append(0)
            path = machine(other.directory.parents[1], other._store.where).path(version)
            opened[:] = [(path / GRAPH_FILE).stat().st_ino]
        return fetch(store, name, *rest)

    monkeypatch.setattr(bucket_store, "_AT_ONCE", 1)
    monkeypatch.setattr(BucketStore, "_fetch_file", fetch_after_another)
    path = other.path(version)
    assert (path / GRAPH_FILE).stat().st_ino == opened[0], "its directory was replaced"
    assert [each for each in other.directory.iterdir() if each.name[0] != "."] == [path]


def test_processes_of_the_same_id_keep_whole_what_they_read_last(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 7)  # in containers that share a volume
    cache, other = (bundle_cache.BundleCache(tmp_path) for _ in range(2))
    replace = Path.replace

    def replace_after_another(draft: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        other.remember("champion.wallet", b"second\n")
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", replace_after_another)
    cache.remember("champion.wallet", b"first\n")
    held = cache.remembered("champion.wallet")
    assert held is not None
    assert held.content == b"first\n"
    assert [each.name for each in tmp_path.iterdir()] == [".last-read-champion.wallet"]


MALFORMED = [
    ("AWS_ENDPOINT_URL", ""),
    ("AWS_ENDPOINT_URL", "minio:9000"),
    ("AWS_ENDPOINT_URL", "http://:9000"),
    ("AWS_ENDPOINT_URL_S3", "http://mi nio:9000"),
    ("AWS_ENDPOINT", "http://minio:port"),
    ("AWS_SESSION_TOKEN", "a-token\n"),
]


@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_a_malformed_variable_is_refused_by_its_name_and_its_value_is_not_told(
    tmp_path, bucket, monkeypatch, name, value
):
    monkeypatch.setenv(name, value)
    with pytest.raises(RegistryError, match=rf"the variable {name} (is|has) ") as refused:
        machine(tmp_path / "home", bucket).champion_text()
    assert not value.strip() or value.strip() not in str(refused.value)


@pytest.mark.parametrize(("name", "value"), [MALFORMED[0], MALFORMED[1], MALFORMED[-1]])
def test_where_obstore_panics_that_is_an_error_of_the_registry(
    tmp_path, bucket, monkeypatch, name, value
):
    monkeypatch.setattr(requests, "_require_variables", lambda _: None)
    monkeypatch.setenv(name, value)
    with pytest.raises(RegistryError, match="obstore cannot use what one of its variables has"):
        machine(tmp_path / "home", bucket).champion_text()


def test_a_version_that_only_this_machine_still_has_cannot_be_promoted(registry, s3_server):
    version = add(registry)
    s3_server.delete(key(registry, f"{version}/{MANIFEST_FILE}"))
    assert registry.path(version).is_dir()
    with pytest.raises(InputError, match=f"there is no model version '{version}' in s3://"):
        registry.promote(version)


def test_to_look_who_is_champion_is_one_request_that_carries_nothing(registry, monkeypatch):
    registry.promote(add(registry))
    text = registry.champion_text()
    asked = []
    get = requests.obstore.get

    def count(*arguments: Any, **options: Any) -> Any:
        asked.append(options["options"])
        return get(*arguments, **options)

    monkeypatch.setattr(requests.obstore, "get", count)
    for _ in range(3):
        assert registry.champion_text() == text
    assert len(asked) == 3
    assert all(each["if_none_match"] for each in asked)


def test_a_store_that_ignores_the_conditions_of_a_write_is_refused(s3_server, url, tmp_path):
    careless = machine(tmp_path / "home", s3_server.make_bucket(f"careless-{tmp_path.name[:9]}"))
    with pytest.raises(RegistryError, match="does not keep the conditions of a write"):
        add(careless)


def test_a_bucket_that_is_not_there_is_no_empty_registry(tmp_path, bucket):
    nowhere = machine(tmp_path / "home", "s3://not-a-bucket-of-ours/models")
    for ask in (nowhere.champion_text, nowhere.versions, nowhere.has_champion):
        with pytest.raises(
            RegistryError, match=r"404 Not Found, NoSuchBucket\)\. .*`registry.url`"
        ):
            ask()


def test_a_store_that_takes_nothing_is_refused_before_a_training_and_not_after(tmp_path, bucket):
    nowhere = machine(tmp_path / "home", "s3://not-a-bucket-of-ours/models")
    with pytest.raises(RegistryError, match="could not be written"):
        nowhere.new_directory()
    assert list(nowhere.directory.iterdir()) == []


def test_no_credential_is_in_an_error_or_in_the_log(tmp_path, bucket, monkeypatch, caplog):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:a-secret-that-nobody-may-see@127.0.0.1:1")
    with caplog.at_level(logging.DEBUG), pytest.raises(RegistryError) as away:
        machine(tmp_path / "home", bucket).champion_text()
    said = f"{away.value} {caplog.text}"
    assert "could not be read (HTTP error: error sending request" in said
    for secret in ("a-secret-that-nobody-may-see", "AKIATESTONLY", "user"):
        assert secret not in said


def test_what_was_copied_without_a_line_end_hides_no_later_line(registry, s3_server):
    registry.promote(add(registry))
    at = key(registry, "changes.wallet")
    s3_server.put(at, s3_server.get(at) + b'{"at":"2026-01-')
    registry.promote(registry.champion())
    assert [each.what for each in registry.changes()] == ["promoted"] * 2


def test_of_two_registries_with_the_same_versions_each_has_its_own_cache(
    registry, s3_server, tmp_path
):
    elsewhere = machine(tmp_path / "home", s3_server.make_bucket(f"b-{tmp_path.name[-9:].lower()}"))
    assert elsewhere.directory != registry.directory
    version = add(registry)
    candidate = elsewhere.new_directory()
    write_tiny_bundle(candidate, WALLET, threshold=0.9)
    elsewhere.add(candidate)
    with pytest.raises(InputError, match="there is no model version"):
        elsewhere.path(version)
