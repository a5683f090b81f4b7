"""The broker's classes as Java has loaded and linked them before: it starts in a third of the time.

From Java 24 on a run can be recorded and its classes kept for the next ones (JEP 483 and 514). A
cache fits one Java and one list of jars; Java itself sees whether it does, and starts without it
where not.
"""

from __future__ import annotations

import fcntl
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from fraudline.errors import LocalServiceError
from fraudline.home import make_private


def start_cache(
    java_home: Path,
    class_path: str,
    cache: Path,
    rehearse: Callable[[list[str]], None],
    on_progress: Callable[[str], None],
) -> list[str]:
    """The options by which Java uses the cache; it is recorded where there is none yet.

    Args:
        java_home: Where the Java lies that will run.
        class_path: The jars, as Java is given them.
        cache: The user's cache directory; it lies in its `kafka` directory, 70 MB.
        rehearse: Given options, runs the program once from start to end.
        on_progress: Told in words what takes its time, and what failed: a start does without.
    """
    release = (java_home / "release").read_text(encoding="utf-8")
    digest = hashlib.sha256(f"{release}\0{class_path}".encode()).hexdigest()
    kept = cache / "kafka" / f"start-{digest[:16]}.aot"
    make_private(kept.parent)
    with (kept.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one records; the second finds it in place
        if not kept.exists():
            on_progress("kafka: recording what makes its next starts fast (once, 15 s)")
            with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
                recorded = Path(directory) / kept.name
                try:
                    rehearse([f"-XX:AOTCacheOutput={recorded}", *_QUIET])
                    recorded.replace(kept)
                except (LocalServiceError, OSError) as error:
                    on_progress(f"kafka: it starts as slowly as before, nothing recorded: {error}")
                    return []
    return [f"-XX:AOTCache={kept}", *_QUIET]


# It warns of what it left out by itself; that a cache does not fit is an error, and is told.
_QUIET = ["-Xlog:aot*=error"]
