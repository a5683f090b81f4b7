"""What the steps that make a version share: whether there is enough to judge by, and the process.

Most streams that begin have too few frauds for months: that is no reason to load TensorFlow. Once a
version was made of the stream there were enough, and its frauds are counted in that process alone.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence

import msgspec

from fraudline.use_cases.own_process import Answer, ask
from fraudline.use_cases.project import Project
from fraudline.use_cases.update_process import LIMIT_S
from fraudline.use_cases.update_version import too_few
from fraudline.warehouse.known_rows import LEAST_FRAUDS, count_mature_frauds

_LOG = logging.getLogger(__name__)
_AGAIN = "It is tried again after the next period."


def make_beside(
    project: Project,
    what: str,
    at: dt.datetime,
    words: Sequence[str],
    on_alive: Callable[[], None],
    *,
    nothing: str,
    limit_s: float = LIMIT_S,
    again: str = _AGAIN,
) -> Answer:
    """Let a version be made in another process, of what was known at a moment.

    Args:
        project: Whose decisions, labels, registry and settings.
        what: What it does, as `update_process` takes it.
        at: The moment.
        words: What else it takes.
        on_alive: Called every second while it runs.
        nothing: What is to be said where it failed, such as `nothing was learned`.
        limit_s: As for `ask`.
        again: Likewise.

    Returns:
        What was made, or why nothing was; a fault is in the log, and told with `LOOK`.

    Raises:
        WarehouseAwayError: BigQuery did not answer; ask again, later.
        RegistryError: the registry did not; likewise.
    """
    if not _has_learned(project, at):
        frauds = count_mature_frauds(project.warehouse, project.contract, at)
        if frauds < LEAST_FRAUDS:
            return Answer(told=too_few(frauds))
    answer = ask(
        project.settings,
        [what, at.isoformat(), *words],
        on_alive,
        limit_s=limit_s,
        again=again,
    )
    if not answer.fault:
        return answer
    _LOG.warning("learn: %s as of %s: %s", what, at, answer.fault)
    return msgspec.structs.replace(answer, told=f"LOOK: {nothing}: {answer.fault}")


def _has_learned(project: Project, at: dt.datetime) -> bool:
    """Whether a version that is there was made of the stream as it was before a moment."""
    return any(
        each.went_on is not None and each.went_on[1] <= at
        for each in project.registry.versions()
        if each.contract == project.contract.name
    )
