"""From the history in BigQuery to a version in the registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fraudline.bundle.manifest import Manifest, Sample, Source
from fraudline.errors import RegistryError
from fraudline.measures.drawn_rows import times
from fraudline.use_cases.own_costs import require_own_costs_to_train
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # TensorFlow and Google's clients come with them
    from fraudline.contract.array_types import Floats
    from fraudline.training.recipes.recipe import Recipe
    from fraudline.warehouse.history_table import History


def train_version(
    project: Project,
    recipe: str,
    test_share: float,
    seed: int,
    *,
    first: str | None = None,
    end: str | None = None,
    is_to_be_promoted: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Train on the history of a period, the whole table without one, and register the result.

    Args:
        project: Whose history, contract, costs and registry.
        recipe: Name of one.
        test_share: Share of the rows that is kept to judge the model by, 0 to 0.9.
        seed: Same seed and same rows give the same model.
        first: Event time of the earliest rows, as the contract's event time has them.
        end: Event time at which the period ends; not itself part of it.
        is_to_be_promoted: Whether to refuse at once what `promote` would refuse afterwards.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        InputError: nothing can be learned from these rows; nothing of it stays.
        WarehouseError: the history cannot be read.
        RegistryError: the registry's object store cannot be reached. Where that was so after the
            training, what was made is kept, and the message says where.
    """
    if is_to_be_promoted:  # before TensorFlow is loaded, which takes seconds

        def read_amounts() -> Floats:
            read = read_history(project, first, end)
            return np.repeat(
                project.contract.amounts(read.rows),
                times(project.contract.labels(read.rows), source_of(read).one_in),
            )

        require_own_costs_to_train(project, read_amounts)
    from fraudline.training.history_checks import coarse_event_times, told_of_no_time
    from fraudline.training.recipes.all_recipes import as_set, find_recipe, require_installed

    chosen = as_set(find_recipe(recipe), project.settings.training, on_progress)
    require_installed(chosen)
    history = read_history(project, first, end)
    on_progress(f"read {source_of(history)}, SHA-256 {history.snapshot.sha256[:16]}…")
    if history.snapshot.sample is not None:
        on_progress(
            f"LOOK: the history has more than {project.settings.training.most_rows:,} rows "
            "(training.most_rows), so most legitimate payments were left out. Intervals say how "
            "much less certain figures are for that."
        )
    if history.taken:
        on_progress(history.taken)
    sample = history.snapshot.sample
    rows = history.snapshot.rows if sample is None else sample.rows
    for told in (
        *coarse_event_times(history.rows, project.contract),
        *told_of_no_time(project.contract, rows),
    ):
        on_progress(told)
    candidate = project.registry.new_directory()
    try:
        made = train_candidate(
            project,
            history,
            chosen,
            candidate,
            test_share=test_share,
            seed=seed,
            on_progress=on_progress,
        )
        added = _add(project, candidate, made)
    finally:
        project.registry.discard(candidate)
    if added.created_at != made.created_at:
        on_progress(
            f"the same rows, recipe and seed gave {added.version} before, made at "
            f"{added.created_at:%Y-%m-%d %H:%M:%S} UTC; nothing was added"
        )
    return added


def _add(project: Project, candidate: Path, made: Manifest) -> Manifest:
    """Register what was trained; where its last step fails, hours of training are not lost."""
    try:
        return project.registry.add(candidate)
    except RegistryError as error:
        kept = project.registry.keep(candidate, made.version)
        raise RegistryError(
            f"{error} {made.version} was trained, and is kept in {kept}: `fraudline models add "
            f"{kept}` adds it once the store can be reached."
        ) from error


def read_history(project: Project, first: str | None = None, end: str | None = None) -> History:
    """The labelled history, or a period of it, and which rows that is.

    Of one with more rows than `training.most_rows` a draw of the legitimate ones is read.

    Args:
        project: Whose history.
        first: Event time of the earliest rows, as the contract's event time has them.
        end: Event time at which the period ends; not itself part of it.

    Raises:
        InputError: that is no period.
        WarehouseError: there is no history, or BigQuery cannot be reached.
    """
    from fraudline.warehouse import history_table

    return history_table.read_history(
        project.warehouse,
        project.contract,
        first,
        end,
        most_rows=project.settings.training.most_rows,
    )


def source_of(history: History) -> Source:
    """What a manifest says of the rows that were read."""
    values = vars(history.snapshot)
    sample = values["sample"]
    return Source(**values | {"sample": Sample(**vars(sample)) if sample else msgspec.UNSET})


def train_candidate(
    project: Project,
    history: History,
    recipe: Recipe,
    directory: Path,
    *,
    test_share: float,
    seed: int,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Train by a recipe of one's own into a directory, and register nothing.

    Args:
        project: Whose contract and costs.
        history: Of `read_history`.
        recipe: Such as `find_recipe` gives.
        directory: Existing, empty; receives the candidate, a bundle with its report.
        test_share: Share of the rows that is kept to judge the model by, 0 to 0.9.
        seed: Same seed and same rows give the same model.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        InputError: nothing can be learned from these rows.
    """
    from fraudline.training.train import train  # loads TensorFlow

    return train(
        history.rows,
        project.contract,
        recipe,
        directory,
        source=source_of(history),
        test_share=test_share,
        seed=seed,
        costs=project.settings.policy,
        on_progress=on_progress,
    )
