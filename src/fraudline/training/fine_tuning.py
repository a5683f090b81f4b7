"""All layers of a network learn a little: compiled once, for as many networks of a form as come.

An update passes twice: with what judges kept back, and with all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fraudline.contract.array_types import Floats, Matrix
from fraudline.training.keras_engine import keras
from fraudline.training.learner import Learner
from fraudline.training.recipes.recipe import Recipe


class FineTuning:
    """One pass through examples, from the weights of a network.

    Batch normalisations stay as they are: a batch of examples is not what flies by.

    Args:
        recipe: Of it the rows in a step, and the weight decay.
        learning_rate: Of AdamW, constant.
        averaging: From 0 to below 1: how much of the mean of the weights so far stays in it at each
            step; what comes out is that mean. 0 gives the last weights themselves.
    """

    def __init__(self, recipe: Recipe, *, learning_rate: float, averaging: float) -> None:
        self._recipe, self._rate, self._averaging = recipe, learning_rate, averaging
        self._form: object = None
        self._learner: Any = None

    def pass_once(self, network: Any, inputs: Matrix, labels: Floats) -> None:
        """Change a network's weights; another network before it makes no difference.

        Args:
            network: A Keras `Sequential`.
            inputs: What it sees, in the order in which it is learned, shape (rows, inputs).
            labels: How much of a fraud each row is, shape (rows,).
        """
        weights = network.get_weights()
        form = [type(each).__name__ for each in network.layers], [each.shape for each in weights]
        if form != self._form:
            self._compile(network, inputs, labels)
            self._form = form
        self._learner.begin(weights, inputs, labels)
        rows, of_step = np.arange(len(inputs)), self._recipe.batch_rows
        self._learner.learn([rows[at : at + of_step] for at in range(0, len(rows), of_step)])
        network.set_weights(self._learner.averaged())

    def _compile(self, network: Any, inputs: Matrix, labels: Floats) -> None:
        copied = keras.models.clone_model(network)
        for layer in copied.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
        decay = self._recipe.weight_decay
        optimizer = keras.optimizers.AdamW(self._rate, weight_decay=decay)
        self._learner = Learner(copied, optimizer, inputs, labels, self._averaging, first_steps=0)
