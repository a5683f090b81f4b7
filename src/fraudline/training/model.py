"""A model: what prepares the features, and the network that sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fraudline.contract.array_types import Floats, Matrix
from fraudline.training.calibration import Platt
from fraudline.training.contributions_graph import log_odds
from fraudline.training.graph import write_graph
from fraudline.training.keras_engine import keras
from fraudline.training.preparation import Preparation

PREDICT_BATCH_ROWS = 4096


@dataclass(frozen=True)
class Model:
    """A preparation and a Keras `Sequential` whose last layers are Dense(1) and a sigmoid."""

    preparation: Preparation
    network: Any

    def log_odds(self, features: Matrix) -> Floats:
        """What the network gives before its sigmoid, float64, shape (rows,).

        By the graph, as a scorer has it: what is calibrated is what scores, and no network has to
        be traced for it.
        """
        graph = write_graph(self.preparation, self.network, features.shape[1])
        return log_odds(graph, features)

    def hidden(self, features: Matrix) -> Matrix:
        """What the last dense layer sees, float32, shape (rows, units)."""
        before_dense = keras.Model(self.network.inputs, self.network.layers[-2].input)
        seen: Matrix = before_dense.predict(
            self.preparation.apply(features), batch_size=PREDICT_BATCH_ROWS, verbose=0
        )
        return seen

    def copy(self) -> Model:
        """The same, with weights of its own; where its dropout begins is drawn anew."""
        network = keras.models.clone_model(self.network)
        network.set_weights(self.network.get_weights())
        return Model(self.preparation, network)

    def calibrate(self, line: Platt) -> None:
        """Make the line part of the last dense layer: two straight lines in a row are one."""
        dense = self.network.layers[-2]
        kernel, bias = dense.get_weights()
        dense.set_weights([kernel * line.slope, bias * line.slope + line.intercept])

    def as_keras(self, n_features: int) -> Any:
        """The whole as one Keras model: raw features in, probability out."""
        features = keras.Input((n_features,), name="features")
        return keras.Model(features, self.network(self.preparation.apply(features, keras.ops)))


def predict(network: Any, inputs: Matrix) -> Floats:
    """A Keras model's output for each row, float64, shape (rows,)."""
    scores: Matrix = network.predict(inputs, batch_size=PREDICT_BATCH_ROWS, verbose=0)
    return scores[:, 0].astype(np.float64)
