"""The model alone, on one core: Keras `predict`, `tf.function`, and our engine.

All three compute the same from raw features to calibrated probability, with the same trained
weights on the same real rows, one thread each. What counts is processor time. The floor is the
time that the network's own multiplications take at the core's peak, measured in turn with them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from benchmarks.measure import cpu_seconds_a_call, median, percent, ratio, spread, table, take_turns
from benchmarks.place import Place
from threadpoolctl import threadpool_limits

from fraudline.bundle.bundle import Bundle
from fraudline.bundle.bundle_files import GRAPH_FILE

TITLE = "The model alone, one core"
ROUNDS = 9
BATCHES = (1, 64, 256, 1024)
_SGEMM_SIZE = 1024
_PREDICT, _FUNCTION, _OURS, _FLOOR = "Keras `predict`", "`tf.function`", "ours", "floor"


def measure(place: Place) -> list[str]:
    """Both recipes' networks, each by every engine at every batch size."""
    rows = place.rows()
    features = place.project.contract.feature_matrix(rows)
    said = []
    for recipe in ("default", "tutorial"):
        said += _one(recipe, place.train(recipe), features)
    return said


def _one(recipe: str, bundle: Bundle, features: npt.NDArray[np.float32]) -> list[str]:
    mflop = megaflop(bundle.path / GRAPH_FILE)
    engines = _engines(bundle, features)
    found = {
        batch: take_turns(
            {_FLOOR: lambda: mflop / _sgemm_peak_mflops() * 1e6}
            | {name: _timed(engine, features[:batch]) for name, engine in engines.items()},
            ROUNDS,
        )
        for batch in BATCHES
    }
    floors = [value for figures in found.values() for value in figures[_FLOOR]]

    def row(batch: int, figures: dict[str, list[float]]) -> list[str]:
        ours = figures[_OURS]
        return [
            str(batch),
            *(spread(figures[name], 1) for name in engines),
            f"{1e6 / median(ours):,.0f}",
            percent(ratio(figures[_FLOOR], ours)),
            f"{ratio(figures[_PREDICT], ours):,.0f}",
            f"{ratio(figures[_FUNCTION], ours):,.1f}",
        ]

    return [
        f"Recipe `{recipe}`: {mflop:.3f} MFLOP a transaction. The core's peak in a matrix product "
        f"is {mflop / median(floors) * 1e3:.0f} GFLOP/s, so the floor is {spread(floors, 2)} us. "
        "Microseconds of the processor a transaction, median (least to most); the last three "
        "columns are medians of each round's ratio:",
        table(
            (
                "batch",
                *engines,
                "ours, transactions/s",
                "share of the floor",
                "times `predict`",
                "times `tf.function`",
            ),
            [row(batch, figures) for batch, figures in found.items()],
        ),
    ]


def _engines(
    bundle: Bundle, features: npt.NDArray[np.float32]
) -> dict[str, Callable[[npt.NDArray[np.float32]], Any]]:
    """The engines, of which it was checked that they say the same."""
    keras, tf = _tensorflow()
    model = keras.models.load_model(bundle.path / "model.keras")
    function = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((None, features.shape[1]), tf.float32)],
    )
    engines = {
        _PREDICT: lambda x: model.predict(x, batch_size=len(x), verbose=0),
        _FUNCTION: lambda x: function(x).numpy(),
        _OURS: bundle.score,
    }
    ours = bundle.score(features)
    for engine in engines.values():
        np.testing.assert_allclose(np.ravel(engine(features)), ours, atol=1e-5)
    return engines


def _tensorflow() -> tuple[Any, Any]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # noqa: PLC0415 - only here, and only now: it takes seconds and threads
    import tensorflow as tf  # noqa: PLC0415

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return keras, tf


def _timed(
    engine: Callable[[npt.NDArray[np.float32]], Any], rows: npt.NDArray[np.float32]
) -> Callable[[], float]:
    return lambda: cpu_seconds_a_call(lambda: engine(rows)) / len(rows) * 1e6


def _sgemm_peak_mflops() -> float:
    """What one thread of this core reaches in a large matrix product, MFLOP/s."""
    size = _SGEMM_SIZE
    a, b = np.random.default_rng(0).standard_normal((2, size, size), dtype=np.float32)
    out = np.empty_like(a)
    with threadpool_limits(1):
        return 2 * size**3 / cpu_seconds_a_call(lambda: np.matmul(a, b, out=out)) / 1e6


def megaflop(path: Path) -> float:
    """Multiplications and additions that a graph needs for one row, in millions.

    Its convolutions and products count; the rest is little beside them.
    """
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {
        value.name: [part.dim_value for part in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    } | {constant.name: list(constant.dims) for constant in graph.initializer}
    flop = 0
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            outputs, weights = shapes[node.output[0]][1:], shapes[node.input[1]]
            # Each output is a sum over all weights that lead to it.
            inner = weights[1:] if node.op_type == "Conv" else weights[:1]
            flop += 2 * int(np.prod(outputs)) * int(np.prod(inner))
    return flop / 1e6
