"""Whether two versions learned in the same way, so that what is found of one stands for the other.

What a bet on a line proves is that learning *like this* ranks better. After another road or rate
was set, versions learn otherwise: nothing is known of those yet.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fraudline.bundle.manifest import Learned, Manifest
from fraudline.registry import Removal


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


def newest_alike(
    manifests: Sequence[Manifest], removed: Sequence[Removal], newest: Manifest, judged: Manifest
) -> Manifest:
    """The youngest version that learned as the judged one did: the newest, or one that it is of.

    Args:
        manifests: Every version.
        removed: Those that were removed: who goes from child to parent passes over them.
        newest: The newest of the line.
        judged: One of the same line, not younger than the newest.
    """
    by_name = {each.version: each for each in manifests}
    parents = {each.version: each.learned.parent for each in manifests if each.learned}
    parents |= {each.version: each.parent for each in removed}
    at: str | None = newest.version
    while at is not None and at != judged.version:
        found = by_name.get(at)
        if found is not None and not difference(WayOfLearning.of(judged), WayOfLearning.of(found)):
            return found
        at = parents.get(at)
    return judged
