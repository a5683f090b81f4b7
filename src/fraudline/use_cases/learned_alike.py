"""Whether two versions learned in the same way, so that what is found of one stands for the other.

What a bet on a line proves is that learning *like this* ranks better. After another road or rate
was set, versions learn otherwise: nothing is known of those yet.
"""

from __future__ import annotations

import msgspec

from fraudline.bundle.manifest import Learned, Manifest
from fraudline.use_cases.champion_line import ChampionLine


class WayOfLearning(msgspec.Struct, frozen=True):
    """How a version learned.

    Attributes:
        road: As in `Learned`.
        settings: Likewise; empty for versions of before, which do not say.
    """

    road: str
    settings: dict[str, float] = {}

    @classmethod
    def of(cls, version: Manifest) -> WayOfLearning | None:
        """That of a version; None if it was trained, and learned nothing since."""
        learned = version.learned
        if not isinstance(learned, Learned):
            return None
        known = learned.settings
        return cls(learned.road, {} if isinstance(known, msgspec.UnsetType) else known)


def difference(before: WayOfLearning | None, after: WayOfLearning | None) -> str:
    """In what somebody learned otherwise than before, in words; empty if in nothing.

    What one of them does not say is taken for equal.
    """
    if before is None or after is None:
        return ""
    if before.road != after.road:
        return f"by {after.road} instead of {before.road}"
    return ", ".join(
        f"{name} {value:g} instead of {before.settings[name]:g}"
        for name, value in after.settings.items()
        if value != before.settings.get(name, value)
    )


def newest_alike(line: ChampionLine, judged: Manifest) -> Manifest:
    """The youngest version of a line that learned as one of it did; that one, if none did later.

    By when they learned and not from child to parent: a line may have had two ends for a while.

    Args:
        line: With the judged version.
        judged: One of its versions.
    """
    way = WayOfLearning.of(judged)
    alike = (each for each in line.after(judged) if not difference(way, WayOfLearning.of(each)))
    return max(alike, key=line.versions.index, default=judged)
