"""The recipes there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fraudline.errors import InputError
from fraudline.settings import TrainingSettings
from fraudline.training.forest_fitting import load_lightgbm
from fraudline.training.recipes.boosted import TREES
from fraudline.training.recipes.default import DEFAULT
from fraudline.training.recipes.mlp import MLP
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.recipes.tutorial import TUTORIAL, TUTORIAL_BY_TIME

RECIPES = {recipe.name: recipe for recipe in (DEFAULT, MLP, TREES, TUTORIAL, TUTORIAL_BY_TIME)}


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


def require_installed(recipe: Recipe) -> None:
    """Refuse a recipe that needs what is not installed, before anything is read for it.

    Raises:
        NoLightGBMError: the message says how to install it.
    """
    if recipe.fit is not None:
        load_lightgbm()


def as_set(
    recipe: Recipe, settings: TrainingSettings, on_progress: Callable[[str], None]
) -> Recipe:
    """A recipe with what is set in `[training]`; the tutorial's stay as they are printed.

    Args:
        recipe: As it is.
        settings: Only what is set counts.
        on_progress: Called with a sentence that says what is otherwise than the recipe has it.
    """
    given = settings.model_dump(exclude_none=True, exclude={"most_rows"})  # which rows, not how
    if not given:
        return recipe
    told = ", ".join(f"{name} {value:g}" for name, value in given.items())
    if recipe.epochs is not None or recipe.fit is not None:
        way = "as the tutorial does" if recipe.fit is None else "with settings of its own"
        on_progress(f"LOOK: recipe '{recipe.name}' learns {way}, so [training] is not used: {told}")
        return recipe
    on_progress(f"as [training] says, not as recipe '{recipe.name}' has it: {told}")
    return replace(recipe, **given)
