"""Ending a process whose loop stands still, so that whatever runs it starts it anew.

Every call that a loop makes has an end of its own, by what its library promises. Where a library
breaks that promise nothing else would ever tell: the process lives, and holds its partitions.
To end it harms nothing, since a process may die at any instruction.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Final

from fraudline.stream.ending import in_thread
from fraudline.stream.progress import Progress

EXIT_CODE: Final = os.EX_TEMPFAIL  # 75, sysexits.h: a failure that passes, try again
# Twice as long as the longest step that is right: taking messages, while a rebalance waits for
# the transaction of a partition's last owner.
LIMIT_S = 120.0
_LOOK_EVERY_S = 1.0
_TELL_TIMEOUT_S = 5.0
_INNERMOST = 8  # calls of each thread
_LOG = logging.getLogger(__name__)


@contextmanager
def ended_at_standstill(progress: Progress, limit_s: float | None = None) -> Iterator[None]:
    """While the block runs, end this process once the loop has stood in one step for too long.

    A loop that waits, for messages, for the broker or for BigQuery, takes steps all the while. The
    last line of the log names the step and what each thread was doing; the exit code is 75.

    Args:
        progress: The loop's.
        limit_s: How long a step may take, seconds; two minutes, if not given.
    """
    over = threading.Event()
    watched = (progress, limit_s or LIMIT_S, over)
    threading.Thread(target=_watch, args=watched, name="standstill", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(progress: Progress, limit_s: float, over: threading.Event) -> None:
    seen, stood_s = progress.step, 0.0
    while not over.wait(_LOOK_EVERY_S):
        step = progress.step
        # Looks are counted, not hours: while this process was stopped, nothing stood still.
        seen, stood_s = (seen, stood_s + _LOOK_EVERY_S) if step == seen else (step, 0.0)
        if stood_s >= limit_s:
            _end(progress, step[0], stood_s, limit_s)


def _end(progress: Progress, step: str, stood_s: float, limit_s: float) -> None:
    def tell() -> None:
        _LOG.error(
            "%s: has stood in step '%s' for %.0f s, and no step may take longer than %.0f s. This "
            "process ends now, with exit code %d, to be started anew; nothing is lost. What its "
            "threads were doing, the innermost call first: %s",
            progress.task,
            step,
            stood_s,
            limit_s,
            EXIT_CODE,
            " | ".join(_stacks()),
        )
        sys.stderr.flush()

    try:  # in a thread: the loop may stand because nobody reads what is written there
        in_thread(tell, "tell of the standstill").result(_TELL_TIMEOUT_S)
    finally:
        os._exit(EXIT_CODE)


def _stacks() -> Iterator[str]:
    """Where each thread is, in a line each."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the library's own way
        calls = traceback.extract_stack(frame)[-_INNERMOST:]
        places = [
            f"{call.name} ({'/'.join(PurePath(call.filename).parts[-2:])}:{call.lineno})"
            for call in reversed(calls)
        ]
        yield f"{names.get(ident, ident)}: {' < '.join(places)}"
