"""The process in which a bundle's graphs are tried; it limits itself, and says one line.

Takes, on standard input, a line of JSON and then the graphs, as `trial.try_graphs` sends them.
Gives a line of JSON on standard output: what is wrong with them, in words, or nothing.
"""

from __future__ import annotations

import json
import resource
import sys
from contextlib import suppress

PROCESSOR_S = 10
# Of address space, which is more than is ever touched. A bundle of ours takes 200 MiB.
MEMORY_MIB = 1024
_MOST_TOLD = 500


def main() -> None:
    """Try the graphs of standard input."""
    _limit(resource.RLIMIT_CPU, PROCESSOR_S)
    _limit(resource.RLIMIT_AS, MEMORY_MIB * 2**20)
    _limit(resource.RLIMIT_CORE, 0)
    *graphs, features = json.loads(sys.stdin.buffer.readline())
    fault = ""
    scores: tuple[bytes, int] | None = None
    for name, size, rows, width in graphs:
        content = sys.stdin.buffer.read(size)
        try:
            fault = _fault(content, rows, width, features, scores)
        except MemoryError:
            fault = f"no memory is left of {MEMORY_MIB} MiB"
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no other base
            fault = _short(" ".join(str(error).split()))
        if fault:
            fault = f"{name}: {fault}"
            break
        scores = scores or (content, rows)
    sys.stdout.write(json.dumps({"fault": fault}))


def _short(text: str) -> str:
    """What ONNX Runtime says, without the middle of it: the end says what is wrong."""
    return text if len(text) <= _MOST_TOLD else f"{text[:200]} … {text[200 - _MOST_TOLD :]}"


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    with suppress(ValueError, OSError):  # a system that does not have it; the clock is left
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (soft, hard))  # beyond it a signal says what it was


def _fault(
    content: bytes, rows: int, width: int, features: int, scores: tuple[bytes, int] | None
) -> str:
    """What is wrong with a graph.

    Args:
        content: The serialised model.
        rows: How many rows it is given.
        width: How many numbers it should give for each.
        features: How many features a row has.
        scores: The graph before, and its rows: what it has inside may be taken, too.
    """
    import numpy as np  # noqa: PLC0415 - under the limits

    from fraudline.bundle.graphs import FEATURES  # noqa: PLC0415 - likewise
    from fraudline.bundle.onnx_runtime import opened  # noqa: PLC0415 - likewise
    from fraudline.bundle.operators import fault_of  # noqa: PLC0415 - likewise

    if fault := fault_of(content):
        return fault
    session = opened(content)
    taken = [each.name for each in session.get_inputs()]
    given = {FEATURES: np.zeros((rows, features), np.float32)}
    if scores is not None and taken != [FEATURES]:
        graph, most_rows = scores
        zeros = np.zeros((most_rows, features), np.float32)
        found = opened(graph, taken).run(taken, {FEATURES: zeros})
        given = {name: each[:rows] for name, each in zip(taken, found, strict=True)}
    (answer,) = session.run(None, given)
    if answer.size != rows * width:
        return f"{rows} rows give an answer of shape {answer.shape}, expected {rows} x {width}"
    return ""


if __name__ == "__main__":
    main()
