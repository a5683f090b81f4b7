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
    """Put a section into the file."""
    RESULTS.write_text(with_section(section, RESULTS.read_text() if RESULTS.exists() else ""))


def with_section(section: str, results: str) -> str:
    """The results with a section put in the place of the one with the same title."""
    sections = {
        found.partition("\n")[0]: found.strip()
        for found in [*re.split(r"^(?=## )", results, flags=re.MULTILINE)[1:], section]
    }
    return "\n\n".join([_INTRODUCTION, *sections.values()]) + "\n"
