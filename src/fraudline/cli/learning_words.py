"""What was judged, in words: the lines of `fraudline learning status`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from fraudline.cli.screen import utc
from fraudline.measures.policy_effect import counted, money, number, percent
from fraudline.measures.prequential import PeriodMeasures
from fraudline.use_cases.learning_status import JudgedPeriod, LearningStatus
from fraudline.use_cases.update_periods import LastUpdate
from fraudline.use_cases.widen_rollout import RolloutStatus

_DAY_S, _HOUR_S, _MINUTE_S = 86400, 3600, 60
_DECIDED = ("approved", "reviewed", "blocked")
_MOST_CORRECTIONS = 3


def judged_row(judged: JudgedPeriod, length_s: float) -> tuple[object, ...]:
    """A period of the table: what it is, as of when, and what came of it."""
    whole = judged.parts["all"]
    return (
        _moment(judged.period.start, length_s),
        _moment(judged.as_of, length_s),
        whole.decisions,
        whole.frauds,
        percent(whole.immature_share),
        figure(whole.average_precision),
        "unknown" if whole.saved is None else money(whole.saved),
    )


def _unlabelled(whole: PeriodMeasures) -> str:
    """Of which payments no label says anything, and what they count as."""
    told = f"{percent(whole.unlabelled_share)} of the payments: legitimate so far"
    if not whole.left_out:
        return told
    return (
        f"{told}, but {whole.left_out:,} that were reviewed in place of being blocked, which no "
        "figure holds: send labels of these, legitimate ones, too"
    )


def rolling_facts(found: LearningStatus) -> list[tuple[str, str]]:
    """The periods put together, and what they stand for."""
    whole, rest = found.rolling["all"], found.rolling["not blocked"]
    newest = found.periods[0]
    facts = [
        (
            "together",
            f"{len(found.periods)} periods of {length_text(found.length_s)}: {_ranked(whole)}",
        ),
        ("probabilities", _calibrated(whole)),
        ("money", _cost(whole)),
        ("not blocked", _ranked(rest)),
        ("stands for", "; ".join(_stands_for(found.rolling, name) for name in _DECIDED)),
        ("unlabelled", _unlabelled(whole)),
        ("delay", _delays(found.periods)),
        ("versions", newest.model_versions),
    ]
    facts += [("corrected", text) for text in _corrections(found)]
    blocked = found.rolling["blocked"]
    if blocked.unlabelled > blocked.decisions / 2:
        facts.append(
            (
                "LOOK",
                f"{blocked.unlabelled:,} of {blocked.decisions:,} blocked payments have no label "
                "and count as legitimate, which many are not: figures of all payments are too low, "
                "and so is what was saved. Those of what was not blocked stand on labels.",
            )
        )
    if ", " in newest.model_versions:
        facts.append(
            ("LOOK", "several versions decided in the last period, in scales of their own.")
        )
    days = sorted({each.maturity_days for each in found.periods if each.maturity_days is not None})
    if len(days) > 1:
        these = " and ".join(f"{each:g}" for each in days)
        facts.append(
            (
                "LOOK",
                f"these periods were judged by {these} days of maturity, so what counts as "
                "legitimate in them does not compare. `fraudline models changes` says since when.",
            )
        )
    return facts


def _ranked(found: PeriodMeasures) -> str:
    said = f"AP {figure(found.average_precision)}, {counted(found.frauds, 'fraud')}"
    if found.precision is None:
        return said
    budget = "the alerts" if found.alerts_a_day is None else f"{found.alerts_a_day:g} alerts a day"
    said += f"; of {budget} {percent(found.precision)} are frauds"
    return said if found.recall is None else f"{said}, {percent(found.recall)} of all"


def _calibrated(found: PeriodMeasures) -> str:
    return (
        f"{number(found.expected_frauds)} frauds expected by the scores, {found.frauds:,} found so "
        f"far; log loss {_short(found.log_loss)}"
    )


def _cost(found: PeriodMeasures) -> str:
    if found.cost is None or found.cost_of_approving is None:
        return "not known: no version of some decisions is in this registry"
    return (
        f"decisions cost {money(found.cost)}; approving everything would cost "
        f"{money(found.cost_of_approving)}"
    )


def _stands_for(parts: dict[str, PeriodMeasures], name: str) -> str:
    part = parts[name]
    return (
        f"{part.decisions:,} {name}, {part.frauds + part.legitimate:,} of them labelled "
        f"({counted(part.frauds, 'fraud')})"
    )


def _delays(periods: list[JudgedPeriod]) -> str:
    """Of the oldest period: of newer ones only the short delays can be known."""
    whole = periods[-1].parts["all"]
    if whole.delay_s_p50 is None:
        return "no fraud was told of the oldest of these periods"
    shares = (whole.delay_s_p10, whole.delay_s_p50, whole.delay_s_p90, whole.delay_s_max)
    p10, p50, p90, longest = (length_text(each or 0.0) for each in shares)
    return (
        f"of the oldest period's fraud labels: a tenth within {p10}, half {p50}, "
        f"nine tenths {p90}, all {longest}"
    )


def _corrections(found: LearningStatus) -> list[str]:
    """Periods of which more is known now than when they were judged first."""
    told = []
    for judged in found.periods:
        first, last = judged.first["all"], judged.parts["all"]
        if first != last:
            late = last.decisions - first.decisions
            told.append(
                f"{_moment(judged.period.start, found.length_s)}: AP "
                f"{figure(first.average_precision)} by {counted(first.frauds, 'fraud')} as of "
                f"{_moment(judged.first_as_of, found.length_s)}, now "
                f"{figure(last.average_precision)} by {last.frauds:,}"
                + (f"; {counted(late, 'decision')} had not been stored then" if late else "")
            )
    return told[:_MOST_CORRECTIONS]


def learned_facts(last: LastUpdate | None) -> list[tuple[str, str]]:
    """What was made of what became known, or why nothing was; a line each thing."""
    if last is None:
        return []
    made, *more = f"{last.period}: {last.told}".split("; ")
    return [("learned", made), *(("", each) for each in more)]


def retrained_facts(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What was trained anew last, or why nothing was, of rows of `updates`; a line each thing."""
    if not rows:
        return []
    made, *more = f"{utc(rows[-1]['period_end'])}: {rows[-1]['told']}".split("; ")
    return [("retrained", made), *(("", each) for each in more)]


