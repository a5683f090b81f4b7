"""All layers of a network learn a little: compiled once, for as many networks of a form as come.

TensorFlow takes longer to trace what a step does than to do all steps of a pass. An update passes
twice: with what judges kept back, and with all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fraudline.contract.array_types import Floats, Matrix
from fraudline.training.keras_engine import keras
from fraudline.training.recipes.recipe import Recipe

# Steps at one call: of a step of 256 rows most of the time went into calling it.
_STEPS_AT_ONCE = 16


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
        self._network: Any = None
        self._learner: Any = None
        self._begun: list[Any] = []

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
            self._compile(network)
            self._form = form
        self._network.set_weights(weights)
        for variable, value in zip(self._variables, self._begun, strict=True):
            variable.assign(value)
        self._learner.fit(
            inputs,
            labels.astype(np.float32)[:, None],
            batch_size=self._recipe.batch_rows,
            shuffle=False,
            verbose=0,
        )
        network.set_weights(self._network.get_weights())

    def _compile(self, network: Any) -> None:
        self._network = keras.models.clone_model(network)
        for layer in self._network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
        self._learner = keras.Model(self._network.inputs, self._network.outputs)
        optimizer = keras.optimizers.AdamW(
            self._rate,
            weight_decay=self._recipe.weight_decay,
            use_ema=self._averaging > 0,
            ema_momentum=self._averaging,
        )
        optimizer.build(self._learner.trainable_variables)
        self._learner.compile(optimizer, "binary_crossentropy", steps_per_execution=_STEPS_AT_ONCE)
        self._begun = [variable.numpy() for variable in self._variables]

    @property
    def _variables(self) -> list[Any]:
        """What a pass changes beside the weights: the optimizer's state, and dropout's."""
        dropout = [
            layer.seed_generator.state
            for layer in self._network.layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        return [*self._learner.optimizer.variables, *dropout]
