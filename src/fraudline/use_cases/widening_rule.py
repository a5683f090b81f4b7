"""When a version that decides a share is given more of it, all, or none: the rule, and no more.

A step needs frauds of periods that began since the version has its share, and are mature: what it
decided at this share has been judged before it decides more. On all that was judged since the
rollout began it must not have lost: the wealth of the bet that it ranks better is no less than at
the last step. And nothing else that the gate asks for may be missing. From a half on it waits for
the gate's proof, and then has all. It has none as soon as the same bet, the other way round, proves
the champion better.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fraudline.contract import Period
from fraudline.measures.policy_effect import counted, percent

SHARES = (0.05, 0.2, 0.5)
"""What is given, one after the other, to a version that has less."""
LEAST_FRAUDS = 20
"""Frauds that have to be judged at a share before the next one is given."""
BEGUN_WITH = 1.0  # the wealth of a bet before its first day


@dataclass(frozen=True)
class PeriodOfRollout:
    """A period that is mature, and what is known of a rollout after it.

    Attributes:
        period: Which one; it began after the rollout did.
        wealth: Of the bet that the version ranks better, after all periods so far.
        frauds: On which it stands.
    """

    period: Period
    wealth: float
    frauds: int


@dataclass(frozen=True)
class AtShare:
    """What is known of a rollout at a moment.

    Attributes:
        share: What the version decides.
        wealth: Of the bet that it ranks better.
        wealth_then: What that was when the version was given its share.
        frauds: AtShare ones of periods that began since it has its share.
    """

    share: float
    wealth: float
    wealth_then: float
    frauds: int


@dataclass(frozen=True)
class Step:
    """What follows.

    Attributes:
        what: `widen`; `promote`, which gives it all; `end`, which gives it none; or `wait`.
        share: What it is given; None where it stays what it is.
        why: In words.
    """

    what: Literal["widen", "promote", "end", "wait"]
    share: float | None
    why: str


def at_share(
    share: float, widened_at: dt.datetime, judged: Sequence[PeriodOfRollout], maturity: dt.timedelta
) -> AtShare:
    """What the judged periods say of a rollout.

    Args:
        share: What the version decides.
        widened_at: Since when.
        judged: All that are mature by now, of those that began after the rollout; in order.
        maturity: How long after its end a period is mature.
    """
    then = [each for each in judged if each.period.end + maturity <= widened_at]
    before = [each for each in judged if each.period.start < widened_at]
    frauds = judged[-1].frauds if judged else 0
    return AtShare(
        share,
        judged[-1].wealth if judged else BEGUN_WITH,
        then[-1].wealth if then else BEGUN_WITH,
        frauds - (before[-1].frauds if before else 0),
    )


def next_step(found: AtShare, missing: Sequence[str], *, is_proved: bool, is_worse: bool) -> Step:
    """What follows from what was found.

    Args:
        found: What is known of the rollout.
        missing: Names of the gate's conditions that are not met, but for the order.
        is_proved: Whether the bet that the version ranks better is won.
        is_worse: Whether the bet that the champion does is.
    """
    wealth = f"wealth {found.wealth:,.2f}"
    if is_worse:
        return Step("end", None, f"the champion is proved to rank better; {wealth}")
    if found.frauds < LEAST_FRAUDS:
        return Step(
            "wait",
            None,
            f"{counted(found.frauds, 'fraud')} judged of periods that began since it has "
            f"{percent(found.share)}, at least {LEAST_FRAUDS} are needed; {wealth}",
        )
    told = f"{wealth}, {found.wealth_then:,.2f} when it was given {percent(found.share)}"
    share = _wider(found.share)
    hindered = ""
    if found.wealth < found.wealth_then:
        hindered = "the wealth fell"
    elif missing:
        hindered = f"not met: {', '.join(missing)}"
    elif share is None and not is_proved:
        hindered = "all of them needs the gate's proof"
    if hindered:
        return Step("wait", None, f"{told}; {hindered}")
    return Step("promote" if share is None else "widen", share, told)


def _wider(share: float) -> float | None:
    return next((each for each in SHARES if each > share), None)


def what_is_next(share: float, widened_at: dt.datetime) -> str:
    """What a rollout waits for, for people.

    Args:
        share: What the version decides.
        widened_at: Since when.
    """
    wider = _wider(share)
    proof = ", and the gate's proof is there" if wider is None else ""
    given = "all" if wider is None else percent(wider)
    return (
        f"{given} once {LEAST_FRAUDS} frauds of periods that began after "
        f"{widened_at:%Y-%m-%d %H:%M} UTC are judged, if the wealth has not fallen and all "
        f"conditions but the order are met{proof}; none if the champion is proved better"
    )
