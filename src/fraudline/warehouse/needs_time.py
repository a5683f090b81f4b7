"""What cannot be done with a history that tells no time."""

from __future__ import annotations

from fraudline.contract import Contract
from fraudline.errors import InputError


def why_not_learned(contract: Contract) -> str | None:
    """Why no network learns from the stream, where nothing says what came after what; else None."""
    if contract.event_time is not None:
        return None
    return (
        f"contract '{contract.name}' has no event time, so nothing tells which payments of the "
        "history came before those of the stream, and a network would be judged by what it has "
        'learned. `fraudline train` learns a history that has them. Set learning.update = "off", '
        "and `learn` does not try; it judges, watches, compares and calibrates all the same."
    )


def require_event_time(contract: Contract) -> None:
    """Refuse to learn from the stream where nothing says what came after what.

    Raises:
        InputError: the contract has no event time.
    """
    if (why := why_not_learned(contract)) is not None:
        raise InputError(why)
