"""What a challenger has to meet before it may become the champion by itself, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fraudline.measures.fair_bet import PROVED_AT
from fraudline.measures.policy_effect import counted, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fraudline.bundle.policy import Policy
    from fraudline.measures.calibration_bet import CalibrationChallenge
    from fraudline.measures.challenge import Challenge

# Noise of two equal models is below it, a lost calibration far above.
_LOG_LOSS_MORE = 1.02
# What two trainings of one recipe differ by is below; scorers were counted by the champion.
_TIMES_SLOWER, _TIMES_LARGER = 1.5, 4.0
_LEAST_SLOWER = 2  # batches; one may have been held up by whatever else the machine does
NOT_MET = "not met: "
"""After these words what is written of a period names the conditions that were missing."""
_COSTS = ("unit", "lost_share", "fraud_cost", "review_cost", "wrong_block_cost")


@dataclass(frozen=True)
class Condition:
    """One of them.

    Attributes:
        name: What it is about.
        is_met: Whether it is met.
        told: What was found of both, in words.
    """

    name: str
    is_met: bool
    told: str


@dataclass(frozen=True)
class Measured:
    """What one of the two takes, and what it leaves open.

    Attributes:
        size: Of the files that a scorer needs, bytes.
        us: Of the processor for a transaction, with its reasons, microseconds; None without one.
        refused: Transactions that it has no verdict on.
        without_reasons: Payments that it stops and gives no reasons for.
    """

    size: int
    us: float | None
    refused: int
    without_reasons: int


@dataclass(frozen=True)
class Pace:
    """How often the challenger was clearly slower than the champion on the same payments.

    Attributes:
        batches: How many batches of payments both judged.
        slower: In how many of them it took more than so many times the processor time.
    """

    batches: int = 0
    slower: int = 0

    def after(self, champion_s: float, challenger_s: float) -> Pace:
        """The same after another batch, for which both took so many seconds."""
        is_slower = challenger_s > _TIMES_SLOWER * champion_s
        return Pace(self.batches + 1, self.slower + is_slower)

    @property
    def is_slower(self) -> bool:
        """Whether that is no accident: more than once, and in most batches."""
        return self.slower >= _LEAST_SLOWER and 2 * self.slower > self.batches


def conditions_of(
    found: Challenge,
    champion: Policy,
    challenger: Policy,
    of_champion: Measured,
    of_challenger: Measured,
    pace: Pace,
) -> list[Condition]:
    """All conditions, in the order in which people should read them.

    That both are for the same contract is no condition: neither could be opened.

    Args:
        found: Both, on what became known after the challenger was made.
        champion: The champion's policy, whose costs count for both.
        challenger: The challenger's.
        of_champion: What the champion takes.
        of_challenger: Likewise.
        pace: How often it was clearly slower.
    """
    return [
        _order(found),
        _cost(found, champion, challenger),
        _calibration(found),
        Condition(
            "verdicts",
            of_challenger.refused <= of_champion.refused,
            f"no verdict on {of_challenger.refused:,} payments, the champion on "
            f"{of_champion.refused:,}",
        ),
        Condition(
            "reasons",
            not of_challenger.without_reasons,
            f"{of_challenger.without_reasons:,} of {found.challenger.stopped:,} payments that it "
            "stops have none",
        ),
        _speed(of_champion, of_challenger, pace),
        Condition(
            "size",
            of_challenger.size <= _TIMES_LARGER * of_champion.size,
            f"{of_challenger.size:,} bytes, the champion {of_champion.size:,}; at most "
            f"{_TIMES_LARGER:g} times as many",
        ),
    ]


def calibration_conditions(
    found: CalibrationChallenge, others: Sequence[Condition]
) -> list[Condition]:
    """The conditions for a calibration anew: it is to say better what scores mean, not to rank.

    Args:
        found: Both, on payments of which neither calibration has seen one.
        others: As `conditions_of` gives them.
    """
    bet = found.calibration
    told = (
        f"wealth {bet.wealth:,.2f} of {PROVED_AT:g} after {counted(found.rows, 'payment')} with "
        f"{counted(found.bet.frauds, 'fraud')} in {counted(bet.days, 'period')}; log losses are "
        f"{bet.gained:+,.2f} less in sum"
    )
    # Two versions of one network take the same time.
    kept = [each for each in others if each.name not in {"order", "speed"}]
    return [Condition("log loss", bet.is_proved, told), *kept]


def wealth_words(wealth: float, frauds: int) -> str:
    """How a bet stands, in a few words."""
    return f"wealth {wealth:,.2f} of {PROVED_AT:g} after {counted(frauds, 'fraud')}"


def brief_conditions(found: Challenge, conditions: Sequence[Condition]) -> str:
    """What a line of the log has room for: how the bet stands, and which conditions are missing."""
    return brief_words(wealth_words(found.bet.wealth, found.bet.frauds), conditions)


def brief_words(wealth: str, conditions: Sequence[Condition]) -> str:
    """The same of a bet that is told already."""
    missing = ", ".join(each.name for each in conditions if not each.is_met)
    return f"{wealth}; {f'{NOT_MET}{missing}' if missing else 'all conditions met'}"


def told_conditions(conditions: Sequence[Condition]) -> str:
    """What was found of all of them if they are met; else of the first and of those that are not.

    Args:
        conditions: At least one, as `conditions_of` has them.
    """
    missing = [each for each in conditions if not each.is_met]
    if not missing:
        return "; ".join(f"{each.name}: {each.told}" for each in conditions)
    first, names = conditions[0], ", ".join(each.name for each in missing)
    details = [f"{each.name}: {each.told}" for each in missing if each is not first]
    return "; ".join([first.told, *details, f"{NOT_MET}{names}"])


def _order(found: Challenge) -> Condition:
    bet = found.bet
    told = (
        f"{wealth_words(bet.wealth, bet.frauds)} in "
        f"{counted(bet.days, 'period')}; average precision within periods {bet.mean_gain:+.4f}"
    )
    if bet.frauds and not bet.telling_days:
        told += "; they rank all payments alike, so nothing is ever proved of this"
    return Condition("order", bet.is_proved, told)


def _cost(found: Challenge, champion: Policy, challenger: Policy) -> Condition:
    unit = f" {champion.unit}" if champion.unit else ""
    differ = [name for name in _COSTS if getattr(champion, name) != getattr(challenger, name)]
    differing = f"; told by the champion's {', '.join(differ)}, its own differ" if differ else ""
    told = (
        f"decisions would have cost {money(found.challenger.cost)}{unit}, the champion's "
        f"{money(found.champion.cost)}{unit}, approving everything "
        f"{money(found.cost_of_approving)}{unit}{differing}"
    )
    is_met = found.rows > 0 and found.challenger.cost <= found.champion.cost
    return Condition("cost", is_met, told)


def _calibration(found: Challenge) -> Condition:
    if not found.rows:
        return Condition("calibration", is_met=False, told="nothing was compared yet")
    own, other = (side.log_loss / found.lately for side in (found.challenger, found.champion))
    told = (
        f"log loss lately {own:.5f}, the champion's {other:.5f}; at most {_LOG_LOSS_MORE:g} "
        "times it"
    )
    return Condition("calibration", own <= _LOG_LOSS_MORE * other, told)


def _speed(champion: Measured, challenger: Measured, pace: Pace) -> Condition:
    if champion.us is None or challenger.us is None:
        return Condition("speed", is_met=False, told="nothing was compared yet")
    return Condition(
        "speed",
        challenger.us <= _TIMES_SLOWER * champion.us or not pace.is_slower,
        f"{challenger.us:.1f} us of the processor a payment, the champion {champion.us:.1f}; in "
        f"{pace.slower:,} of {pace.batches:,} batches of payments more than {_TIMES_SLOWER:g} "
        "times as much; too slow is what takes that in most of them, and on the whole",
    )
