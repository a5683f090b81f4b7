"""What follows where a version was found better than the champion: it is promoted, or only told."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fraudline.errors import UsageError
from fraudline.use_cases.challenge_conditions import Condition
from fraudline.use_cases.champion import Promoted, promote
from fraudline.use_cases.project import Project

_LOG = logging.getLogger(__name__)
LEARN = "learn"
"""Who promotes and goes back by itself."""


NOT_MET = "not met: "
"""With these words what is written of a period names the conditions that were missing."""


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
    return f"; promoted {version}{so}{beside(done)}"


def standing_rollout(project: Project) -> str:
    """Why nothing is done while a version decides a share that a person gave it; or nothing."""
    found = project.registry.rollout()
    return "" if found is None else f"; nothing was done, as {found.version} decides a share"


def beside(done: Promoted) -> str:
    """What could not be done beside a change of the champion, or should be known of it."""
    return "".join(f"; LOOK: {told}" for told in (done.warning, done.look) if told)


def words_of(conditions: Sequence[Condition]) -> str:
    """What was found, and which conditions are not met, as it is written down."""
    if all(each.is_met for each in conditions):
        return "; ".join(f"{each.name}: {each.told}" for each in conditions)
    return f"{conditions[0].told}; {NOT_MET}{_missing(conditions)}"


def brief_words(wealth: str, conditions: Sequence[Condition]) -> str:
    """What a line of the log has room for.

    Args:
        wealth: How the bet stands.
        conditions: All of them.
    """
    missing = _missing(conditions)
    return f"{wealth}; {f'{NOT_MET}{missing}' if missing else 'all conditions met'}"


def _missing(conditions: Sequence[Condition]) -> str:
    return ", ".join(each.name for each in conditions if not each.is_met)
