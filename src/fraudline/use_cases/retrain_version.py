"""A new network of all that is known: by the code of `train`, and made a challenger at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from fraudline.bundle.manifest import RETRAINING, Learned, Manifest
from fraudline.errors import BundleError
from fraudline.measures.policy_effect import counted
from fraudline.use_cases.champion import challenge
from fraudline.use_cases.project import Project
from fraudline.use_cases.update_version import (
    Updated,
    learn_known,
    of_never_labelled,
    require_learnable,
    too_few,
)
from fraudline.warehouse.known_rows import TooFew, read_known

MOST_FRAUDS = 5_000
LEGITIMATE_PER_FRAUD = 200
"""Together they bound what is read: about a million rows, and what judges."""


def retrain_version(
    project: Project,
    as_of: dt.datetime,
    reason: str,
    by: str | None = None,
    *,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Updated:
    """Train by the champion's recipe on what is known at a moment, and make that a challenger.

    The labelled history and the stream's known payments, from the newest frauds back: the window
    grows until there are `MOST_FRAUDS`. The same moment gives the same version, so whoever is
    killed does it again; one that challenges already goes on with its challenge.

    Args:
        project: Whose champion, decisions, labels, history, settings and registry.
        as_of: The moment; no label that arrived later is seen.
        reason: Why, for the list of changes.
        by: Who wants it; the account that runs this, without one.
        on_progress: Called with a sentence for a person who waits.

    Returns:
        The version that was made; its parent is the champion.

    Raises:
        InputError: nothing can be learned from these rows, or the contract is another one.
        BundleError: there is no champion, or it does not say how to train like it.
        WarehouseError: the tables cannot be queried.
        RegistryError: the registry's object store cannot be reached.
    """
    champion = _champion(project)
    on_progress("reading what is known")
    known = read_known(
        project.warehouse,
        project.contract,
        as_of=as_of,
        most_frauds=MOST_FRAUDS,
        legitimate_per_fraud=LEGITIMATE_PER_FRAUD,
    )
    if isinstance(known, TooFew):
        return Updated(None, champion.version, 0, 0, too_few(known.mature_frauds))
    made = learn_known(project, known, champion, champion, as_of, RETRAINING, on_progress)
    learned = made.learned
    assert isinstance(learned, Learned)
    standing = {each.version for each in project.registry.challengers() if each.ended is None}
    if made.version not in standing:
        challenge(project, made.version, by=by, reason=reason)
    figures = made.parts["validation"]
    told = (
        f"trained {made.version} anew on {counted(learned.rows, 'row')} with "
        f"{counted(learned.frauds, 'fraud')}, {learned.of_history:,} rows of the history; "
        f"average precision {figures.metrics['average_precision']:.3f} on "
        f"{counted(figures.frauds, 'fraud')} before it learned them; it challenges "
        f"{champion.version}"
    )
    told += of_never_labelled(learned)
    return Updated(made.version, champion.version, learned.rows, learned.frauds, told)


def _champion(project: Project) -> Manifest:
    """What the champion says of itself; refused where it does not say how to train like it."""
    name = project.registry.champion()
    found = [each for each in project.registry.versions() if each.version == name]
    if not found:
        raise BundleError(
            f"the champion {name} is broken or not in this registry, so nothing says by which "
            "recipe to train anew. `fraudline models list` shows the versions that are."
        )
    require_learnable(found[0], project.contract, is_anew=True)
    return found[0]
