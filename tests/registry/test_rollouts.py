"""A rollout begins, widens and ends as the list of changes says."""

import pytest
from tests.registry.test_challengers import versions
from tests.registry.test_registry import registry_of, roll_back

from fraudline.errors import InputError
from fraudline.registry import Registry, Signature

ME = Signature("anna", "anna", "looks well")


@pytest.fixture
def registry(tmp_path) -> Registry:
    return registry_of(tmp_path / "home")


def test_a_rollout_begins_widens_and_ends_by_word_and_each_step_is_kept(registry):
    first, second = versions(registry, 2)
    before = registry.changes_text()
    made = registry.rollouts.begin(second, 0.05, ME)
    assert registry.changes_text() != before
    assert registry_of(registry.directory.parent).rollout() == made
    assert (made.version, made.share, made.since) == (second, 0.05, made.widened_at)
    wider = registry.rollouts.widen(second, 0.2, ME)
    assert (wider.share, wider.since) == (0.2, made.since)
    assert wider.widened_at > made.since
    assert registry.champion() == first
    registry.rollouts.end(second, ME)
    assert registry.rollout() is None
    told = [(each.what, each.version, each.before, each.why) for each in registry.changes()[1:]]
    assert told == [
        ("rolled out", second, first, "looks well; share 0.0 -> 0.05"),
        ("rolled out", second, first, "looks well; share 0.05 -> 0.2"),
        ("rollout ended", second, first, "looks well; share 0.2 -> 0.0"),
    ]


def test_another_champion_ends_a_rollout_and_the_same_one_does_not(registry):
    first, second, third = versions(registry, 3)
    registry.rollouts.begin(second, 0.05, ME)
    registry.promote(first)  # which changes nothing
    assert registry.rollout() is not None
    registry.promote(second)
    assert registry.rollout() is None
    registry.rollouts.begin(third, 0.05, ME)
    assert roll_back(registry) == first
    assert registry.rollout() is None


def test_a_rollout_that_was_decided_on_beside_another_champion_does_not_stand(registry):
    first, second, third = versions(registry, 3)
    registry.rollouts.begin(second, 0.05, ME)
    line = registry.changes_text().splitlines()[-1]
    registry.promote(third)
    _append(registry, line)  # by another machine, which had read that the first one is the champion
    assert registry.rollout() is None
    _append(registry, line.replace(b'"before":"%s",' % first.encode(), b""))
    assert registry.rollout() is not None, "of the last release, which did not write it"


def _append(registry: Registry, line: bytes) -> None:
    with (registry.directory / "changes.wallet").open("ab") as file:
        file.write(line + b"\n")


def test_what_makes_no_rollout_is_refused_and_nothing_is_written(registry):
    first, second, third = versions(registry, 3)
    begin, widen, end = registry.rollouts.begin, registry.rollouts.widen, registry.rollouts.end
    for call, why in (
        (lambda: begin(first, 0.1, ME), "has it as its champion"),
        (lambda: begin("creditcard-none-0", 0.1, ME), "there is no model version"),
        (lambda: begin(second, 1.0, ME), "without --share gives all of them"),
        (lambda: begin(second, 0.0, ME), "0 is no share of the transactions"),
        (lambda: widen(second, 0.1, ME), "decides no share of contract 'wallet'; no version does"),
        (lambda: end(second, ME), "decides no share"),
    ):
        with pytest.raises(InputError, match=why):
            call()
    assert len(registry.changes()) == 1
    begin(second, 0.1, ME)
    for call, why in (
        (lambda: begin(third, 0.1, ME), f"{second} decides 10 % of the transactions already"),
        (lambda: begin(second, 0.2, ME), "`fraudline models rollout --share` widens that"),
        (lambda: widen(second, 0.1, ME), "10 % is no more"),
        (lambda: widen(second, 1.0, ME), "1 is no share"),
        (lambda: widen(third, 0.5, ME), f"decides no share .*; {second} decides 10 %"),
        (lambda: end(third, ME), "Nothing was changed"),
    ):
        with pytest.raises(InputError, match=why):
            call()
    assert len(registry.changes()) == 2


def test_what_was_found_over_a_champion_counts_only_while_it_is_that_and_decides_all(registry):
    first, second, third = versions(registry, 3)
    registry.promote(second)
    registry.promote(first)
    registry.promote(third)  # an automatic step found that the first one, before it, does better
    for _ in range(2):
        roll_back(registry)  # a person was faster, and went back to the second
    assert registry.champion() == second
    assert registry.earlier_champion() == first, "as when it was found"
    before = registry.changes_text()
    with pytest.raises(InputError, match=f"was changed meanwhile, from {third} to {second}"):
        registry.roll_back(first, over=third)
    with pytest.raises(InputError, match=f"was changed meanwhile, from {third} to {second}"):
        registry.promote(first, over=third)
    assert registry.changes_text() == before
    registry.rollouts.begin(third, 0.05, ME)
    before = registry.changes_text()
    for act in (registry.promote, registry.roll_back):
        with pytest.raises(InputError, match=f"{third} decides 5 % of the transactions, since"):
            act(first, over=second)
    assert registry.changes_text() == before, "and who says of no champion that it was found so may"
    registry.roll_back(first)
