"""How the gate's verdicts are told: of the champion's line, and of a challenger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fraudline.cli.screen import utc
from fraudline.measures.policy_effect import counted
from fraudline.use_cases.challenge_conditions import NOT_MET, wealth_words
from fraudline.use_cases.champion_line import LOOK

if TYPE_CHECKING:  # ONNX Runtime comes with what judges
    from fraudline.use_cases.judge_challenger import ChallengerVerdict


def line_facts(gate: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """How the champion's line stands beside it: what fits on a screen.

    Args:
        gate: The last row of table `gates`, if there is one.
    """
    if gate is None:
        return []
    up_to = f"up to {gate['period_end']:%Y-%m-%d %H:%M} UTC"
    if gate["version"] == gate["champion"]:
        return [("gate", f"{gate['told']}, {up_to}")]
    facts = [
        ("gate", f"{wealth_words(gate['wealth'], gate['frauds'])}, {up_to}"),
        ("beside", gate["champion"]),
        ("newest", gate["newest"]),
    ]
    missing = gate["told"].rpartition(NOT_MET)[2].partition("; ")[0]
    facts.append(("met", "all conditions") if gate["is_won"] else ("not met", missing))
    _, found, look = gate["told"].partition(LOOK)
    return [*facts, *([("", f"{LOOK}{look}")] if found else [])]


def whole_line_facts(gate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same, with all that was found.

    Args:
        gate: As for `line_facts`.
    """
    of_line = [("line", gate["version"])] if gate["version"] != gate["champion"] else []
    return [*of_line, *line_facts(gate), ("found", gate["told"])]


def calibration_facts(row: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """How the newest calibration of the champion stands beside it: what fits on a screen.

    Args:
        row: The last row of table `calibrations`, if there is one.
    """
    if row is None:
        return []
    up_to = f"up to {row['period_end']:%Y-%m-%d %H:%M} UTC"
    if row["version"] is None:
        return [("calibrated", f"{row['told']}, {up_to}")]
    missing = row["told"].rpartition(NOT_MET)[2].partition("; ")[0]
    return [
        ("calibrated", f"{wealth_words(row['wealth'], row['frauds'])}, {up_to}"),
        ("newest", row["newest"]),
        ("met", "all conditions") if row["is_won"] else ("not met", missing),
    ]


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
