"""A network that learns step by step, and the mean of its weights over the latest steps.

The steps are one loop in one graph: of Keras' own, most of the time goes to what lies between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fraudline.contract.array_types import Floats, Integers, Labels, Matrix
from fraudline.training.keras_engine import keras, tf

_AT_ONCE = 4096
FIRST_STEPS = 10
"""The mean spans at least a tenth of the steps until there are as many as it holds."""


class Learner:
    """Learns from the rows that it was given, as often as it is asked.

    Args:
        network: A Keras `Sequential` whose last layers are Dense(1) and a sigmoid. Its weights
            change with each step.
        optimizer: A Keras optimizer.
        inputs: float32, shape (rows, inputs).
        labels: How much of a fraud each row is, shape (rows,).
        averaging: From 0 to below 1: how much of the mean of the weights so far stays in it at
            each step. 0 keeps no mean.
        front: A Keras model that turns what is given into the inputs of the network, and learns
            with it; None: they are the same.
        first_steps: How soon the mean forgets what it began with, in its first steps: `FIRST_STEPS`
            where that is drawn. 0 where it was learned: it then has its weight like any other.
    """

    def __init__(
        self,
        network: Any,
        optimizer: Any,
        inputs: Matrix,
        labels: Labels | Floats,
        averaging: float,
        front: Any = None,
        *,
        first_steps: int = FIRST_STEPS,
    ) -> None:
        self._optimizer, self._averaging, self._first = optimizer, averaging, first_steps
        # A model around the same layers learns, so that the network is saved without its optimizer.
        self._inner = keras.Model(network.inputs, network.layers[-2].output)
        self._all = list(network.weights)
        if front is not None:
            self._inner = keras.Model(front.inputs, self._inner(front.outputs[0]))
            self._all += front.weights
        self._given = _tensors(inputs, labels)
        self._weights = self._inner.trainable_variables
        self._means = [tf.Variable(each.value) for each in self._weights]
        self._steps = tf.Variable(0.0)
        optimizer.build(self._weights)
        # What dropout draws follows from it; the layers of a front have none.
        dropouts = [each for each in network.layers if isinstance(each, keras.layers.Dropout)]
        drawn = [each.seed_generator.state for each in dropouts]
        self._begun = [(each, np.array(each)) for each in (*optimizer.variables, *drawn)]
        numbers = tf.TensorSpec((None,), tf.int64)
        rows = tf.TensorSpec((None, inputs.shape[1]), tf.float32)
        shares = tf.TensorSpec((None, 1), tf.float32)
        self._run = tf.function(self._learn, input_signature=(rows, shares, numbers, numbers))
        self._ask = tf.function(self._asked, input_signature=(rows,))

    def begin(self, weights: list[Matrix], inputs: Matrix, labels: Labels | Floats) -> None:
        """Begin anew from other weights, with other rows, as if nothing had been learned.

        Args:
            weights: As `averaged` gives.
            inputs: As at first, of as many inputs.
            labels: Likewise.
        """
        self._given = _tensors(inputs, labels)
        self._put(weights)
        for mean, weight in zip(self._means, self._weights, strict=True):
            mean.assign(weight.value)
        self._steps.assign(0.0)
        for each, value in self._begun:
            each.assign(value)

    def learn(self, batches: Sequence[Integers]) -> float:
        """Take a step for each batch.

        Args:
            batches: Numbers of the rows in each.

        Returns:
            Mean cross-entropy over these rows, each when it was learned, with dropout.
        """
        ends = np.cumsum([len(batch) for batch in batches])
        order = tf.constant(np.concatenate(batches))
        return float(self._run(*self._given, order, tf.constant(ends)))

    def averaged(self) -> list[Matrix]:
        """All weights of the network, and then of the front; as their mean if one is kept."""
        if not self._averaging:
            return [np.asarray(each) for each in self._all]
        means = {id(each): mean for each, mean in zip(self._weights, self._means, strict=True)}
        return [np.asarray(means.get(id(each), each)) for each in self._all]

    def log_odds(self, inputs: Matrix) -> Floats:
        """What the network with these weights gives before its sigmoid, float64, shape (rows,)."""
        learned = [np.array(each) for each in self._all]
        self._put(self.averaged())
        given = [
            self._ask(tf.constant(inputs[at : at + _AT_ONCE])).numpy()[:, 0]
            for at in range(0, len(inputs), _AT_ONCE)
        ]
        self._put(learned)
        return np.concatenate(given).astype(np.float64)

    def _put(self, values: list[Matrix]) -> None:
        for each, value in zip(self._all, values, strict=True):
            each.assign(value)

    def _asked(self, inputs: Any) -> Any:
        return self._inner(inputs, training=False)

    def _learn(self, inputs: Any, labels: Any, order: Any, ends: Any) -> Any:
        total, begin = tf.constant(0.0), tf.constant(0, ends.dtype)
        for end in ends:
            rows = order[begin:end]
            with tf.GradientTape() as tape:
                losses = tf.nn.sigmoid_cross_entropy_with_logits(
                    tf.gather(labels, rows), self._inner(tf.gather(inputs, rows), training=True)
                )
                loss = tf.reduce_mean(losses)
            found = tape.gradient(loss, [each.value for each in self._weights])
            gradients = [tf.convert_to_tensor(each) for each in found]  # of levels, some rows
            self._optimizer.apply(gradients, self._weights)
            if self._averaging:
                self._steps.assign_add(1.0)
                kept = tf.minimum(self._averaging, self._steps / (self._steps + self._first))
                for mean, weight in zip(self._means, self._weights, strict=True):
                    mean.assign(kept * mean + (1 - kept) * weight.value)
            total += tf.reduce_sum(losses)
            begin = end
        return total / tf.cast(ends[-1], tf.float32)


def _tensors(inputs: Matrix, labels: Labels | Floats) -> tuple[Any, Any]:
    return tf.constant(inputs), tf.constant(labels.astype(np.float32)[:, None])
