"""A model: what prepares the features, and the network that sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fraudline.contract.array_types import Floats, Matrix
from fraudline.training.calibration import Platt
from fraudline.training.contributions_graph import log_odds, reasons_of_network
from fraudline.training.fitted import Reasons
from fraudline.training.graph import write_graph
from fraudline.training.keras_engine import keras
from fraudline.training.keras_file import MODEL_FILE, save_model
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
        return log_odds(self.graph(features.shape[1]), features)

    def graph(self, n_features: int) -> bytes:
        """The graph of scores."""
        return write_graph(self.preparation, self.network, n_features)

    def reasons(self, background: Matrix) -> Reasons:
        """The graph of contributions, measured from the mean of the background."""
        graph = self.graph(background.shape[1])
        return reasons_of_network(graph, background, self.preparation.sources)

    def save(self, directory: Path, n_features: int) -> None:
        """Write the Keras file."""
        save_model(self.as_keras(n_features), directory / MODEL_FILE)

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
