"""From the history in BigQuery to a version in the registry."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from fraudline.bundle import Manifest, Source
from fraudline.use_cases.project import Project


def train_version(
    project: Project,
    recipe: str,
    test_share: float,
    seed: int,
    *,
    first: str | None = None,
    end: str | None = None,
    on_progress: Callable[[str], None],
) -> Manifest:
    """Train on the history of a period, the whole table without one, and register the result.

    Args:
        project: Whose history, contract, costs and registry.
        recipe: Name of one.
        test_share: Share of the rows that is kept to judge the model by, 0 to 0.9.
        seed: Same seed and same rows give the same model.
        first: Event time of the earliest rows, as the contract's event time has them.
        end: Event time at which the period ends; not itself part of it.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        InputError: nothing can be learned from these rows; nothing of it stays.
        WarehouseError: the history cannot be read.
    """
    from fraudline.training.recipes.catalogue import find_recipe
    from fraudline.warehouse.history_table import read_history

    contract = project.contract
    chosen = find_recipe(recipe)
    history = read_history(project.warehouse, contract, first, end)
    source = Source(**vars(history.snapshot))
    on_progress(f"read {source.rows:,} rows of {source.table}, SHA-256 {source.sha256[:16]}…")
    from fraudline.training.train import train  # loads TensorFlow

    candidate = project.registry.new_directory()
    try:
        train(
            history.rows,
            contract,
            chosen,
            candidate,
            source=source,
            test_share=test_share,
            seed=seed,
            costs=project.settings.policy,
            on_progress=on_progress,
        )
        return project.registry.add(candidate)
    finally:
        shutil.rmtree(candidate, ignore_errors=True)
