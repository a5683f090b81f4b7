"""What a table's columns say of a payment together: how far apart two places are, an age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fraudline.drafts.name_words import is_called_birth, place_of
from fraudline.drafts.profiles import Profile


@dataclass(frozen=True)
class DerivedDraft:
    """A derived column as the file is to have it.

    Attributes:
        name: Its name.
        keys: What its table says, in order.
        note: What it is, a sentence without a full stop.
    """

    name: str
    keys: Mapping[str, Any]
    note: str


def guess_derived(
    profiles: Mapping[str, Profile], event_time: str | None, limits: Mapping[str, Mapping[str, Any]]
) -> tuple[DerivedDraft, ...]:
    """The derived columns that names and values speak for.

    Args:
        profiles: Every column.
        event_time: The column that is the event time.
        limits: By column, its keys in the file.
    """
    found = []
    for (name, place), (other, other_place) in pairwise(_places(profiles, limits).items()):
        of = (*place, *other_place)
        found.append(
            DerivedDraft(
                _free(f"km_{name or 'here'}_to_{other or 'here'}", profiles),
                {"distance": list(of)} | _nullable(profiles, of),
                "two places, so the network sees how far apart they are",
            )
        )
    if event_time is None or profiles[event_time].type != "timestamp":
        return tuple(found)
    for name, profile in profiles.items():
        if profile.type == "date" and is_called_birth(name):
            found.append(
                DerivedDraft(
                    _free("age_years", profiles),
                    {"age": name, "unit": "year"} | _nullable(profiles, (name,)),
                    "a date of birth, of which the network sees the age; write feature = false "
                    "where a model must not decide by it",
                )
            )
            break
    return tuple(found)


def _places(
    profiles: Mapping[str, Profile], limits: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    """By whose it is, latitude and longitude, where both are within their limits."""
    ends: dict[str, dict[str, str]] = {}
    for name, profile in profiles.items():
        place = place_of(name)
        if place is not None and profile.is_number and {"min", "max"} <= limits[name].keys():
            whose, end = place
            ends.setdefault(whose, {}).setdefault(end, name)
    return {
        whose: (each["latitude"], each["longitude"])
        for whose, each in ends.items()
        if len(each) > 1
    }


def _nullable(profiles: Mapping[str, Profile], of: tuple[str, ...]) -> dict[str, Any]:
    return {"nullable": True} if any(profiles[name].nulls for name in of) else {}


def _free(name: str, profiles: Mapping[str, Profile]) -> str:
    taken = {each.lower() for each in profiles}
    while name.lower() in taken:
        name += "_"
    return name
