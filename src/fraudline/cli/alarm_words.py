"""Alarms in words: which, how far, since when, both distributions, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fraudline.cli.screen import OUT, show_facts, show_table, utc

if TYPE_CHECKING:
    from fraudline.use_cases.look_at_alarms import Alarm, Alarms

_WHAT_TO_DO = {
    "columns": "ask who produces it what changed: unit, currency, source or code. What was a "
    "mistake is undone there. What stays is learned once its labels are there: `fraudline train`",
    "scores": "look at what scores highest: `fraudline reconcile` if scores are wrong; else it "
    "is another kind or another number of frauds, which only labels tell apart",
    "amounts": "look at the payments with the highest amounts: many more of them may be a kind of "
    "fraud that the champion does not know, which only labels tell",
    "nulls": "ask who produces it why values are missing, or no longer are",
    "levels": "ask who produces it whether levels are new or written in another way. What stays is "
    "learned once its labels are there: `fraudline train`",
    "rejects": "`fraudline rejects list` tells which messages are rejected, and why",
    "reference": "train a version that has one, and promote it: `fraudline train --promote`",
}


def show_alarms(found: Alarms) -> None:
    """Print each alarm, those that stand first; or that there is none."""
    for alarm in found.alarms:
        _show_alarm(alarm)
    for untold in found.untold:
        show_facts([("LOOK", untold)])
    if found.last is None:
        show_facts(
            [
                ("alarms", "nothing was watched yet"),
                ("next", "`fraudline learn` watches each period once it is over"),
            ]
        )
    elif not found.alarms:
        watched = f"the last {found.periods} periods" if found.periods > 1 else "one period"
        show_facts([("alarms", f"none in {watched}, up to {utc(found.last.end)}")])


def alarm_facts(found: Alarms) -> list[tuple[str, str]]:
    """What stands, in a line, and what the scores promise."""
    if found.last is None:
        return [("alarms", "nothing was watched yet: `fraudline learn` does")]
    standing = [_name(alarm) for alarm in found.standing]
    said = f"{', '.join(standing)}: see `fraudline learning alarms`" if standing else "none"
    facts = [("alarms", f"{said} (of {utc(found.last.start)})")]
    facts += [("LOOK", untold) for untold in found.untold]
    if found.estimate is not None and found.estimate.precision is not None:
        from fraudline.measures.policy_effect import number, percent

        estimate = found.estimate
        promised = (
            f"{number(estimate.expected_frauds)} frauds, of which {percent(estimate.recall or 0)} "
            f"stopped; {percent(estimate.precision or 0)} of what is stopped is fraud"
        )
        valid = "not valid, since an alarm stands" if standing else "valid while no alarm stands"
        facts.append(("by the scores", f"{promised}. An estimate without labels, {valid}"))
    return facts


def _show_alarm(alarm: Alarm) -> None:
    until = "it stands" if alarm.stands else f"last in the period of {utc(alarm.period.start)}"
    facts = [
        ("alarm", _name(alarm)),
        ("since", f"{utc(alarm.since)}, {until}"),
        ("found", alarm.told),
    ]
    if alarm.statistic is not None and alarm.threshold is not None:
        facts.append(("how far", f"{alarm.statistic:.3g}, alarms at {alarm.threshold:.3g}"))
    if alarm.version is not None:
        facts.append(("version", alarm.version))
    show_facts(facts)
    if alarm.detector == "columns":
        unit = f" ({alarm.unit})" if alarm.unit else ""
        heads = (f"share up to{unit}", *(f"{100 * float(share):g} %" for share in alarm.usual))
        if alarm.is_category:
            heads = ("share of", *alarm.usual)
        show_table(
            heads,
            [
                (name, *(f"{value:.4g}" for value in values.values()))
                for name, values in (("usual", alarm.usual), ("found", alarm.found))
            ],
        )
    show_facts([("next", _WHAT_TO_DO[alarm.detector])])
    OUT.print()


def _name(alarm: Alarm) -> str:
    return f"{alarm.detector}: {alarm.column}" if alarm.column else alarm.detector
