"""A version that is removed leaves a line behind it; what anybody named stays."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from tests.registry.test_registry import add, registry_of, roll_back

from fraudline.bundle.manifest import Learned
from fraudline.errors import InputError
from fraudline.registry import Registry, Signature, bucket_store, directory_store

SIGNED = Signature("learn", "learn", "nobody can need it")
DAY = dt.timedelta(days=1)
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def learned(registry: Registry, parent: str, day: int) -> str:
    at = BEGIN + day * DAY
    made = Learned(parent, "fine-tuning", at, at, at, 100, 10, 0, 0)
    return add(registry, learned=made)


def remove(registry: Registry, *versions: str) -> list[str]:
    wanted = [each for each in registry.versions() if each.version in versions]
    return registry.removals.remove("wallet", wanted, SIGNED)


@pytest.fixture(params=["directory", "bucket"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    if request.param == "directory":
        return registry_of(tmp_path / "home")
    bucket = request.getfixturevalue("bucket")
    return Registry(tmp_path / "home", lambda: "wallet", f"{bucket}/models")


def test_a_version_that_was_removed_is_gone_and_told_and_what_was_named_stays(registry):
    champion = add(registry)
    first = learned(registry, champion, 1)
    second = learned(registry, first, 2)
    third = learned(registry, second, 3)
    registry.promote(champion)
    registry.promote(second)
    roll_back(registry)
    assert set(remove(registry, champion, first, second, third)) == {first, third}
    assert {each.version for each in registry.versions()} == {champion, second}
    gone = next(each for each in registry.removals.all("wallet") if each.version == first)
    assert (gone.version, gone.parent, gone.as_of) == (first, champion, BEGIN + DAY)
    with pytest.raises(InputError, match=rf"{first} was removed at .* by learn: nobody can need"):
        registry.promote(first)
    assert remove(registry, first) == []
    assert (
        add(registry, learned=Learned(champion, "fine-tuning", *[BEGIN + DAY] * 3, 100, 10, 0, 0))
        == first
    )


def test_what_a_person_names_while_it_is_about_to_be_removed_is_not_removed(registry):
    champion = add(registry, threshold=0.25)
    version = learned(registry, champion, 1)
    registry.promote(champion)
    found = registry.versions()
    registry.challenge(version, BEGIN + 10_000 * DAY)
    assert registry.removals.remove("wallet", found, SIGNED) == []
    assert registry.path(version).is_dir()


def test_a_manifest_is_read_once_and_again_where_it_was_touched(registry, monkeypatch, tmp_path):
    """With thousands of versions, what looks at each period would else read all of them."""
    read = []
    for module, name in ((directory_store, "read_manifest"), (bucket_store, "parse_manifest")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, real=real: read.append(args) or real(*args))
    versions = [add(registry, threshold=number / 10) for number in range(3)]
    before = len(read)
    assert len(registry.versions()) == 3
    assert len(read) == before + 3
    assert len(registry.versions()) == 3
    assert len(read) == before + 3, "they were known"
    versions.append(add(registry, threshold=0.9))
    before = len(read)
    assert {each.version for each in registry.versions()} == set(versions)
    assert len(read) == before + 1, "one is new"
    if registry.directory == tmp_path / "home" / "models":
        (registry.path(versions[0]) / "bundle.json").write_bytes(b"{")
        assert {each.version for each in registry.versions()} == set(versions[1:])
        return
    again = Registry(tmp_path / "home", lambda: "wallet", registry._store.where)
    before = len(read)
    assert {each.version for each in again.versions()} == set(versions)
    assert len(read) == before, "another process of this machine knows them, too"
    file = registry.directory / ".manifests"
    file.write_bytes(file.read_bytes()[:-100])
    cut = Registry(tmp_path / "home", lambda: "wallet", registry._store.where)
    assert {each.version for each in cut.versions()} == set(versions)
    assert len(read) == before + 1, "the line that was cut short"
