"""The recipes there are."""

from __future__ import annotations

from fraudline.errors import InputError
from fraudline.training.recipes.default import DEFAULT
from fraudline.training.recipes.mlp import MLP
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.recipes.tutorial import TUTORIAL, TUTORIAL_BY_TIME

RECIPES = {recipe.name: recipe for recipe in (DEFAULT, MLP, TUTORIAL, TUTORIAL_BY_TIME)}


def find_recipe(name: str) -> Recipe:
    """The recipe with this name.

    Raises:
        InputError: there is none.
    """
    if name not in RECIPES:
        raise InputError(
            f"there is no recipe '{name}'; there are {', '.join(sorted(RECIPES))}. "
            "Give one of these to `fraudline train --recipe`."
        )
    return RECIPES[name]
