"""Keeps pandas out of a process of bqlite's own.

Arrow imports it with the first value it is given, only to ask whether that is a data frame: over a
second of the processor, and 70 MB, in the middle of the first append.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("bqlite's process does without pandas", name=name)
        return None


def keep_out() -> None:
    """Lets `import pandas` fail from here on, as where it is not installed."""
    sys.meta_path.insert(0, _NoPandas())
