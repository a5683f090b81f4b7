"""Where files are kept that every project of one user can share, and their hashes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def user_cache() -> Path:
    """The user's cache: `$XDG_CACHE_HOME/fraudline`, or `~/.cache/fraudline`.

    A relative `XDG_CACHE_HOME` is ignored, as the XDG Base Directory Specification asks.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (root if root.is_absolute() else Path.home() / ".cache") / "fraudline"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
