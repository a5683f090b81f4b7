"""What is loaded only by a test that uses it.

TensorFlow takes ten seconds to load. Every worker reads every file of tests, but few run these.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def keras() -> Any:
    """The library."""
    return import_module("fraudline.training.keras_engine").keras


def recipes() -> Any:
    """Every recipe by its name."""
    return import_module("fraudline.training.recipes.all_recipes").RECIPES


def find_recipe(name: str) -> Any:
    """The recipe of a name."""
    return import_module("fraudline.training.recipes.all_recipes").find_recipe(name)


def as_set(*arguments: Any) -> Any:
    """A recipe with settings of training."""
    return import_module("fraudline.training.recipes.all_recipes").as_set(*arguments)


def fit_model(*arguments: Any, **named: Any) -> Any:
    """Fit by a recipe."""
    return import_module("fraudline.training.fitting").fit_model(*arguments, **named)


def network(n_inputs: int) -> Any:
    """The tutorial's network."""
    return import_module("fraudline.training.recipes.tutorial").network(n_inputs)


def train(*arguments: Any, **named: Any) -> Any:
    """Train a candidate."""
    return import_module("fraudline.training.train").train(*arguments, **named)


def as_keras(preparation: Any, network: Any, n_features: int) -> Any:
    """A network behind its preparation, as it is saved."""
    model = import_module("fraudline.training.model").Model(preparation, network)
    return model.as_keras(n_features)


def graph() -> Any:
    """What writes a graph, and reads one."""
    return import_module("fraudline.training.graph")


def save_model(*arguments: Any) -> None:
    """Write a Keras model as training does."""
    import_module("fraudline.training.keras_file").save_model(*arguments)


def learning_on() -> Any:
    """What goes on learning from a version."""
    return import_module("fraudline.training.update")


def fresh_model(recipe: Any, contract: Any, features: Any) -> Any:
    """A model of a recipe that has learned nothing, with no weight at its beginning's value."""
    preparation = import_module("fraudline.training.preparation").Preparation
    kit = import_module("fraudline.training.keras_engine")
    kit.make_deterministic(5)
    prepared = preparation.fit(recipe.inputs(contract, features), features)
    network = recipe.network(prepared.apply(features).shape[1])
    random = import_module("numpy").random.default_rng(5)
    network.set_weights(
        [each + 0.1 * random.random(each.shape).astype("f4") for each in network.get_weights()]
    )
    return import_module("fraudline.training.model").Model(prepared, network)


def soft_labels() -> Any:
    """What blocked payments are likely to be."""
    return import_module("fraudline.training.soft_labels")