def rollout_facts(found: RolloutStatus) -> list[tuple[str, str]]:
    """Which version decides a share, what it waits for, and what was found last of one."""
    facts = []
    if found.told is not None and found.widened_at is not None:
        facts.append(("rollout", f"{found.told}, since {utc(found.widened_at)}"))
    if found.waits_for is not None:
        facts.append(("widens to", f"{found.waits_for}; while `fraudline learn` runs"))
    if found.look is not None:
        until = f"{found.look['period_end']:%Y-%m-%d %H:%M} UTC"
        facts.append(
            ("judged beside", f"{found.look['champion']}, up to {until}: {found.look['told']}")
        )
    return facts


def what_is_next(found: LearningStatus) -> str:
    """What happens next, or what to do."""
    if found.unjudged:
        return (
            f"{counted(len(found.unjudged), 'period')} from {found.unjudged[0]} on should have "
            "been judged. Does `fraudline learn` run? If it does, look again in a minute."
        )
    when = utc(found.next_at)
    if not found.periods:
        return (
            f"nothing was decided in a period that is over. Run `fraudline learn`: what is decided "
            f"now is judged from {when} on, once `fraudline sink` has stored it."
        )
    return f"what is decided now is judged from {when} on, while `fraudline learn` runs."


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def figure(value: float | None, digits: int = 3) -> str:
    """A figure to three digits after the point, or `none`."""
    return "none" if value is None else f"{value:.{digits}f}"


def _moment(at: dt.datetime, length_s: float) -> str:
    return f"{at:%Y-%m-%d}" if length_s >= _DAY_S else f"{at:%m-%d %H:%M:%S}"


def length_text(duration_s: float) -> str:
    """A duration in the largest unit of which it is at least two, or one."""
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if abs(duration_s) >= 2 * unit_s or duration_s == unit_s:
            return f"{duration_s / unit_s:.3g} {unit}"
    return f"{duration_s:.3g} s"
