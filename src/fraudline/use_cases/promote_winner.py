"""What follows where a version was found better than the champion: it is promoted, or only told."""

from __future__ import annotations

import logging

from fraudline.errors import UsageError
from fraudline.use_cases.champion import Promoted, promote
from fraudline.use_cases.project import Project

_LOG = logging.getLogger(__name__)
LEARN = "learn"
"""Who promotes and goes back by itself."""


def promote_winner(project: Project, version: str, champion: str, reason: str, so: str = "") -> str:
    """Make a version the champion, if that is wanted; gives what followed, in words.

    Args:
        project: Whose registry and settings.
        version: The winner.
        champion: Which version it was found better than; if that is none any more, nothing is done.
        reason: What was found.
        so: What follows from it, for the words.
    """
    if not project.settings.learning.promotes:
        return f"; learning.promotes is false: `fraudline models promote {version}` does it"
    if standing := standing_rollout(project):
        return standing
    try:
        done = promote(project, version, by=LEARN, reason=reason, over=champion)
    except (UsageError, OSError) as error:
        _LOG.warning("learn: %s is better, and was not promoted: %s", version, error)
        return f"; LOOK: not promoted: {error}"
    return f"; promoted {version}{so}{told_beside(done)}"


def standing_rollout(project: Project) -> str:
    """Why nothing is done while a version decides a share that a person gave it; or nothing."""
    found = project.registry.rollout()
    return "" if found is None else f"; nothing was done, as {found.version} decides a share"


def told_beside(done: Promoted) -> str:
    """What could not be done beside a change of the champion, or should be known of it."""
    looks = [done.warning, done.look]
    if done.overtaken:
        looks.append(f"no challengers any more: {', '.join(done.overtaken)}")
    if done.ended is not None:
        looks.append(f"{done.ended} decided a share of the transactions until then, and does not")
    return "".join(f"; LOOK: {told}" for told in looks if told)
