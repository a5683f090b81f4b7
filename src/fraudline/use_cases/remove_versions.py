"""Versions that were learned and that nobody can need any more are removed, by a written rule.

docs/decisions/0036-which-versions-are-removed.md argues it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Sequence

from fraudline.bundle.manifest import Manifest
from fraudline.contract.columns import LATEST
from fraudline.errors import FraudlineError
from fraudline.measures.policy_effect import counted
from fraudline.registry import Removal, Signature
from fraudline.use_cases.champion_line import champions_line
from fraudline.use_cases.learning_steps import Due, last_over
from fraudline.use_cases.line_rows import rows_of_line
from fraudline.use_cases.project import Project
from fraudline.warehouse.decided_periods import versions_that_decided

_LOG = logging.getLogger(__name__)
BY = "learn"


class RemoveVersions:
    """The step that removes what nobody can need, once a day, whatever else is switched off.

    It has no table: what was removed is written in the registry, and what is gone is not due.

    Args:
        project: Whose registry, settings and tables.
    """

    name = "remove"

    def __init__(self, project: Project) -> None:
        self._project = project
        self._length_s = project.settings.learning.period_s
        self._done_on: dt.date | None = None

    def due(self, now: dt.datetime) -> list[Due]:
        """The last period that is over, once a day, if a version is old enough."""
        due = last_over(now, self._length_s)
        is_done = self._done_on == due.at.date()
        return [] if is_done or not _old(self._project, due.at) else [due]

    def do(self, due: Due) -> str:
        """Remove them; gives which, or why none could be."""
        self._done_on = due.at.date()
        try:
            removed = remove_unneeded(self._project, due.at)
        except (FraudlineError, OSError) as error:
            _LOG.warning("learn: no version was removed: %s", error)
            return f"LOOK: no version was removed: {error}".removesuffix(".")
        return removed or "no version was removed: each of those that are old enough is needed"


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
    registry, contract = project.registry, project.contract
    if not _old(project, now):
        return ""
    until = _old_before(project, now)
    manifests = [each for each in registry.versions() if each.contract == contract.name]
    network, since = registry.networks.of(registry.champion()), registry.networks.since()
    found = unneeded(
        manifests,
        registry.removals.all(contract.name),
        registry.removals.named(contract.name),
        until=until,
        line=(network, since, _judged_until(project, since)),
    )
    if not found:
        return ""
    first = min(each.created_at for each in found)
    decided = versions_that_decided(project.warehouse, contract, since=min(first, until))
    days = project.settings.learning.removed_after_days
    reason = (
        f"it never decided, nobody named it, and its labels were mature {counted(days, 'day')} ago"
    )
    gone = registry.removals.remove(
        contract.name,
        [each for each in found if each.version not in decided],
        Signature.of_this_process(BY, reason),
    )
    return f"removed {counted(len(gone), 'version')} that never decided" if gone else ""


def _old_before(project: Project, now: dt.datetime) -> dt.datetime:
    days = project.settings.learning.removed_after_days + project.contract.maturity_days
    return now - dt.timedelta(days=days)


def _old(project: Project, now: dt.datetime) -> list[Manifest]:
    """The versions that learned so long ago that they may go, if any may."""
    if not project.settings.learning.removed_after_days or not project.registry.has_champion():
        return []
    until, name = _old_before(project, now), project.contract.name
    return [
        each
        for each in project.registry.versions()
        if each.contract == name and each.went_on and each.went_on[1] < until
    ]


def unneeded(
    manifests: Sequence[Manifest],
    removed: Sequence[Removal],
    named: Collection[str],
    *,
    until: dt.datetime,
    line: tuple[str, dt.datetime, dt.datetime],
) -> list[Manifest]:
    """Versions that were learned before a moment, and that neither a person nor the code can need.

    Versions that only calibrate another one are among them.

    What stays: what was trained, what anybody named, what another version is the same as but for
    its policy; and of the champion's line the newest, and those by which periods are still to be
    judged.

    Args:
        manifests: Every version of the contract.
        removed: Those that were removed before.
        named: Versions that stand in the list of changes.
        until: Made of what was known before this moment.
        line: The champion, of those with its network the one that this was made with, since when it
            is that, and up to when the gate has judged its line.
    """
    champion, since, judged_until = line
    kept = {*named, champion, *(each.derived_from for each in manifests)}
    # Of what was known when a period began, the newest judges it, as the gate has it.
    for before in (judged_until + dt.timedelta(microseconds=1), LATEST):
        found = champions_line(manifests, champion, since=since, before=before, removed=removed)
        kept.add(found.newest.version)
    return [
        each
        for each in manifests
        if each.went_on and each.went_on[1] < min(until, judged_until) and each.version not in kept
    ]


def _judged_until(project: Project, since: dt.datetime) -> dt.datetime:
    """The start of the first period that the gate may still judge by the champion's line."""
    return max((row["period_end"] for row in rows_of_line(project)), default=since)
