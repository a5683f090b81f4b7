"""What a contract says of times: how they are written, of whose clock, and what is seen of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fraudline.drafts.profiles import Profile
from fraudline.drafts.roles import Question

SEEN_OF_EVENTS = "a network sees where on these circles it falls, on clocks of its time zone"
SEEN_OF_TIMES = {
    "timestamp": 'with parts = ["hour", "weekday"] a network would see when in a day and a week',
    "date": "a network sees nothing of a date; an age is a derived column",
}
_LEAST_WEEKS = 4  # in fewer, a weekday would tell single days apart
_WEEK_S = 7 * 86_400


def ask_zone(profiles: Mapping[str, Profile], answer: str | None) -> list[Question]:
    """The question whose clock tells the times that have no offset; none if it is known.

    Args:
        profiles: Every column.
        answer: What a person said.
    """
    naive = [name for name, profile in profiles.items() if profile.is_naive]
    if not naive or answer is not None:
        return []
    listed = ", ".join(f"'{name}'" for name in naive)
    return [
        Question(
            "time zone",
            f"Times of {listed} have no offset from UTC, so nobody can tell when they were. Say "
            "whose clock shows them; if a column has another one, change it in the file then.",
            (
                ("UTC", "as most data bases keep times"),
                ("Europe/Vienna", "or any other of the IANA names"),
            ),
            "--timezone",
        )
    ]


def time_keys(profile: Profile, zone: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a column, with how its times are written and whose clock they are of.

    Args:
        profile: The column.
        zone: Whose clock tells times without an offset.
        keys: What its table says beside that.
    """
    written = {"format": profile.format} if profile.format else {}
    if profile.is_naive:
        written["timezone"] = zone
    return {"type": keys["type"]} | written | dict(keys)


def event_parts(profile: Profile) -> list[str]:
    """What a network sees of the event time."""
    begin, end = profile.spread
    is_long = (end - begin).total_seconds() >= _LEAST_WEEKS * _WEEK_S
    return ["hour", "weekday"] if is_long else ["hour"]
