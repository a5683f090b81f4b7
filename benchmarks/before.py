"""The commit before: an older revision of this repository that runs beside ours.

A floor such as "two thirds of the processor time" means something only against what is
measured in the same run. `BASE=revision make bench` names another one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[1]
_ASKED = ["git", "-C", str(ROOT), "rev-parse", "--short", os.environ.get("BASE", "6debd8c")]
REVISION = subprocess.run(_ASKED, check=True, capture_output=True, text=True).stdout.strip()


def python_path() -> str:
    """Where Python finds the packages of that revision; they are unpacked once."""
    root = Path(__file__).parent / ".before" / REVISION
    if not root.exists():
        asked = ["git", "-C", str(ROOT), "archive", REVISION]
        packed = subprocess.run(asked, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            part = root.with_name(f"{REVISION}.part")  # one that was broken off is no revision
            archive.extractall(part, filter="data")
        part.rename(root)
    return os.pathsep.join(
        str(path) for path in (root / "src", root / "packages" / "bqlite" / "src")
    )


def python(*arguments: str, is_before: bool) -> tuple[str, ...]:
    """The words that run this Python with the packages of that revision, or with ours."""
    words = (sys.executable, *arguments)
    return ("/usr/bin/env", f"PYTHONPATH={python_path()}", *words) if is_before else words
