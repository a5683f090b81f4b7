"""A scorer, a sink or a learner in a process beside this one, as an operator would run it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from fraudline import local
from fraudline.errors import LocalServiceError
from fraudline.home import make_private
from fraudline.stream.broker import wait_for_member
from fraudline.use_cases.learning_steps import BEGUN
from fraudline.use_cases.project import Project

Command = Literal["score", "sink", "learn"]

_START_TIMEOUT_S = 60.0
_LOOK_S = 0.5
_MOST_LINES = 10


def run_beside(
    project: Project, command: Command, directory: Path | None = None
) -> local.Companion:
    """Start `fraudline score`, `fraudline sink` or `fraudline learn` with a project's settings.

    Args:
        project: Whose settings.
        command: Which of them.
        directory: Where it runs; here, without one. A setting without a value is read from the
            `fraudline.toml` that is found there.

    Returns:
        The process, after it has its share of the topic, or has its tables; `stop` it in the end.

    Raises:
        LocalServiceError: it did not begin; the message quotes its log.
    """
    named = project.settings.named
    which = command if named is None else f"{command}-{named}"
    log = project.settings.home / "logs" / f"{which}.log"
    make_private(log.parent)
    companion = local.Companion(
        local.call(command), local.environment(project.settings), log, directory
    )
    companion.start()
    try:
        has_begun = _has_begun(project, command, companion)
    except BaseException:  # nobody would have a handle to stop it by
        companion.stop()
        raise
    if not has_begun:
        ended = companion.process.poll()
        companion.stop()
        said = "\n".join(companion.said.splitlines()[-_MOST_LINES:])
        what = (
            f"did not begin within {_START_TIMEOUT_S:.0f} s"
            if ended is None
            else f"ended with exit code {ended}"
        )
        raise LocalServiceError(f"`fraudline {command}` {what}. Its log, {log}, ends with:\n{said}")
    return companion


def _has_begun(project: Project, command: Command, companion: local.Companion) -> bool:
    """Wait until it does its work, or has ended; a learner says so."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while companion.is_alive and time.monotonic() < deadline:
        if command != "learn":
            if wait_for_member(project.kafka, f"{project.kafka.group}.{command}", _LOOK_S):
                return True
        elif BEGUN in companion.said:
            return True
        else:
            time.sleep(_LOOK_S)
    return False
