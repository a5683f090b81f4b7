"""The champion's line beside it: one bet on learning like this, from period to period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from fraudline.bundle.manifest import Manifest
from fraudline.measures.challenge import Challenge
from fraudline.use_cases.challenge_conditions import (
    Condition,
    brief_conditions,
    told_conditions,
)
from fraudline.use_cases.champion_line import champions_line
from fraudline.use_cases.learned_alike import WayOfLearning, difference, newest_alike
from fraudline.use_cases.learning_steps import Due
from fraudline.use_cases.project import Project
from fraudline.warehouse.decided_periods import decided_periods

_decode_challenge = msgspec.json.Decoder(Challenge).decode

_MOMENT = dt.timedelta(microseconds=1)
_NEWEST_JUDGED_ON = 5  # periods on which the newest version must not be worse than the champion
# Two versions of one network take the same time: what differs is noise.
_OF_NETWORK = ("speed",)
# A few periods prove no order.
_OF_LINE_ALONE = ("order", *_OF_NETWORK)


@dataclass(frozen=True)
class LineVerdict:
    """What is known of a line once a period is counted, too.

    Attributes:
        judged: The version that was its newest when the period began; the champion, if there was
            none.
        newest: The one that would be promoted: the newest that learned as the judged one did.
        found: Both, over all periods that this bet counts.
        is_won: Whether all conditions are met.
        told: What was found, in words.
        said: The same, as far as a line of the log has room for it.
        state: What the next period goes on from, as it is written.
    """

    judged: str
    newest: str
    found: Challenge
    is_won: bool
    told: str
    said: str
    state: str


class _WayOfState(msgspec.Struct):
    """How the version learned that the last period was judged by; states of before do not say."""

    way: WayOfLearning | None = None


_decode_way = msgspec.json.Decoder(_WayOfState).decode


def judge_line(
    project: Project,
    due: Due,
    champion: str,
    since: dt.datetime,
    last: dict[str, Any] | None,
    on_judged: Callable[[int], None],
) -> LineVerdict:
    """Judge the line by a period that is mature.

    Args:
        project: Whose registry, decisions and labels.
        due: The period, and when it was mature.
        champion: Whose line.
        since: When its network became the champion's.
        last: The row of `gates` of the period before; None if this is the first.
        on_judged: Called with how many transactions were judged so far.

    Raises:
        BundleError: one of the versions is broken.
        InputError: the champion is not in the registry.
        WarehouseError: the tables cannot be queried.
    """
    registry = project.registry
    manifests, removed = registry.versions(), registry.removals.all(project.contract.name)
    network = registry.networks.of(champion)
    # A version as of the very moment at which a period begins knows nothing of it.
    then, now = (
        champions_line(manifests, network, since=since, before=at + _MOMENT, removed=removed)
        for at in (due.period.start, due.at)
    )
    line, youngest, gap = then.newest, now.newest, f"; {now.gap}" if now.gap else ""
    # An older one in its place would be another bet than the one that the line has made.
    is_gone = then.last != line.version
    if line.version == network or is_gone:
        found, anew = _so_far(last, due, None, champion)
        told = f"{champion} has no line yet that is older than this period"
        if is_gone:
            told = f"the version of that time, {then.last}, was removed, so nothing was judged"
        told, state = f"{anew}{told}{gap}", _state(found, _way_before(last))
        newest_name = champion if youngest.version == network else youngest.version
        return LineVerdict(
            champion, newest_name, found, is_won=False, told=told, said=told, state=state
        )
    way = WayOfLearning.of(line)
    found, anew = _so_far(last, due, way, champion)
    newest = newest_alike(now, line)
    found, conditions = _judged(project, due, champion, line, newest, found, on_judged)
    is_won, left_out = all(each.is_met for each in conditions), gap
    if is_won and youngest.version != newest.version:
        other = difference(way, WayOfLearning.of(youngest))
        left_out = f"; {youngest.version} is younger, and learned {other}{gap}"
    told, said = (
        f"{anew}{words}{left_out}"
        for words in (told_conditions(conditions), brief_conditions(found, conditions))
    )
    return LineVerdict(line.version, newest.version, found, is_won, told, said, _state(found, way))


def _so_far(
    last: dict[str, Any] | None, due: Due, way: WayOfLearning | None, champion: str
) -> tuple[Challenge, str]:
    """What the periods before have found, if that stands for this one; and if not why, in words."""
    if last is None:
        return Challenge(), ""
    found, why = _decode_challenge(last["state"]), ""
    length = last["period_end"] - last["period_start"]
    if length != due.period.length:
        why = f"periods of {due.period.length} instead of {length}"
    if other := difference(_way_before(last), way):
        why = f"it learned {other}"
    if not why or found == Challenge():
        # A calibration anew of the champion ranks as before, and decides otherwise.
        return found if last["champion"] == champion else found.on_another_scale(), ""
    return Challenge(), f"begins anew, at wealth 1 instead of {found.bet.wealth:,.2f}: {why}; "


def _way_before(last: dict[str, Any] | None) -> WayOfLearning | None:
    return None if last is None else _decode_way(last["state"]).way


def _state(found: Challenge, way: WayOfLearning | None) -> str:
    content = {**msgspec.to_builtins(found), "way": way}
    return msgspec.json.encode(content).decode()


def _judged(
    project: Project,
    due: Due,
    champion: str,
    line: Manifest,
    newest: Manifest,
    found: Challenge,
    on_judged: Callable[[int], None],
) -> tuple[Challenge, list[Condition]]:
    """What is found of the line after this period, and all conditions."""
    from fraudline.use_cases.compare_versions import VersionPair  # brings ONNX Runtime

    assert line.learned
    pair = VersionPair(project, champion, line.version, line.learned.as_of, on_judged)
    found = pair.after(found, due.period)
    conditions = [each for each in pair.conditions(found) if each.name not in _OF_NETWORK]
    if found.bet.is_proved and newest.version != line.version:
        conditions.append(_newest_does(project, due, champion, newest.version, on_judged))
    return found, conditions


def _newest_does(
    project: Project, due: Due, champion: str, newest: str, on_judged: Callable[[int], None]
) -> Condition:
    """That the version that would be promoted is not worse than the champion lately.

    It has learned some of these labels, so this tells a broken one, and proves nothing.
    """
    from fraudline.use_cases.compare_versions import VersionPair

    length_s = due.period.length.total_seconds()
    begin = due.period.end - _NEWEST_JUDGED_ON * due.period.length
    maturity = dt.timedelta(days=project.contract.maturity_days)
    pair = VersionPair(project, champion, newest, begin - maturity, on_judged)
    found = Challenge()
    for period in decided_periods(project.warehouse, length_s, since=begin, until=due.period.end):
        found = pair.after(found, period)
    gain = found.bet.mean_gain
    missing = [
        each
        for each in pair.conditions(found)
        if each.name not in _OF_LINE_ALONE and not each.is_met
    ]
    told = f"{newest} ranks {gain:+.4f} on the last {_NEWEST_JUDGED_ON} periods"
    told += "".join(f"; {each.name}: {each.told}" for each in missing)
    return Condition("newest", found.bet.frauds > 0 and gain >= 0 and not missing, told)
