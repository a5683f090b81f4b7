"""How a challenger's verdict is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fraudline.cli.screen import utc
from fraudline.measures.policy_effect import counted

if TYPE_CHECKING:  # ONNX Runtime comes with what judges
    from fraudline.use_cases.judge_challenger import ChallengerVerdict


def compared_facts(verdict: ChallengerVerdict) -> list[tuple[str, str]]:
    """Who was compared with whom, and on what."""
    found = verdict.found
    facts = [
        ("challenger", verdict.challenger),
        ("champion", verdict.champion),
        ("since", f"{utc(verdict.since)}: what was known before counts for nobody"),
        (
            "compared",
            f"{counted(found.rows, 'payment')} ({counted(found.bet.frauds, 'fraud')}) of "
            f"{counted(verdict.periods, 'mature period')}",
        ),
    ]
    if verdict.hidden:
        facts.append(
            (
                "left out",
                f"{counted(verdict.hidden, 'payment')} that were blocked and never labelled: "
                "nobody knows what they were, so the comparison does not stand for them",
            )
        )
    if verdict.unjudged:
        facts.append(("left out", f"{counted(verdict.unjudged, 'payment')} without two verdicts"))
    return facts


def verdict_words(verdict: ChallengerVerdict) -> str:
    """What follows from it."""
    if verdict.is_won:
        return (
            f"It wins. `fraudline models promote {verdict.challenger}` makes it the champion; "
            "`fraudline learn` does so by itself, unless learning.promotes is false."
        )
    missing = ", ".join(each.name for each in verdict.conditions if not each.is_met)
    return (
        f"It stays a challenger until {utc(verdict.until)}; not met: {missing}. To promote it "
        f"all the same: `fraudline models promote {verdict.challenger} --reason …`"
    )
