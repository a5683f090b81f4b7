"""What `fraudline learn` does for each period, as steps that know by their tables what is left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fraudline.contract import Period

if TYPE_CHECKING:
    from fraudline.stream.progress import Progress

BEGUN = "learning from periods of"
"""With these words `fraudline learn` says that it has begun."""
WON_BEFORE = "; what follows is asked after the last period that is mature"
"""So it is said of a period that wins while younger ones wait to be judged."""


@dataclass(frozen=True, order=True)
class Due:
    """Something that a step has to do; an earlier period before a later one.

    Attributes:
        period: Of which period.
        at: The moment as of which it is done, and nothing that came later is looked at; it has
            passed.
    """

    period: Period
    at: dt.datetime


class LearningStep(Protocol):
    """One thing that is done for each period that is over.

    A step keeps what it found in a table of its own (`warehouse/learning_tables.py`) and nowhere
    else, and knows by that table alone what it has done: so it may be killed at any moment.
    """

    name: str
    """A verb, as people are told of it."""

    def due(self, now: dt.datetime) -> list[Due]:
        """What is to be done now, in any order; what is written down already is not.

        Raises:
            WarehouseError: the tables cannot be queried.
        """
        ...

    def do(self, due: Due) -> str:
        """Do it, and write down what was found; gives a sentence of it, without its period.

        Doing it again, from the start or by another process at once, must do no harm.

        Raises:
            WarehouseAwayError: BigQuery does not answer; it is done again, later.
            RegistryError: the registry's object store does not; likewise.
            FraudlineError: it cannot be done.
        """
        ...


def last_over(now: dt.datetime, length_s: float) -> Due:
    """The last period that is over, as of its end.

    Args:
        now: The moment.
        length_s: How long a period is, seconds.
    """
    last = Period.holding(now - dt.timedelta(seconds=length_s), length_s)
    return Due(last, last.end)


def alive(progress: Progress | None, step: str) -> Callable[..., None]:
    """What tells that a step lives while something takes long.

    Args:
        progress: Who is told; nobody without one.
        step: Its name.

    Returns:
        To be called now and then; with how many transactions were judged, if that is known.
    """

    def tell(judged: int = 1) -> None:
        if progress is not None and judged:
            progress.begin_step(step)

    return tell
