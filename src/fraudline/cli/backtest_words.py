"""A backtest in words: the lines of `fraudline backtest`."""

from __future__ import annotations

from collections.abc import Iterator

from fraudline.cli.learning_words import figure
from fraudline.cli.screen import utc
from fraudline.measures.policy_effect import counted, money, percent
from fraudline.measures.prequential import PeriodMeasures
from fraudline.use_cases.backtest import Backtest

_DECIDED = ("approved", "reviewed", "blocked")
_MOST_CHARACTERS = 200


def backtest_rows(found: Backtest) -> list[tuple[object, ...]]:
    """What was decided then, and what the version decides, each in a line."""
    return [_side("then", found.then), _side("now", found.now)]


def _side(name: str, parts: dict[str, PeriodMeasures]) -> tuple[object, ...]:
    whole = parts["all"]
    return (
        name,
        *(parts[each].decisions for each in _DECIDED),
        figure(whole.average_precision),
        money(whole.cost or 0.0),
        money(whole.saved or 0.0),
    )


def backtest_facts(found: Backtest) -> Iterator[tuple[str, str]]:
    """What was compared, what is the same, and what would have been decided otherwise."""
    yield "version", found.version
    yield (
        "decisions",
        f"{found.decisions:,} from {utc(found.since)} to {utc(found.until)}, in "
        f"{counted(len(found.periods), 'period')}, each ranked alone",
    )
    yield "its own", _own(found)
    for one in found.examples:
        yield (
            "differs",
            f"{one.transaction_id}, {one.what}: then {one.then[:_MOST_CHARACTERS]}, now "
            f"{one.now[:_MOST_CHARACTERS]}",
        )
    moves = [
        f"{count:,} {was} -> {now}"
        for (was, now), count in sorted(found.moves.items())
        if was != now
    ]
    yield "otherwise", ", ".join(moves) or "no transaction is decided otherwise"
    for reason, count in sorted(found.refused.items()):
        yield (
            "LOOK",
            f"{count:,} transactions have no verdict ({reason}): no figure of now holds them",
        )
    whole = found.then["all"]
    yield (
        "labels",
        f"as of {utc(found.as_of)}: {counted(whole.frauds, 'fraud')}; "
        f"{percent(whole.immature_share)} of the payments may still be told to be frauds",
    )
    if whole.left_out:
        yield (
            "LOOK",
            f"{whole.left_out:,} payments were reviewed in place of being blocked and have no "
            "label: nobody knows what they were, and no figure of either side holds them",
        )
    yield (
        "costs",
        "of both sides, by the policy of this version; saved against approving everything",
    )
    blocked = found.then["blocked"]
    if blocked.unlabelled:
        yield (
            "LOOK",
            f"{blocked.unlabelled:,} of {blocked.decisions:,} payments that were blocked then have "
            "no label, and count as legitimate on both sides: a version that lets them pass looks "
            "better than it is, and one that blocks them worse.",
        )


def _own(found: Backtest) -> str:
    if not found.own:
        return "none of these decisions was made by this version"
    if not found.differing:
        return (
            f"all of its own {counted(found.own, 'decision')} are the same to the last bit: score, "
            "decision, threshold and reasons"
        )
    return f"{found.differing:,} of its own {counted(found.own, 'decision')} differ"
