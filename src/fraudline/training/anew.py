"""Training by a recipe on what is known of the stream: from fresh weights, as `train` fits.

It is fitted twice: without the rows that judge, which say how long, and then with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fraudline.bundle.manifest import RETRAINING
from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Labels, Matrix
from fraudline.training.fitted import AnyModel, Fit
from fraudline.training.fitting import fit_model
from fraudline.training.history_checks import require_fitting_recipe
from fraudline.training.preparation import Inputs
from fraudline.training.recipes.recipe import Recipe


@dataclass(frozen=True)
class Anew:
    """The road that begins from fresh weights.

    Attributes:
        recipe: By which it is trained.
        name: That of the road.
    """

    recipe: Recipe
    name: str = RETRAINING

    def told(self) -> dict[str, object]:
        """With what it trains, by name."""
        return {"road": self.name} | self.recipe.told()


@dataclass(frozen=True)
class Begun:
    """A first fit, which has not learned the rows that judge.

    Attributes:
        inputs: What the network gets.
        fit: The model, and for how long it learned.
    """

    inputs: Inputs
    fit: Fit


def begin_anew(
    way: Anew,
    contract: Contract,
    learned: tuple[Matrix, Labels],
    judged: tuple[Matrix, Labels],
    seed: int,
    on_progress: Callable[[str], None],
) -> Begun:
    """Fit until the rows that judge are ranked no better, or as long as the recipe says.

    Args:
        way: By which recipe.
        contract: What a transaction looks like.
        learned: Features and labels.
        judged: Likewise, of rows that are not learned.
        seed: Of everything that is random.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        InputError: the recipe cannot learn from what the contract's features may be.
    """
    require_fitting_recipe(way.recipe, contract)
    inputs = way.recipe.inputs(contract, learned[0])
    return Begun(inputs, fit_model(way.recipe, inputs, learned, judged, seed, on_progress))


def end_anew(
    way: Anew,
    begun: Begun,
    learned: tuple[Matrix, Labels],
    seed: int,
    on_progress: Callable[[str], None],
) -> AnyModel:
    """Fit for as many steps or trees, from the start, on all rows; args as for `begin_anew`."""
    none = learned[0][:0], learned[1][:0]
    return fit_model(
        way.recipe, begun.inputs, learned, none, seed, on_progress, steps=begun.fit.steps
    ).model


def with_drawn_labels(
    known: tuple[Matrix, Labels], never_labelled: Matrix, shares: Floats | None, seed: int
) -> tuple[Matrix, Labels]:
    """Known rows, and others as frauds or none by a draw: a recipe takes labels, no shares.

    Args:
        known: Features and labels.
        never_labelled: Features of the others, shape (others, features).
        shares: How likely each of them is a fraud, shape (others,); None leaves them out.
        seed: Of the draw.
    """
    if shares is None:
        return known
    drawn = np.random.default_rng(seed).random(len(shares)) < shares
    return (
        np.concatenate([known[0], never_labelled]),
        np.concatenate([known[1], drawn.astype(known[1].dtype)]),
    )
