"""What shares of a period came to, as rows of `alarms`: high scores, high amounts, nulls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from fraudline.bundle.reference import Reference, Share
from fraudline.contract import Contract, Period
from fraudline.contract.alarms import AMOUNTS, NULLS, SCORES
from fraudline.measures.column_drift import LEAST_ROWS
from fraudline.measures.policy_effect import number, percent
from fraudline.measures.share_drift import ALARM_SDS, Cusum, UsualShare, share_limits
from fraudline.warehouse.watched_decisions import PeriodCounts

_MOST_NAMED = 5

Row = dict[str, Any]


def score_row(reference: Reference, counts: PeriodCounts, before: Cusum, period: Period) -> Row:
    """How many scores reach what the champion's highest reached, added up over periods.

    Args:
        reference: Of the version that decided.
        counts: What it decided in the period.
        before: The sums until then.
        period: Which one.
    """
    facts = reference.facts
    reached = f"the scores reach {number(facts.high_score)}"
    return {
        "detector": SCORES,
        **_sum_row(facts.high_share, counts.high, counts.decided, before, period, reached),
        "found": scores_text(counts),
    }


def amount_row(
    contract: Contract, reference: Reference, counts: PeriodCounts, before: Cusum, period: Period
) -> Row:
    """The same of amounts; that nothing watches them, where the version has nothing to compare.

    Args:
        contract: What a transaction looks like.
        reference: As for `score_row`.
        counts: Likewise.
        before: Likewise, of amounts.
        period: Likewise.
    """
    name, high = contract.amount, reference.amounts
    if name is None:
        told = f"amounts are not watched: contract '{contract.name}' has none to look at"
        return {"detector": AMOUNTS, "is_alarm": False, "told": told}
    if high is None:
        told = (
            "a fraudline of before made the version, which keeps no share of high amounts, so "
            "nothing watches them: `fraudline train` makes one that does"
        )
        return {"detector": AMOUNTS, "is_alarm": False, "told": told}
    unit = f" {contract.amount_unit}".rstrip()
    reached = f"'{name}' is at least {number(high.amount)}{unit}"
    share, found = high.share, counts.high_amounts
    return {
        "detector": AMOUNTS,
        "column_name": name,
        **_sum_row(share, found, counts.decided, before, period, f"the payments: {reached}"),
        "found": json_text({"share": found / counts.decided}),
    }


def _sum_row(
    share: Share, high: int, decided: int, before: Cusum, period: Period, reached: str
) -> Row:
    usual = UsualShare(**msgspec.structs.asdict(share))
    cusum = before.after(usual, high, decided, period.start)
    side = "high" if cusum.above >= cusum.below else "low"
    return {
        "is_alarm": cusum.is_alarm,
        "statistic": cusum.greatest,
        "threshold": ALARM_SDS,
        "alarm_since": cusum.since if cusum.is_alarm else None,
        "told": (
            f"{percent(high / decided)} of {reached}, usually {percent(usual.mean)}; what was "
            f"too {side} adds up to {number(cusum.greatest)} standard deviations"
        ),
        "usual": json_text({"share": usual.mean}),
        "state": json_text(cusum),
    }


def null_rows(reference: Reference, counts: PeriodCounts) -> list[Row]:
    """Columns that are null more or less often than is usual; args as for `score_row`."""
    found = []
    for name, share in reference.facts.nulls.items():
        usual = UsualShare(**msgspec.structs.asdict(share))
        least, most = share_limits(usual, counts.decided)
        nulls = counts.nulls[name] / counts.decided
        if least <= nulls <= most:
            continue
        found.append(
            {
                "detector": NULLS,
                "column_name": name,
                "is_alarm": True,
                "statistic": nulls,
                "threshold": most if nulls > usual.mean else least,
                "told": f"'{name}' is null in {percent(nulls)}, usually in {percent(usual.mean)}",
                "usual": json_text({"share": usual.mean}),
                "found": json_text({"share": nulls}),
            }
        )
    return found


def scores_text(counts: PeriodCounts) -> str:
    """What the scores of a period came to, as its row keeps it."""
    return json_text(
        {
            "share": counts.high / counts.decided,
            "stopped": counts.stopped,
            "expected_frauds": counts.expected_frauds,
            "expected_caught": counts.expected_caught,
        }
    )


def json_text(content: object) -> str:
    """Anything as JSON."""
    return msgspec.json.encode(content).decode()


def left_out_words(usual: Iterable[str], compared: Sequence[str]) -> str:
    """Which columns were not compared, and why: the end of a sentence; empty if all were.

    Args:
        usual: Names of those of which it is known what is usual.
        compared: Names of those that were compared.
    """
    names = sorted({*usual} - {*compared})
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    named = ", ".join(f"'{name}'" for name in names[:_MOST_NAMED])
    return (
        f"; {named}{more} not compared: fewer than {LEAST_ROWS} values that are not null, here or "
        "in the reference"
    )
