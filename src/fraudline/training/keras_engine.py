"""TensorFlow's Keras, loaded without its notices."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN prints a notice that no log level silences, and rounds differently by processor.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import tensorflow as tf

tf.get_logger().setLevel("ERROR")  # it warns of every model that is traced anew

__all__ = ["keras", "make_deterministic", "tf"]


def make_deterministic(seed: int) -> None:
    """Begin anew: names, seeds, and only operations of TensorFlow that repeat."""
    # Names of layers count on from an earlier model otherwise. To look at once for memory that is
    # free takes as long as half a pass of learning.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
