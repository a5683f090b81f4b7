"""The registry: versions of bundles, and which of them is the champion.

Takes the directory of a finished bundle; gives its version a place of its own, and the name
`champion` to one of each contract's, and remembers each change of it. Never opens a model,
and never changes a version.
"""

from fraudline.registry.registry import Registry

__all__ = ["Registry"]
