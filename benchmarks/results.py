"""What benchmarks found, kept section by section in `RESULTS.md`."""

from __future__ import annotations

import re
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
_INTRODUCTION = """# Results

Each section is written by the command in it, which replaces that section and no other. What is
compared took turns in the same run. Machines differ, and so do their busy moments: trust the
ratios, and measure on yours."""


def keep(section: str) -> None:
    """Put a section in the place of the one with the same title, or at the end."""
    results = RESULTS.read_text() if RESULTS.exists() else ""
    sections = {
        found.partition("\n")[0]: found.strip()
        for found in [*re.split(r"^(?=## )", results, flags=re.MULTILINE)[1:], section]
    }
    RESULTS.write_text("\n\n".join([_INTRODUCTION, *sections.values()]) + "\n")
