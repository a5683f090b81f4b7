"""A bundle's graphs, tried in a process of their own before this one opens them.

Hashes prove that a bundle is whole, not where it comes from, and a graph is a program: it may want
more memory than there is, or never end. So it is opened and run first where limits of time and
memory end it, and end nothing else. Its operators are straight, so what it costs does not depend on
values: what rows of zeros take, all others take; trees alone take longer, within a bound
(`operators.py`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass

from fraudline.bundle.trial_process import MEMORY_MIB, PROCESSOR_S
from fraudline.errors import BundleError

# Where the processor is busy with other things. A bundle of ours takes 0.3 s.
_CLOCK_S = 120.0
_TELL_AFTER_S = 3.0
_COMMAND = [sys.executable, "-P", "-m", "fraudline.bundle.trial_process"]

_tried: set[bytes] = set()
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Graph:
    """A graph to be tried.

    Attributes:
        name: Of its file.
        content: The serialised model.
        rows: How many rows it is given at once.
        width: How many numbers it gives for each of them.
    """

    name: str
    content: bytes
    rows: int
    width: int


def try_graphs(version: str, graphs: list[Graph], features: int) -> None:
    """Have graphs opened and run once in a process with limits; each content once a process.

    Args:
        version: The bundle's, for what is said.
        graphs: What to try.
        features: How many features a row has.

    Raises:
        BundleError: one is made of what is not allowed, takes more than the limits, or does not
            give what it should.
    """
    head = json.dumps(
        [[each.name, len(each.content), each.rows, each.width] for each in graphs] + [features]
    ).encode()
    given = b"".join([head, b"\n", *(each.content for each in graphs)])
    digest = hashlib.sha256(given).digest()
    if digest in _tried:
        return
    sizes = " and ".join(f"{each.name} ({len(each.content):,} bytes)" for each in graphs)
    what = f"bundle {version}: {sizes}, tried in a process of their own"
    _LOG.info("%s", what)
    process = subprocess.Popen(  # noqa: S603 - the command is ours, no shell reads it
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    teller = threading.Timer(
        _TELL_AFTER_S,
        lambda: _LOG.warning(
            "%s, have not answered yet; they have %d s of the processor, and %d s in all",
            what,
            PROCESSOR_S,
            _CLOCK_S,
        ),
    )
    teller.daemon = True
    teller.start()
    try:
        from fraudline.bundle.onnx_runtime import ort  # noqa: F401, PLC0415 - it loads meanwhile

        answer, _ = process.communicate(given, _CLOCK_S)
        fault = json.loads(answer)["fault"] if answer else _end_of(process)
    except subprocess.TimeoutExpired:
        fault = f"they did not end within {_CLOCK_S:.0f} s"
    finally:
        teller.cancel()
        process.kill()
        process.wait()
    if fault:
        raise BundleError(
            f"bundle {version} cannot score {features} features: {fault}. It was tried in a "
            "process of its own and is not opened in this one. Graphs have straight operators "
            f"alone, and {PROCESSOR_S} s and {MEMORY_MIB} MiB to be opened and run once. Train "
            "anew; if another sent it, ask who made it: hashes prove that it is whole, and no more."
        )
    _tried.add(digest)


def _end_of(process: subprocess.Popen[bytes]) -> str:
    """How a process ended that gave no answer, in words."""
    code = process.wait()
    if code == -signal.SIGXCPU:
        return f"they did not end within {PROCESSOR_S} s of the processor's time"
    end = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
    return f"they ended the process in which they were tried, by {end}"
