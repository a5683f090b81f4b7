"""The champion's line: the versions that learned from it, one after the other, and its gaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from fraudline.bundle.manifest import Manifest
from fraudline.errors import InputError
from fraudline.registry import Removal

LOOK = "LOOK: "
"""With these words a sentence begins that a person should read."""


@dataclass(frozen=True)
class ChampionLine:
    """The versions that go on from a champion, of what was known before a moment.

    Attributes:
        versions: Those that are there, the champion's network first, then as they learned.
        last: The name of the one that learned last, whether it is there or was removed.
        cut_off: Versions of that time whose parent is not there and was not removed by `learn`
            either, each with that parent: nobody knows of which line they are, nor of those after
            them.
    """

    versions: tuple[Manifest, ...]
    last: str
    cut_off: tuple[tuple[str, str], ...] = ()

    @property
    def newest(self) -> Manifest:
        """The version that learned last of those that are there, or the champion."""
        return self.versions[-1]

    @property
    def gap(self) -> str:
        """What a person should know of versions that are cut off; empty where none is."""
        if not self.cut_off:
            return ""
        version, parent = self.cut_off[0]
        more = f", and {len(self.cut_off) - 1:,} more so" if len(self.cut_off) > 1 else ""
        return (
            f"{LOOK}{version} and what goes on from it are left out, as its parent {parent} is "
            f"broken or not in this registry, and was not removed by learn{more}"
        )

    def after(self, version: Manifest) -> tuple[Manifest, ...]:
        """The versions that learned later than one of them."""
        return self.versions[self.versions.index(version) + 1 :]


def champions_line(
    manifests: Sequence[Manifest],
    champion: str,
    *,
    since: dt.datetime,
    before: dt.datetime,
    removed: Sequence[Removal] = (),
) -> ChampionLine:
    """The champion and all versions that go on from it.

    Versions that are only calibrated anew, or that a person gave another policy, are in no line:
    the network of each is there already, and a policy that was only tried is nobody's decision.
    Nor are those that were trained anew, which are challengers of their own.

    Args:
        manifests: Every version.
        champion: Which version, of those with its network the one that this was made with.
        since: When that network became the champion's: what was made before is of an earlier line.
        before: Only versions of what was known before this moment.
        removed: Versions that are no more, which the line goes on through.

    Raises:
        InputError: the champion's own manifest is not among them.
    """
    by_name = {each.version: each for each in manifests}
    if champion not in by_name:
        raise InputError(
            f"the champion {champion} is broken or not in this registry, so nothing can go on "
            "from it. `fraudline models list` shows the versions that are."
        )
    steps = [
        (each.learned.as_of, each.version, each.learned.parent)
        for each in manifests
        if each.learned and each.is_step and each.contract == by_name[champion].contract
    ]
    steps += [
        (each.as_of, each.version, each.parent)
        for each in removed
        if each.is_of_line and each.version not in by_name
    ]
    known = {*by_name, *(each.version for each in removed)}
    line, found, cut_off = {champion}, [by_name[champion]], []
    last = champion
    for as_of, version, its_parent in sorted(steps):  # a parent before its children
        if not since <= as_of < before:
            continue  # of an earlier line, or too young
        if its_parent in line:
            line.add(version)
            last = version
            found += [by_name[version]] if version in by_name else []
        elif its_parent not in known:
            cut_off.append((version, its_parent))
    return ChampionLine(tuple(found), last, tuple(cut_off))
