"""A challenger beside the champion, judged by what became known after it was made one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import msgspec

from fraudline.errors import InputError
from fraudline.measures.challenge import Challenge
from fraudline.registry import Challenger
from fraudline.use_cases.challenge_conditions import Condition
from fraudline.use_cases.compare_versions import PairSums, VersionPair
from fraudline.use_cases.line_rows import first_after
from fraudline.use_cases.project import Project
from fraudline.warehouse.decided_periods import decided_periods


@dataclass(frozen=True)
class _SoFar:
    """Of a verdict, what the next one goes on from if nothing of it is otherwise.

    Attributes:
        length_s: How long its last periods are, seconds.
        maturity_days: After how many days they were mature.
        counted_until: The end of the last period that it counts; None if it counts none.
        sums: What both versions took.
    """

    length_s: float
    maturity_days: float
    counted_until: dt.datetime | None = None
    sums: PairSums = field(default_factory=PairSums)


@dataclass(frozen=True)
class _Kept:
    """What is read again of a verdict that was kept; those of before lack `goes_on`."""

    champion: str
    since: dt.datetime
    periods: int
    found: Challenge
    goes_on: _SoFar


_decode_kept = msgspec.json.Decoder(_Kept).decode


@dataclass(frozen=True)
class ChallengerVerdict:
    """What is known of a challenger at a moment.

    Attributes:
        challenger: Its version.
        champion: The version that it challenges.
        since: When it was made a challenger; only what became known later counts.
        until: When it expires.
        at: As of when it was judged.
        periods: How many periods were compared: those that are mature as a whole.
        found: Both, over all of them.
        hidden: Payments that were blocked and never labelled: nobody knows what they were, so they
            are left out.
        unjudged: Payments that one of the two has no verdict on, left out too.
        conditions: All that a challenger must meet.
        goes_on: What the next look goes on from.
    """

    challenger: str
    champion: str
    since: dt.datetime
    until: dt.datetime
    at: dt.datetime
    periods: int
    found: Challenge
    hidden: int
    unjudged: int
    conditions: list[Condition]
    goes_on: _SoFar

    @property
    def is_won(self) -> bool:
        """Whether it meets them all."""
        return all(each.is_met for each in self.conditions)


def judge_challengers(
    project: Project,
    version: str | None = None,
    *,
    at: dt.datetime | None = None,
    on_judged: Callable[[int], None] = lambda _: None,
) -> list[ChallengerVerdict]:
    """Judge the contract's challengers beside its champion, and keep each verdict in the registry.

    Both judge the same transactions anew, as a scorer would; what a version said at the time, it
    says again to the last bit. A period counts once all of it is mature, by the labels as of then,
    so a later look would find the same of it: it goes on from the last verdict that was kept, and
    judges the periods since. Memory: the scores of a period.

    Args:
        project: Whose registry, decisions and labels.
        version: One of the challengers; all of them without one.
        at: As of when; now without one.
        on_judged: Called with how many transactions were judged so far.

    Raises:
        InputError: the version is no challenger.
        BundleError: there is no champion, or one of the versions is broken.
        ContractError: a column of the contract is called like one of its label beside a decision.
        WarehouseError: the tables cannot be queried.
    """
    at = at or dt.datetime.now(dt.UTC)
    verdicts = []
    for challenger in _chosen(project, version):
        verdict = _judged(project, challenger, at, on_judged)
        project.registry.record_verdict(challenger.version, msgspec.json.encode(_record(verdict)))
        verdicts.append(verdict)
    return verdicts


def standing_challengers(project: Project) -> list[str]:
    """The contract's challengers that have neither won, expired nor been overtaken."""
    return [each.version for each in _chosen(project, None)]


def _chosen(project: Project, version: str | None) -> list[Challenger]:
    contract = project.contract.name
    known = [
        each for each in project.registry.challengers() if each.version.startswith(f"{contract}-")
    ]
    if version is None:
        return [each for each in known if each.ended is None]
    for each in known:
        if each.version == version and each.ended is None:
            return [each]
    ended = next((each.ended for each in known if each.version == version), None)
    why = f"any more: {ended}" if ended else f"of the champion of contract '{contract}'"
    raise InputError(
        f"{version[:300]} is no challenger {why}. `fraudline models challenge {version[:300]}` "
        "makes it one, `fraudline models list` shows those that are."
    )


def _judged(
    project: Project, challenger: Challenger, at: dt.datetime, on_judged: Callable[[int], None]
) -> ChallengerVerdict:
    """A challenger and the champion, through all periods that are mature."""
    champion, length_s = project.registry.champion(), project.settings.learning.period_s
    maturity_days = project.contract.maturity_days
    maturity = dt.timedelta(days=maturity_days)
    until = at - maturity
    known = _kept(project, champion, challenger, until)
    found, compared, goes_on = Challenge(), 0, _SoFar(length_s, maturity_days)
    if known is not None:
        found, compared, goes_on = known.found, known.periods, known.goes_on
    counted_until = goes_on.counted_until
    pair = VersionPair(
        project, champion, challenger.version, challenger.since, on_judged, goes_on.sums
    )
    since = challenger.since - maturity - dt.timedelta(seconds=length_s)
    if counted_until is not None:
        since = first_after(counted_until, length_s)
    for period in decided_periods(project.warehouse, length_s, since=since, until=until):
        if period.end <= until:
            found = pair.after(found, period)
            compared, counted_until = compared + 1, period.end
    sums = pair.sums
    return ChallengerVerdict(
        challenger.version,
        champion,
        challenger.since,
        challenger.until,
        at,
        compared,
        found,
        sums.hidden,
        sums.unjudged,
        pair.conditions(found),
        _SoFar(length_s, maturity_days, counted_until, sums),
    )


def _kept(
    project: Project, champion: str, challenger: Challenger, until: dt.datetime
) -> _Kept | None:
    """The last verdict on this challenge that counts nothing after a moment; None if there is none.

    One by another maturity is none: all is judged again. Of one on periods of another length each
    payment counts, and in no second bet.
    """
    wanted = (champion, challenger.since, project.contract.maturity_days)
    for line in reversed(project.registry.verdicts(challenger.version)):
        try:
            kept = _decode_kept(line)
        except msgspec.DecodeError:  # of before, or cut short
            continue
        by = kept.goes_on
        if (kept.champion, kept.since, by.maturity_days) == wanted and (
            by.counted_until is None or by.counted_until <= until
        ):
            return kept
    return None


def _record(verdict: ChallengerVerdict) -> dict[str, object]:
    return {**asdict(verdict), "is_won": verdict.is_won}
