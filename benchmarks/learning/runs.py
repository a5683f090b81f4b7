"""One road through one world with one seed, computed once and then kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from benchmarks.learning.follow import follow
from benchmarks.learning.kept import Found, Kept
from benchmarks.learning.roads import (
    Choices,
    FineTuned,
    Frozen,
    LastLayerOnly,
    Retrained,
    Road,
    base,
)
from benchmarks.learning.streams import Streamed
from benchmarks.learning.world import Known, Moment

from fraudline.training.model import Model
from fraudline.training.recipes.all_recipes import find_recipe
from fraudline.training.update import LastLayer

FROZEN, FINE_TUNED, LAST_LAYER, RETRAINED = (
    "frozen",
    "fine-tuning",
    "the last layer",
    "full retraining",
)
# As the settings have it, by a study. `make bench-learning ONLY=choose` tries others, on weeks that
# judge nothing.
CHOSEN = Choices()


def of_days(moment: Moment) -> Known:
    """The last matured days, as the product calibrates."""
    return moment.latest(CHOSEN.calibration)


def run(
    name: str,
    make: Callable[[], Streamed],
    road: str,
    recipe: str,
    seed: int,
    choices: Choices,
    every: int,
    kept: Kept,
    calibrates: Callable[[Moment], Known] | None = of_days,
) -> Found:
    """Scores and processor time.

    Args:
        name: Of the world.
        make: Makes the world: each goes to one learner only.
        road: One of those above.
        recipe: Its name.
        seed: Of the first champion, and of all that learns on from it.
        choices: What the learner is told.
        every: After how many moments full retraining fits anew.
        kept: Where it is kept.
        calibrates: As for `follow`.
    """

    def compute() -> Found:
        streamed = make()
        first = next(streamed.world.moments()).known()
        start = base(name.partition("+")[0], recipe, streamed.contract, first, seed, kept)
        learner = _road(road, start, streamed, recipe, seed, choices, every)
        followed = follow(streamed.world, streamed.contract, start, learner, calibrates)
        return followed.found(streamed.world)

    told = f"-{choices}" if road != FROZEN else ""
    path = f"{name}-{road}-{recipe}-{seed}{told}".replace(" ", "-")
    return kept.piece(path, compute)


def _road(
    road: str, start: Model, streamed: Streamed, recipe_name: str, seed: int, choices: Choices,
    every: int,
) -> Road:  # fmt: skip
    recipe, begin = find_recipe(recipe_name), streamed.world.begin
    unit_s = streamed.world.unit_s
    if road == FINE_TUNED:
        return FineTuned(start, recipe, streamed.contract, choices, seed, begin, unit_s)
    if road == LAST_LAYER:
        return LastLayerOnly(LastLayer.of(start), choices, seed, known_until=begin)
    if road == RETRAINED:
        contract = streamed.contract
        return Retrained(start, recipe, contract, choices, seed, every, -np.inf, unit_s)
    return Frozen(start)
