"""Versions that were learned and that nobody can need any more are removed, by a written rule.

docs/decisions/0036-which-versions-are-removed.md argues it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from fraudline import flows
from fraudline.bundle.manifest import Manifest
from fraudline.contract.columns import LATEST
from fraudline.measures.policy_effect import counted
from fraudline.registry import Removal, Signature
from fraudline.use_cases.project import Project
from fraudline.use_cases.update_version import newest_of_line
from fraudline.warehouse.decided_periods import versions_that_decided
from fraudline.warehouse.learning_tables import read_rows

BY = "learn"


def remove_unneeded(project: Project, now: dt.datetime) -> str:
    """Remove the versions that `unneeded` gives, and that decided nothing.

    Args:
        project: Whose registry, settings and tables.
        now: The moment.

    Returns:
        What was removed, in words; empty if nothing was.

    Raises:
        WarehouseError: the tables cannot be queried.
        RegistryError: the object store cannot be reached, or lets nothing be removed.
    """
    days, registry, contract = (
        project.settings.learning.removed_after_days,
        project.registry,
        project.contract,
    )
    if not days or not registry.has_champion():
        return ""
    until = now - dt.timedelta(days=days + contract.maturity_days)
    manifests = [each for each in registry.versions() if each.contract == contract.name]
    if not any(each.learned and each.learned.as_of < until for each in manifests):
        return ""
    champion, since = registry.champion(), registry.champion_since()
    found = unneeded(
        manifests,
        registry.removals.all(contract.name),
        registry.removals.named(contract.name),
        until=until,
        line=(champion, since, _judged_until(project, champion, since)),
    )
    if not found:
        return ""
    first = min(each.created_at for each in found)
    decided = versions_that_decided(project.warehouse, contract, since=min(first, until))
    reason = (
        f"it never decided, nobody named it, and its labels were mature {counted(days, 'day')} ago"
    )
    gone = registry.removals.remove(
        contract.name,
        [each for each in found if each.version not in decided],
        Signature.of_this_process(BY, reason),
    )
    return f"removed {counted(len(gone), 'version')} that never decided" if gone else ""


def unneeded(
    manifests: Sequence[Manifest],
    removed: Sequence[Removal],
    named: Collection[str],
    *,
    until: dt.datetime,
    line: tuple[str, dt.datetime, dt.datetime],
) -> list[Manifest]:
    """Versions that were learned before a moment, and that neither a person nor the code can need.

    What stays: what was trained, what anybody named, what another version is the same as but for
    its policy; and of the champion's line the newest, and those by which periods are still to be
    judged.

    Args:
        manifests: Every version of the contract.
        removed: Those that were removed before.
        named: Versions that stand in the list of changes.
        until: Made of what was known before this moment.
        line: The champion, since when it is that, and up to when the gate has judged its line.
    """
    champion, since, judged_until = line
    kept = {*named, champion, *(each.derived_from for each in manifests)}
    # Of what was known when a period began, the newest judges it, as the gate has it.
    for before in (judged_until + dt.timedelta(microseconds=1), LATEST):
        newest = newest_of_line(manifests, champion, since=since, before=before, removed=removed)
        kept.add(newest.version)
    return [
        each
        for each in manifests
        if each.learned
        and each.learned.as_of < min(until, judged_until)
        and each.version not in kept
    ]


def _judged_until(project: Project, champion: str, since: dt.datetime) -> dt.datetime:
    """The start of the first period that the gate may still judge by the champion's line."""
    rows = read_rows(project.warehouse, flows.GATES, project.contract, since=since)
    ends = [
        row["period_end"]
        for row in rows
        if (row["champion"], row["champion_since"]) == (champion, since)
    ]
    return max(ends, default=since)
