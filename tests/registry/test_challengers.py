"""A challenger is one until it is promoted, overtaken or expired, as the list of changes says."""

import datetime as dt

import pytest
from tests.registry.test_registry import add, of_the_last_release, registry_of, roll_back
from tests.transactions import CREDITCARD

from fraudline.bundle.manifest import Calibrated
from fraudline.errors import InputError
from fraudline.registry import Registry, Signature
from fraudline.registry.challengers import challengers_of

SOON = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=1)


@pytest.fixture
def registry(tmp_path) -> Registry:
    return registry_of(tmp_path / "home")


def versions(registry: Registry, count: int) -> list[str]:
    """So many versions, of which the first is the champion."""
    made = [add(registry, threshold=0.1 + number / 100) for number in range(count)]
    registry.promote(made[0])
    return made


def ends(registry: Registry) -> dict[str, str | None]:
    return {each.version: each.ended for each in registry.challengers()}


def test_several_versions_challenge_a_champion(registry):
    _, second, third = versions(registry, 3)
    for version in (second, third):
        registry.challenge(version, SOON)
    assert ends(registry_of(registry.directory.parent)) == {second: None, third: None}
    assert registry.challengers()[0].until == SOON


def test_a_promotion_ends_all_challenges_of_the_champion_before(registry):
    first, second, third = versions(registry, 3)
    for version in (second, third):
        registry.challenge(version, SOON)
    registry.promote(first)  # which changes nothing
    assert ends(registry) == {second: None, third: None}
    registry.promote(second)
    assert ends(registry) == {second: "became the champion", third: f"overtaken by {second}"}
    registry.challenge(third, SOON)
    assert ends(registry)[third] is None


def test_two_challengers_may_be_live_and_a_third_is_refused_with_both_names(registry):
    _, second, third, fourth = versions(registry, 4)
    registry.challenge(second, SOON, is_live=True)
    before = registry.changes_text()
    registry.challenge(third, SOON, is_live=True)
    assert registry.changes_text() != before
    assert [each.version for each in registry.live_challengers()] == [second, third]
    with pytest.raises(InputError, match=f"{fourth} cannot score live: {second} and {third} do"):
        registry.challenge(fourth, SOON, is_live=True)
    registry.challenge(third, SOON, is_live=True)  # again: it is one of them
    registry.challenge(fourth, SOON)
    assert fourth not in [each.version for each in registry.live_challengers()]
    registry.challenge(second, SOON)  # no longer live
    registry.challenge(fourth, SOON, is_live=True)
    assert [each.version for each in registry.live_challengers()] == [third, fourth]
    assert "scores live" in registry.changes()[-1].why
    registry.promote(second)
    assert registry.live_challengers() == []


def test_a_challenge_of_a_champion_that_no_longer_is_has_ended_when_it_begins(registry):
    _, second, third = versions(registry, 3)
    registry.challenge(second, SOON, is_live=True)
    line = registry.changes_text().splitlines()[-1]
    registry.promote(third)
    file = registry.directory / "changes.wallet"
    lines = file.read_bytes().splitlines()
    lines.remove(line)
    file.write_bytes(b"\n".join([*lines, line, b""]))  # by another machine that was late
    assert ends(registry) == {second: f"overtaken by {third}"}
    assert registry.live_challengers() == []
    registry.challenge(second, SOON, is_live=True)
    assert [each.version for each in registry.live_challengers()] == [second]


def test_a_rollback_ends_a_challenge_too(registry):
    first, second, third = versions(registry, 3)
    registry.promote(second)
    registry.challenge(third, SOON)
    assert roll_back(registry) == first
    assert ends(registry) == {third: f"overtaken by {first}"}


def test_a_challenge_expires_and_what_comes_later_did_not_end_it(registry):
    _, second, third = versions(registry, 3)
    registry.challenge(second, SOON)
    late = SOON + dt.timedelta(hours=1)
    (expired,) = challengers_of(registry.changes(), late)
    assert expired.ended == f"expired at {SOON:%Y-%m-%d %H:%M} UTC"
    registry.challenge(second, dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
    registry.promote(third)
    assert str(ends(registry)[second]).startswith("expired at")


def test_who_is_the_champion_or_has_none_to_beat_cannot_challenge(registry):
    only = add(registry)
    with pytest.raises(InputError, match="has no champion yet"):
        registry.challenge(only, SOON)
    registry.promote(only)
    with pytest.raises(InputError, match="has it as its champion"):
        registry.challenge(only, SOON)
    with pytest.raises(InputError, match="there is no model version"):
        registry.challenge("wallet-tiny-0", SOON)


def test_each_contract_has_challengers_of_its_own(registry):
    wallets, cards = of_the_last_release(registry)
    wallet, card = add(wallets), add(cards, CREDITCARD)
    wallets.challenge(wallet, SOON)
    cards.challenge(card, SOON)
    assert ends(registry) == {card: None, wallet: None}
    wallets.promote(wallet)
    assert ends(registry) == {card: None, wallet: "became the champion"}


def alike(registry: Registry, champion: str) -> dict[str, str]:
    """Versions that rank as the champion does, by how they came about."""
    at = dt.datetime.now(dt.UTC)
    told = Calibrated(champion, 2.0, 1.0, at, at, at, 100, 20, 0)
    calibrated = add(registry, calibrated=told, threshold=0.2)
    return {
        "its policy was changed": add(registry, derived_from=champion, threshold=0.3),
        "it was calibrated anew": calibrated,
        "its calibration's policy was changed": add(
            registry, calibrated=told, derived_from=calibrated, threshold=0.4
        ),
        "it was trained on the same rows again, with other costs": add(registry, recipe="same"),
    }


def test_what_has_the_champions_network_neither_challenges_it_nor_widens_by_itself(registry):
    """A bet on who ranks better would never be won, and nobody would be told why."""
    champion = add(registry)
    registry.promote(champion)
    nobody = Signature.of_this_process()
    for how, version in alike(registry, champion).items():
        for is_live in (False, True):
            with pytest.raises(InputError) as refused:
                registry.challenge(version, SOON, is_live=is_live)
            assert f"cannot challenge it: it has the network of the champion {champion}" in str(
                refused.value
            ), how
            assert f"--model {version}` says what it would have decided" in str(refused.value)
        with pytest.raises(InputError, match="cannot widen by itself"):
            registry.rollouts.begin(version, 0.05, nobody, widens=True)
        registry.rollouts.begin(version, 0.05, nobody)
        with pytest.raises(InputError, match="cannot widen by itself"):
            registry.rollouts.widen(version, 0.1, nobody, widens=True)
        registry.rollouts.widen(version, 0.1, nobody)
        registry.rollouts.end(version, nobody)
    assert registry.challengers() == []
    registry.challenge(add(registry, threshold=0.25), SOON)


def test_what_takes_money_in_another_unit_may_challenge_the_network_that_it_is_of(registry):
    """It ranks otherwise, so a bet on who ranks better can be won."""
    champion = add(registry)
    registry.promote(champion)
    at = dt.datetime.now(dt.UTC)
    told = Calibrated(champion, 2.0, 1.0, at, at, at, 100, 20, 0, unit=4.0)
    other = add(registry, calibrated=told, threshold=0.2)
    cheaper = add(registry, calibrated=told, derived_from=other, threshold=0.3)
    for version in (other, cheaper):
        registry.challenge(version, SOON)
    registry.promote(other)
    with pytest.raises(InputError, match="it has the network of the champion"):
        registry.challenge(cheaper, SOON)
