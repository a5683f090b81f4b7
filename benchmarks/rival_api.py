"""The rivals of the API: FastAPI and pydantic, with the network as Keras or ONNX Runtime runs it.

`keras` is what a user would write first, `onnx` what they would then write. A request is one
transaction or a list of them; an answer has a score and whether it is above a threshold, and no
reasons.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, create_model


def predicts(way: str, model: str) -> Callable[[np.ndarray], np.ndarray]:
    """What gives scores of features."""
    if way == "keras":
        import keras  # noqa: PLC0415 - only one of them has it

        network = keras.saving.load_model(model)
        return lambda features: np.asarray(network.predict(features, verbose=0))[:, 0]
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    (name,) = (each.name for each in session.get_inputs())
    return lambda features: np.asarray(session.run(None, {name: features})[0]).reshape(-1)


def build(way: str, model: str, columns: list[str], threshold: float) -> FastAPI:
    """The application."""
    score = predicts(way, model)
    transaction: type[BaseModel] = create_model(
        "Transaction",
        **dict.fromkeys(columns, (float, ...)),  # type: ignore[call-overload]
    )
    app = FastAPI()

    @app.post("/v1/score")
    def scored(body: transaction | list[transaction]) -> object:  # type: ignore[valid-type]
        rows = body if isinstance(body, list) else [body]
        features = np.array(
            [[getattr(row, name) for name in columns] for row in rows], dtype=np.float32
        )
        found = [
            {"score": float(each), "decision": "block" if each >= threshold else "approve"}
            for each in score(features)
        ]
        return found if isinstance(body, list) else found[0]

    return app


def main(way: str, model: str, columns: str, port: str) -> None:
    """Serve until ended."""
    app = build(way, model, columns.split(","), 0.5)
    uvicorn.run(app, port=int(port), http="httptools", loop="uvloop", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
