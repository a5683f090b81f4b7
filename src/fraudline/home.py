"""The home directory is for its user alone: it holds payments, scores and a database of them.

Takes paths of the home, makes them or tightens their rights. Never writes a file in them.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

PRIVATE = 0o700
PRIVATE_UMASK = 0o077
"""For processes that write in the home: what they create is their user's alone."""

# All that fraudline itself keeps in a home, and what a `make demo` keeps beside it.
_OURS = frozenset(
    {
        "api-keys.sqlite",
        "api-keys.sqlite-journal",
        "bqlite",
        "contract.toml",
        "demo",
        "demo.lock",
        "fraudline.toml",
        "history.parquet",
        "kafka",
        "learning.png",
        "logs",
        "mlflow",
        "models",
        "models-cache",
    }
    | {"reports", "services.json", "services.json.draft", "services.lock"}
)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

logger = logging.getLogger(__name__)


def make_private(directory: Path) -> None:
    """Make a directory and all that is missing above it, for this user alone.

    One that is there stays as it is.

    Raises:
        OSError: it cannot be made.
    """
    missing = []
    for each in (directory, *directory.parents):
        if each.exists():
            break
        missing.append(each)
    for each in reversed(missing):
        each.mkdir(PRIVATE, exist_ok=True)
    if not missing:
        directory.mkdir(exist_ok=True)  # as the error says, it may be a file


def foreign(home: Path) -> set[str]:
    """Names in a directory that are not fraudline's; a file or a link in its place counts, too.

    Raises:
        OSError: it cannot be listed.
    """
    if home.is_symlink() or not home.is_dir():
        return {home.name}
    return {each.name for each in home.iterdir()} - _OURS


def tighten(home: Path) -> None:
    """Take a home that is there away from other users of the machine, and log that it was done.

    A directory that holds other things than fraudline's is not closed for those who may need
    them: that is for a person to decide, who is told.
    """
    try:
        found = home.stat()
        names = {each.name for each in home.iterdir()}
    except OSError:  # whoever needs it will say so
        return
    rights = stat.S_IMODE(found.st_mode)
    if not rights & _OTHERS:
        return
    what = f"{home.absolute()} was open to other users of this machine (mode {rights:04o})"
    if found.st_uid == os.geteuid() and names <= _OURS:
        home.chmod(PRIVATE)
        logger.warning("%s: it holds payments, and is now for you alone (mode 0700)", what)
    elif names & _OURS:
        logger.warning(
            "%s and stays so, for it %s. It holds payments: `chmod 700` it, or set `home` to a "
            "directory of its own",
            what.replace("was open", "is open"),
            f"holds {min(names - _OURS)!r}, too, which is not fraudline's"
            if found.st_uid == os.geteuid()
            else "belongs to another user",
        )
