"""What `learn` lets another process do: it has TensorFlow, much memory, and less of the processor.

The process ends with whoever asked, and what it was doing is then done again.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from fraudline import local
from fraudline.settings import Settings
from fraudline.use_cases.update_process import AWAY, THREADS

_ALIVE_S = 1.0


class Answer(msgspec.Struct, frozen=True):
    """What a process of its own has made, or why it made nothing.

    Attributes:
        processor_s: Processor time that it took; None where nobody knows.
        version: The version that was made, if one was.
        parent: The version that it goes on from.
        rows: How many rows it learned, or stands on.
        frauds: How many of them are frauds.
        told: What was made, or why nothing was.
        fault: What failed; empty where nothing did.
        away: What did not answer, so that it is to be done again; None where all did.
    """

    processor_s: float | None = None
    version: str | None = None
    parent: str | None = None
    rows: int = 0
    frauds: int = 0
    told: str = ""
    fault: str = ""
    away: Literal["warehouse", "registry"] | None = None


_decode_answer = msgspec.json.Decoder(Answer).decode


def ask(
    settings: Settings,
    words: Sequence[str],
    on_alive: Callable[[], None],
    *,
    limit_s: float,
    again: str,
) -> Answer:
    """Let a process of its own do something, and wait for its answer.

    Args:
        settings: What it has for its own.
        words: What it does, as `update_process` takes it.
        on_alive: Called every second while it runs.
        limit_s: After which it is ended.
        again: What happens, or is to be done, where it failed: a sentence.

    Raises:
        WarehouseAwayError: BigQuery did not answer it; ask again, later.
        RegistryError: the registry did not; likewise.
    """
    call = [sys.executable, "-m", "fraudline.use_cases.update_process", *words]
    environment = local.environment(settings) | THREADS
    process = subprocess.Popen(  # noqa: S603 - our own module
        call, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    ends_at = time.monotonic() + limit_s
    try:
        while True:
            try:
                out, _ = process.communicate(timeout=_ALIVE_S)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() > ends_at:
                    return Answer(fault=f"it took longer than {limit_s:g} s and was ended. {again}")
                on_alive()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    try:
        answer = _decode_answer(out)
    except msgspec.DecodeError:
        return Answer(
            fault=f"its process ended with exit code {process.returncode} and no answer; "
            f"its log is above. {again}"
        )
    if answer.away is not None:
        raise AWAY[answer.away](answer.fault)
    return answer
