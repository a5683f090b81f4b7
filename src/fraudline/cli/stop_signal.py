"""How a command that runs until it is stopped learns that it should stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fraudline.cli.screen import say


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or a closed terminal sets, for as long as the block runs."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_if_cut_short(left: str | None) -> None:
    """Tell what a command that was stopped before its end has left undone.

    Args:
        left: That, as a sentence; None: nothing.

    Raises:
        Exit: there is something, with exit code 1: what calls the command must not go on as if all
            were done.
    """
    if left is not None:
        say(f"stopped: {left}")
        raise typer.Exit(1)
