"""How a time or a date of a contract file is written, and what of it a network sees."""

from __future__ import annotations

from typing import Any, NamedTuple

from fraudline.contract.columns import PARTS
from fraudline.contract.contract_faults import Faults, Keys, meant, shown
from fraudline.contract.local_times import is_zone, zone_names
from fraudline.contract.time_formats import COUNTS, format_fault, has_offset

# Beside the keys that every column may have, by type.
TIME_KEYS: dict[object, set[str]] = {
    "timestamp": {"format", "timezone", "parts"},
    "date": {"format"},
}


class Written(NamedTuple):
    """How the values of a column are written, and what a network sees of them; see `Column`."""

    format: str = ""
    timezone: str = ""
    parts: tuple[str, ...] = ()


def parse_time(value: dict[str, Any], kind: str, path: Keys, faults: Faults) -> Written:
    """What the table of a column says of its times.

    Args:
        value: The table.
        kind: The column's type.
        path: Its keys.
        faults: Takes what is wrong.
    """
    if kind not in TIME_KEYS:
        return Written()
    text, zone = (faults.value(value, key, str, "", path) for key in ("format", "timezone"))
    is_count = text in COUNTS and kind == "timestamp"
    if text and not is_count and (fault := format_fault(text, is_date=kind == "date")):
        faults.add((*path, "format"), f"format = {shown(text)}: {fault}.")
    elif text and kind == "timestamp" and not has_offset(text) and "timezone" not in value:
        faults.add(
            (*path, "format"),
            f"format = {shown(text)} has no offset from UTC (%z), so say whose clock it is, such "
            'as timezone = "UTC" or timezone = "Europe/Vienna".',
        )
    if zone and not is_zone(zone):
        names = zone_names()
        known = meant(zone, names) or ' Expected a name such as "UTC" or "Europe/Vienna".'
        told = "" if names else " None is known here: install tzdata."
        faults.add((*path, "timezone"), f"timezone = {shown(zone)} is not known.{told or known}")
    return Written(text, zone, _parse_parts(value, path, faults))


def _parse_parts(value: dict[str, Any], path: Keys, faults: Faults) -> tuple[str, ...]:
    parts = faults.value(value, "parts", list, [], path)
    for part in parts:
        if part not in PARTS:
            faults.add(
                (*path, "parts"),
                f"parts = {shown(parts)}: expected some of {', '.join(PARTS)}.{meant(part, PARTS)}",
            )
            return ()
    if parts and value.get("feature") is False:
        faults.add(
            (*path, "feature"),
            "feature = false, and parts are what a network sees of it; leave out one of the two.",
        )
    return tuple(part for part in PARTS if part in parts)
