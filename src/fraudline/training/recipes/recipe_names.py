"""The names of the recipes, each with what it is: what `--help` tells without TensorFlow.

A test holds them to the recipes that there are.
"""

from __future__ import annotations

RECIPE_NAMES = {
    "default": "ours",
    "mlp": "ours, of dense layers alone",
    "trees": "boosted trees by LightGBM, an extra",
    "tutorial": "SMOTE and the tutorial's network, on its random split",
    "tutorial_by_time": "the same, judged by later payments as ours are",
}

UNCALIBRATED = frozenset({"tutorial", "tutorial_by_time"})
"""Recipes whose scores are no probabilities: they decide by one fixed threshold."""

FORESTS = frozenset({"trees"})
"""Recipes that fit no network: what they made does not go on learning, and is trained anew."""
