"""Who promoted, rolled back or changed a policy, and why, is kept; what did not happen is told."""

import datetime as dt
import errno
import itertools
import logging
import os
import random
import time
from pathlib import Path

import pytest
from tests.registry.test_registry import (
    add,
    of_the_last_release,
    other_processes,
    registry_of,
)

from fraudline.registry import Registry, Signature
from fraudline.registry.champions import Champions

ANNA = Signature("anna", "deploy", "the attack of Monday")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return registry_of(tmp_path / "home")


def told(registry: Registry) -> list[tuple[str, str, str | None, str, str]]:
    return [(c.what, c.version, c.before, c.who, c.why) for c in registry.changes()]


def test_each_change_is_kept_with_who_and_why_and_what_was_before(registry):
    begun_at = dt.datetime.now(dt.UTC).replace(microsecond=0)
    first, second = add(registry), add(registry, threshold=0.25)
    registry.promote(first)
    registry.promote(second, ANNA)
    registry.record_policy("wallet-tiny-9", second, {"review_cost": (4.0, 9.0)}, ANNA)
    registry.roll_back(first, Signature("deploy", "deploy"))
    me = Signature.of_this_process()
    assert me.by == me.user
    by_anna = "anna (account deploy)"
    assert told(registry_of(registry.directory.parent)) == [
        ("promoted", first, None, me.user, ""),
        ("promoted", second, first, by_anna, "the attack of Monday"),
        (
            *("policy changed", "wallet-tiny-9", second, by_anna),
            "the attack of Monday; review_cost 4.0 -> 9.0",
        ),
        ("rolled back to", first, second, "deploy", ""),
    ]
    assert all(begun_at <= each.at <= dt.datetime.now(dt.UTC) for each in registry.changes())


def test_what_was_promoted_before_changes_were_kept_is_listed_without_a_name(registry):
    wallets, cards = of_the_last_release(registry)
    assert [(each[0], each[3]) for each in told(cards)] == [("promoted", "was not kept")] * 2
    version = add(wallets)
    line = f"2026-01-02T03:04:05+00:00 promoted {version}"
    (registry.directory / "champion.wallet").write_text(f"{version}\n{line}\n")
    wallets.promote(version, ANNA)
    assert [(each[1], each[3]) for each in told(wallets)] == [
        (version, "was not kept"),
        (version, "anna (account deploy)"),
    ]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_promotion_that_was_cut_short_is_told_and_did_not_happen(registry, monkeypatch):
    first, second = add(registry), add(registry, threshold=0.25)
    registry.promote(first)
    with monkeypatch.context() as patched:
        patched.setattr(Champions, "write", full)
        with pytest.raises(OSError, match="No space left"):
            registry.promote(second, ANNA)
    assert registry.champion() == first
    assert told(registry)[1][0] == "promoted: did not happen (cut short, or another was first)"
    registry.promote(second, ANNA)
    assert registry.earlier_champion() == first


def test_nothing_is_promoted_that_cannot_be_written_down(registry, monkeypatch):
    first, second = add(registry), add(registry, threshold=0.25)
    registry.promote(first)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        registry.promote(second, ANNA)
    assert registry.champion() == first


def promote_for_ever(home: Path, versions: list[str]) -> None:
    registry = registry_of(home)
    for version in itertools.cycle(versions):
        registry.promote(version, ANNA)


def test_who_is_killed_while_promoting_leaves_one_champion_and_a_list_that_agrees(registry):
    versions = [add(registry), add(registry, threshold=0.25)]
    chance = random.Random(3)
    others = other_processes()
    for _ in range(12):
        promoter = others.Process(
            target=promote_for_ever, args=(registry.directory.parent, versions)
        )
        promoter.start()
        time.sleep(chance.uniform(0.01, 0.06))
        promoter.kill()
        promoter.join()
    assert registry.champion() in versions
    promotions = registry.promotions()
    assert promotions[-1].version == registry.champion()
    changes = registry.changes()
    done = [(each.at, each.version) for each in changes if each.is_done]
    assert done == [(each.at, each.version) for each in promotions]
    assert len(changes) - len(done) <= 12, "one for each kill at most"
    assert {each.who for each in changes} == {"anna (account deploy)"}


def test_changes_stay_in_their_order_where_the_clock_was_set_back(registry, monkeypatch):
    first, second, third = (add(registry, threshold=0.1 + n / 10) for n in range(3))
    registry.promote(first)
    back = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    monkeypatch.setattr("fraudline.registry.registry._now", lambda: back)
    registry.promote(second, ANNA)
    monkeypatch.undo()
    registry.promote(third)
    assert [each[1] for each in told(registry)] == [first, second, third]


def test_a_line_that_was_cut_off_is_told_and_hides_no_other(registry, caplog):
    first, second = add(registry), add(registry, threshold=0.25)
    registry.promote(first, ANNA)
    path = registry.directory / "changes.wallet"
    path.write_bytes(path.read_bytes() + b'{"at":"2026-01-')  # the machine stopped
    registry.promote(second, ANNA)
    with caplog.at_level(logging.WARNING):
        assert [each[1] for each in told(registry)] == [first, second]
    assert "changes.wallet, line 2 is no change" in caplog.text


def test_a_rule_of_labels_is_written_down_when_it_is_another_one_and_only_then(registry):
    first = {"maturity_days": 30.0, "sources": "chargeback > test"}
    assert registry.label_rules.new_in("wallet", first) == {
        "maturity_days": (None, 30.0),
        "sources": (None, "chargeback > test"),
    }
    for _ in range(2):
        registry.label_rules.record("wallet", first, ANNA)
    second = first | {"maturity_days": 45.0}
    assert registry.label_rules.new_in("wallet", second) == {"maturity_days": (30.0, 45.0)}
    registry.label_rules.record("wallet", second, ANNA)
    registry.promote(add(registry), ANNA)
    assert registry.label_rules.new_in("wallet", second) == {}
    registry.label_rules.record("wallet", second, ANNA)
    assert [each[:2] for each in told(registry)] == [
        ("label rule changed", "wallet"),
        ("label rule changed", "wallet"),
        ("promoted", registry.champion()),
    ]
    assert told(registry)[1][4] == "the attack of Monday; maturity_days 30.0 -> 45.0"
    assert registry.challengers() == []


def test_what_a_later_release_writes_down_is_listed_as_it_says(registry):
    registry.promote(add(registry), ANNA)
    path = registry.directory / "changes.wallet"
    later = b'{"at":"2040-01-02T03:04:05Z","change":"retired","version":"v-1","moon":"full"}\n'
    path.write_bytes(path.read_bytes() + later)
    assert told(registry)[-1] == ("retired", "v-1", None, "was not kept", "")
