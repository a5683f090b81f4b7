"""What benchmarks found, kept section by section in `RESULTS.md`."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import machine

RESULTS = Path(__file__).parent / "RESULTS.md"
_INTRODUCTION = """# Results

Each section is written by the command in it, which replaces that section and no other. What is
compared took turns in the same run. Machines differ, and so do their busy moments: trust the
ratios, and measure on yours."""


def measured(title: str, command: str, measure: Callable[[], list[str]]) -> None:
    """Measure, print what was found as a section of the file, and put it there.

    Args:
        title: Of the section.
        command: What a person types to have it measured.
        measure: Gives the paragraphs and tables of the section.
    """
    print(title, flush=True)
    where, began_at, begun = machine(), dt.datetime.now(dt.UTC), time.monotonic()
    said = measure()
    how = (
        f"`{command}`, {began_at:%Y-%m-%d %H:%M} UTC, "
        f"{time.monotonic() - begun:.0f} s, at commit {commit()}. {where}."
    )
    section = "\n\n".join([f"## {title}", how, *said])
    print(f"\n{section}\n", flush=True)
    RESULTS.write_text(with_section(section, RESULTS.read_text() if RESULTS.exists() else ""))


def commit() -> str:
    """The commit that runs, and whether something was changed since."""
    asked = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def with_section(section: str, results: str) -> str:
    """The results with a section put in the place of the one with the same title."""
    sections = {
        found.partition("\n")[0]: found.strip()
        for found in [*re.split(r"^(?=## )", results, flags=re.MULTILINE)[1:], section]
    }
    return "\n\n".join([_INTRODUCTION, *sections.values()]) + "\n"
