"""What was computed, kept outside the repository, so that a run that was stopped goes on.

A piece that is there is not computed again, whatever has changed since: sections say at which
commits their pieces were made. To have them made anew, delete the directory.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.measure import say
from benchmarks.results import commit

Found = dict[str, np.ndarray]


@dataclass
class Kept:
    """A directory of pieces.

    Attributes:
        directory: Where they are; made when it is needed.
        commits: Of the pieces that were asked for.
    """

    directory: Path
    commits: set[str] = field(default_factory=set)

    def piece(self, name: str, compute: Callable[[], Found]) -> Found:
        """What `compute` gives, from the directory where it is there.

        Args:
            name: Says all that the piece depends on: it is found by its name alone.
            compute: Gives arrays by name. The processor time that it took is kept as `cpu_s`.
        """
        path = self.directory / f"{name}.npz"
        if not path.exists():
            begun = time.process_time()
            found = compute()
            found["cpu_s"] = np.array(time.process_time() - begun)
            found["made_by"] = np.array(json.dumps({"commit": commit()}))
            say(f"{name}: {float(found['cpu_s']):.0f} s of the processor")
            self._write(path, lambda file: np.savez_compressed(file, **found))
        with np.load(path) as file:
            found = dict(file)
        self.commits.add(json.loads(str(found.pop("made_by")))["commit"])
        return found

    def file(self, name: str, write: Callable[[Any], object]) -> Path:
        """A file that `write` fills once."""
        path = self.directory / name
        if not path.exists():
            self._write(path, write)
        return path

    def _write(self, path: Path, write: Callable[[Any], object]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partly = path.with_suffix(".part")
        with partly.open("wb") as file:
            write(file)
        partly.replace(path)
