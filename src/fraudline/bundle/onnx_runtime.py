"""ONNX Runtime without its telemetry; whoever needs it imports it from here.

Left to itself it tells its maker of each process that opens a graph, and keeps a number for the
machine in the user's cache directory. A host that scores payments calls nobody.
"""

import os
from collections.abc import Sequence

# Read once, when the library is loaded. What the environment said before does not matter.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

from fraudline.bundle.operators import convolves_one_channel, with_outputs

__all__ = ["opened", "ort"]


def opened(graph: bytes, inside: Sequence[str] = ()) -> ort.InferenceSession:
    """A session of one thread: scorers scale by processes and partitions, not by threads.

    Args:
        graph: A serialised model.
        inside: Names of what it has inside and gives as well, after its own outputs.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Blocks of channels are what convolutions of many are fastest in. Of one, the blocks cost more
    # than they save, since what is behind takes them apart again; the bits are the same.
    is_plain = convolves_one_channel(graph)
    return ort.InferenceSession(
        with_outputs(graph, inside),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["NchwcTransformer"] if is_plain else None,
    )
