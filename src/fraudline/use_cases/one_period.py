"""That all who judge a stream do so by periods of one length: a payment counts in one bet."""

from __future__ import annotations

import datetime as dt
import logging

from fraudline.errors import InputError
from fraudline.home import make_private
from fraudline.registry import PeriodInUse, Signature
from fraudline.use_cases.project import Project

_LOG = logging.getLogger(__name__)


def begin_period(project: Project) -> str | None:
    """Say that from now on periods are as long as this one's settings have them.

    Another learner that runs, on whichever machine, ends when it looks next.

    Args:
        project: Whose registry and settings.

    Returns:
        What a person should know, if they were of another length before.

    Raises:
        RegistryError: its object store cannot be reached.
    """
    length_s, registry = project.settings.learning.period_s, project.registry
    before = registry.periods.last(project.contract.name)
    if before is not None and before.period_s == length_s:  # no right is needed but to read
        return None
    try:
        make_private(registry.directory)
        registry.periods.begin(project.contract.name, length_s, Signature.of_this_process())
    except (OSError, InputError) as error:  # to be read only, or another machine was first
        _LOG.warning(
            "how long periods are is not written in the registry, so nothing ends a learner with "
            "others: %s",
            getattr(error, "strerror", None) or error,
        )
        return None
    if before is None:
        return None
    return (
        f"periods are {_length(length_s)} long from now on; they were {_began(before)}. Bets begin "
        "anew after the last period that was judged. A learner with the other ones ends by itself."
    )


def require_one_period(project: Project) -> None:
    """Refuse to go on beside a learner that began later, with periods of another length.

    Raises:
        InputError: there is one.
        RegistryError: its object store cannot be reached.
    """
    other = _other(project)
    if other is not None:
        raise InputError(
            f"learning.period_s is {project.settings.learning.period_s:g} here, but another "
            f"`fraudline learn` of contract '{project.contract.name}' has periods of "
            f"{_began(other)}. Both would judge the same payments, by two bets and in turns, so "
            "this one ends and has written nothing since. Give both the same learning.period_s, "
            "or start this one again to end the other."
        )


def other_period(project: Project) -> str | None:
    """What a person should know who looks with other settings than the learner's.

    Raises:
        RegistryError: its object store cannot be reached.
    """
    other = _other(project)
    if other is None:
        return None
    return (
        f"learning.period_s is {project.settings.learning.period_s:g} here, and what is shown is "
        f"of periods of that length; the learner has periods of {_began(other)}."
    )


def _other(project: Project) -> PeriodInUse | None:
    found = project.registry.periods.last(project.contract.name)
    is_other = found is not None and found.period_s != project.settings.learning.period_s
    return found if is_other else None


def _began(period: PeriodInUse) -> str:
    where = f" on {period.signature.host}" if period.signature.host else ""
    return (
        f"{_length(period.period_s)}, as {period.signature.by}{where} began it at "
        f"{period.at:%Y-%m-%d %H:%M:%S} UTC"
    )


def _length(seconds: float) -> str:
    return str(dt.timedelta(seconds=seconds))
