"""The roads by which a model learns on, as a learner goes them: moment by moment of a world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from benchmarks.learning.kept import Found, Kept
from benchmarks.learning.scale import restated
from benchmarks.learning.world import Known, Moment

from fraudline.contract import Contract
from fraudline.training.fitting import fit_model
from fraudline.training.model import Model
from fraudline.training.preparation import Preparation
from fraudline.training.recipes.all_recipes import find_recipe
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.split import split_by_time
from fraudline.training.update import Examples, LastLayer, fine_tune


@dataclass(frozen=True)
class Choices:
    """What a learner is told, in days or hours of the world's own unit where it is a time.

    Attributes:
        learning_rate: Of fine-tuning.
        averaging: How much of the mean of the weights stays at each of its steps.
        memory: How many of the newest frauds are learned, old ones among them.
        legitimate: How many legitimate rows it learns for each fraud.
        forget: Of the last layer: which share of what is known is still believed.
        window: How far back full retraining learns; infinity: all there is.
        calibration: How far back the last matured rows go that scores are calibrated on.
    """

    learning_rate: float = 3e-4
    averaging: float = 0.99
    memory: int = 2000
    legitimate: int = 80
    forget: float = 0.97
    window: float = np.inf
    calibration: float = 5.0

    def __str__(self) -> str:
        return "-".join(f"{value:g}" for value in vars(self).values())


class Road(Protocol):
    """A way to learn on."""

    def model(self) -> Model:
        """As it is now."""

    def learn(self, moment: Moment) -> None:
        """Learn what has become known since the last moment."""

    def begin(self, model: Model) -> None:
        """Go on from another model, if it goes on from any."""


@dataclass
class Frozen:
    """Learns nothing."""

    base: Model

    def model(self) -> Model:
        """The base."""
        return self.base

    def learn(self, moment: Moment) -> None:
        """Nothing."""
        del moment

    def begin(self, model: Model) -> None:
        """Nothing: it stays as it is."""
        del model


@dataclass
class FineTuned:
    """All layers a little, from what is newly known and from what is remembered."""

    current: Model
    recipe: Recipe
    contract: Contract
    choices: Choices
    seed: int
    known_until: float
    unit_s: float

    def model(self) -> Model:
        """The latest."""
        return self.current

    def begin(self, model: Model) -> None:
        """From it on."""
        self.current = model

    def learn(self, moment: Moment) -> None:
        """One pass through the newest frauds, and legitimate rows since the oldest of them."""
        random = np.random.default_rng([self.seed, round(moment.at)])
        new = moment.became_known(self.known_until)
        self.known_until = moment.at
        if not new.labels.any():
            return
        drawn = draw(moment.known(), int(new.labels.sum()), self.choices, random)
        drawn = restated(self.current, self.contract, drawn, self.unit_s)[1]
        self.current = fine_tune(
            self.current,
            self.recipe,
            Examples(drawn.features, drawn.labels.astype(np.float64)),
            learning_rate=self.choices.learning_rate,
            averaging=self.choices.averaging,
            seed=self.seed,
        )


def draw(known: Known, new: int, choices: Choices, random: np.random.Generator) -> Known:
    """What is learned at a moment, as the product draws it from BigQuery.

    Args:
        known: All that is known, in order of time.
        new: How many frauds have just become known: they are always among it.
        choices: How many of the newest frauds, and how many legitimate rows for each.
        random: Where chance comes from.
    """
    frauds = np.flatnonzero(known.labels == 1)[-max(choices.memory, new) :]
    legitimate = np.flatnonzero(known.labels == 0)
    since = legitimate[known.event_at[legitimate] >= known.event_at[frauds[0]]]
    wanted = min(choices.legitimate * len(frauds), len(since))
    return known.where(np.concatenate([frauds, random.choice(since, wanted, replace=False)]))


@dataclass
class LastLayerOnly:
    """Newton steps of the last layer, each row once."""

    state: LastLayer
    choices: Choices
    seed: int
    known_until: float

    def model(self) -> Model:
        """The latest."""
        return self.state.model()

    def begin(self, model: Model) -> None:
        """From its last layer on."""
        self.state = LastLayer.of(model)

    def learn(self, moment: Moment) -> None:
        """What is new, with as many legitimate rows for each fraud."""
        random = np.random.default_rng([self.seed, round(moment.at)])
        new = moment.became_known(self.known_until)
        self.known_until = moment.at
        frauds = int(new.labels.sum())
        if frauds:
            drawn = draw(new, frauds, self.choices, random)
            examples = Examples(drawn.features, drawn.labels.astype(np.float64))
            self.state = self.state.update(examples, forget=self.choices.forget)


@dataclass
class Retrained:
    """Fitted anew from all that is known of a window, once in a while."""

    current: Model
    recipe: Recipe
    contract: Contract
    choices: Choices
    seed: int
    every: int  # moments
    since: float
    unit_s: float
    moments: int = 0

    def model(self) -> Model:
        """The latest."""
        return self.current

    def begin(self, model: Model) -> None:
        """Nothing: it is fitted from fresh weights."""
        del model

    def learn(self, moment: Moment) -> None:
        """Fit anew if it is time."""
        self.moments += 1
        if (self.moments - 1) % self.every or self.moments == 1:
            return
        known = moment.known(max(self.since, moment.at - self.choices.window))
        known = restated(self.current, self.contract, known, self.unit_s)[1]
        self.current = fitted(self.recipe, self.contract, known, self.seed)


def fitted(recipe: Recipe, contract: Contract, known: Known, seed: int) -> Model:
    """A model of what is known, as `train` fits it, not calibrated."""
    split = split_by_time(known.labels, 0, seed)
    parts = (
        (known.features[rows], known.labels[rows])
        for rows in (split.train, split.validation, split.test)
    )
    learned, judged, none = parts
    inputs = recipe.inputs(contract, learned[0])
    steps = fit_model(recipe, inputs, learned, judged, seed, lambda _: None).steps
    both = known.features, known.labels
    return fit_model(recipe, inputs, both, none, seed, lambda _: None, steps=steps).model


def base(
    name: str, recipe_name: str, contract: Contract, known: Known, seed: int, kept: Kept
) -> Model:
    """The model that everything begins with: fitted once, then kept."""
    recipe = find_recipe(recipe_name)

    def compute() -> Found:
        model = fitted(recipe, contract, known, seed)
        weights = {f"w{n:02d}": value for n, value in enumerate(model.network.get_weights())}
        return weights | {"mean": model.preparation.mean, "scale": model.preparation.scale}

    found = kept.piece(f"base-{name}-{recipe_name}-{seed}", compute)
    learned = known.features[split_by_time(known.labels, 0, seed).train]
    preparation = Preparation(recipe.inputs(contract, learned), found["mean"], found["scale"])
    network = recipe.network(len(preparation.mean))
    network.set_weights([found[key] for key in sorted(found) if key.startswith("w")])
    return Model(preparation, network)
