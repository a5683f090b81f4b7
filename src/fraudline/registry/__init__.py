"""The registry: versions of bundles, and which of them is the champion.

Takes the directory of a finished bundle; gives its version a place of its own, and the name
`champion` to one of each contract's; knows which others challenge it, and remembers who changed
what, when and why, and what was removed. All that lies in a directory, or in an object store that
machines share (`Store`). Never opens a model, and never changes a version.
"""

from fraudline.registry.challengers import Challenger
from fraudline.registry.changes import Change, Signature
from fraudline.registry.periods_in_use import PeriodInUse
from fraudline.registry.registry import Registry
from fraudline.registry.removals import Removal
from fraudline.registry.rollouts import Rollout

__all__ = ["Challenger", "Change", "PeriodInUse", "Registry", "Removal", "Rollout", "Signature"]
