"""Whether two versions learned in the same way, so that what is found of one stands for the other.

What a bet on a line proves is that learning *like this* ranks better. After another road or rate
was set, versions learn otherwise: nothing is known of those yet.
"""

from __future__ import annotations

import msgspec

from fraudline.bundle.manifest import Learned, Manifest


def difference(before: Manifest, after: Manifest) -> str:
    """In what a version learned otherwise than another one, in words; empty if in nothing.

    Versions of before say by which road they learned and no more; what they do not say is taken
    for equal, and so is what was trained and learned nothing since.

    Args:
        before: The one.
        after: The other, whose way is told first.
    """
    one, other = before.learned, after.learned
    if not (isinstance(one, Learned) and isinstance(other, Learned)):
        return ""
    if one.road != other.road:
        return f"by {other.road} instead of {one.road}"
    if isinstance(one.settings, msgspec.UnsetType) or isinstance(other.settings, msgspec.UnsetType):
        return ""
    was = one.settings
    return ", ".join(
        f"{name} {value:g} instead of {was[name]:g}"
        for name, value in other.settings.items()
        if value != was.get(name, value)
    )


def newest_alike(manifests: list[Manifest], newest: Manifest, judged: Manifest) -> Manifest:
    """The youngest version that learned as the judged one did: the newest, or one that it is of.

    Args:
        manifests: Every version.
        newest: The newest of the line.
        judged: One of the same line, not younger than the newest.
    """
    by_name = {each.version: each for each in manifests}
    at = newest
    while at.version != judged.version and difference(judged, at):
        if not at.learned or at.learned.parent not in by_name:
            return judged
        at = by_name[at.learned.parent]
    return at
