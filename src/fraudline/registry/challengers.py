"""Which versions are challengers: those that were made one, as the list of changes tells it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fraudline.errors import InputError
from fraudline.registry.champions import contract_of
from fraudline.registry.changes import Change, with_champions

CHALLENGED = "challenged"
MOST_LIVE = 2
"""So many challengers score beside the champion, as each takes the scorers' time."""


@dataclass(frozen=True)
class Challenger:
    """A version that is to be judged beside the champion.

    Attributes:
        version: Which one.
        since: Since when; only what became known later judges it.
        until: When it expires, unless it was promoted.
        ended: Why it is none any more, in words; None while it is one.
        is_live: Whether it scores in the scorers, beside the champion.
    """

    version: str
    since: dt.datetime
    until: dt.datetime
    ended: str | None = None
    is_live: bool = False


def challengers_of(changes: Sequence[Change], at: dt.datetime) -> list[Challenger]:
    """Every version that was made a challenger, by its last time, oldest first.

    It ends when it becomes the champion itself, when the champion that it was made to beat
    is no longer the champion, or by time. It goes on where only what the champion's scores mean
    became another, since that ranks as before. In an object store a machine may promote while
    another one makes a challenger of the champion before: that one has ended when it begins.

    Args:
        changes: All of the contract's, oldest first.
        at: The moment at which they are looked at.
    """
    found: dict[str, Challenger] = {}
    alike: set[str | None] = set()  # champions of one network, the present one and those before it
    for each, champion in with_champions(changes):
        if each.makes_champion_after(champion):
            alike = {*alike, champion} if each.is_recalibrated else set()
        if each.change == CHALLENGED and each.until is not None:
            if champion is not None and each.before not in {None, champion, *alike}:
                ended = _end(each.version, champion)
                late = Challenger(each.version, each.at, each.until, ended, each.is_live)
                found.setdefault(each.version, late)
                continue
            found.pop(each.version, None)
            found[each.version] = Challenger(
                each.version, each.at, each.until, is_live=each.is_live
            )
        elif each.makes_champion_after(champion):
            for version, one in list(found.items()):
                is_over = not each.is_recalibrated or version == each.version
                if is_over and one.ended is None and each.at < one.until:
                    found[version] = replace(one, ended=_end(version, each.version))
    return [
        one
        if one.ended is not None or at < one.until
        else replace(one, ended=f"expired at {one.until:%Y-%m-%d %H:%M} UTC")
        for one in found.values()
    ]


def live_of(changes: Sequence[Change], at: dt.datetime) -> list[Challenger]:
    """Those that score in the scorers, at most two; args as for `challengers_of`."""
    live = [one for one in challengers_of(changes, at) if one.is_live and one.ended is None]
    return live[:MOST_LIVE]


def require_place(
    version: str,
    champion: str | None,
    changes: Sequence[Change],
    at: dt.datetime,
    *,
    is_live: bool,
) -> None:
    """Refuse a challenger that has nobody to challenge, or one that is live too many.

    Raises:
        InputError: there is no champion, it is the champion, or as many are live as may be.
    """
    contract = contract_of(version)
    if champion is None or champion == version:
        why = "has no champion yet" if champion is None else "has it as its champion"
        raise InputError(
            f"{version} cannot be a challenger: contract '{contract}' {why}. "
            "`fraudline models list` shows the versions."
        )
    others = [each.version for each in live_of(changes, at) if each.version != version]
    if is_live and len(others) >= MOST_LIVE:
        raise InputError(
            f"{version} cannot score live: {' and '.join(others)} do, and at most {MOST_LIVE} may, "
            "since each takes the scorers' time. Make it a challenger without --live, or one of "
            "them anew without it: `fraudline models challenge`."
        )


def _end(version: str, champion: str) -> str:
    return "became the champion" if version == champion else f"overtaken by {champion}"
