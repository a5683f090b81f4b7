"""A new version of what became known of the stream, from the newest one on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fraudline.bundle.manifest import RETRAINING, Learned, Manifest, Source
from fraudline.contract import Contract
from fraudline.errors import BundleError, InputError
from fraudline.measures.policy_effect import counted
from fraudline.registry import Removal
from fraudline.settings import LearningSettings
from fraudline.training.keras_file import MODEL_FILE
from fraudline.training.recipes.recipe_names import FORESTS, RECIPE_NAMES
from fraudline.use_cases.champion_line import champions_line
from fraudline.use_cases.project import Project
from fraudline.warehouse.known_payments import Known
from fraudline.warehouse.known_rows import LEAST_FRAUDS, TooFew, read_known

LEGITIMATE_PER_FRAUD = 80
MIN_FRAUDS = 6  # what a recipe needs that invents others between them


@dataclass(frozen=True)
class Updated:
    """What was made.

    Attributes:
        version: The version; None if none was made.
        parent: The version that it goes on from.
        rows: How many rows it learned.
        frauds: How many of them are frauds.
        told: What was made, or why nothing was, a sentence without its full stop.
    """

    version: str | None
    parent: str
    rows: int
    frauds: int
    told: str


def update_version(
    project: Project, as_of: dt.datetime, on_progress: Callable[[str], None] = lambda _: None
) -> Updated:
    """Make the next version of the champion's line, of what was known at a moment.

    The same moment gives the same version, so whoever is killed does it again. What it reads does
    not grow with the stream.

    Args:
        project: Whose champion, decisions, labels, history and settings.
        as_of: The moment; no label that arrived later is seen.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        InputError: learning is switched off, or nothing can be learned from these rows.
        BundleError: there is no champion, or it cannot go on learning.
        WarehouseError: the tables cannot be queried.
    """
    registry, contract = project.registry, project.contract
    if project.settings.learning.update == "off":
        raise InputError("learning.update is off. Set it to fine-tuning or last-layer.")
    manifests, removed = registry.versions(), registry.removals.all(contract.name)
    network, since = registry.networks.of(registry.champion()), registry.networks.since()
    line = champions_line(manifests, network, since=since, before=as_of, removed=removed)
    require_learnable(line.newest, contract)
    done = _went_on(project, line.newest, (manifests, removed), as_of, on_progress)
    return replace(done, told=f"{done.told}; {line.gap}") if line.gap else done


def _went_on(
    project: Project,
    parent: Manifest,
    all_versions: tuple[Sequence[Manifest], Sequence[Removal]],
    as_of: dt.datetime,
    on_progress: Callable[[str], None],
) -> Updated:
    """What was made from a version on, if anything was."""
    settings, contract = project.settings.learning, project.contract
    known = read_known(
        project.warehouse,
        contract,
        as_of=as_of,
        most_frauds=settings.memory_frauds,
        legitimate_per_fraud=LEGITIMATE_PER_FRAUD,
    )
    if isinstance(known, TooFew):
        return Updated(None, parent.version, 0, 0, too_few(known.mature_frauds))
    labels = contract.labels(known.rows)
    others = int(((labels == 1) & known.is_before).sum())
    if others < MIN_FRAUDS:
        told = (
            f"nothing was learned: {counted(others, 'fraud')} from before the newest, which "
            f"judge; at least {MIN_FRAUDS} are needed"
        )
        return Updated(None, parent.version, 0, 0, told)
    is_new = (known.known_s > _known_to(parent)) & (labels == 1) & np.isfinite(known.known_s)
    if not is_new.any():
        told = f"nothing was learned: no fraud became known since {parent.version} was made"
        return Updated(None, parent.version, 0, 0, told)
    earlier, kind = _not_learned(*all_versions, parent, known)
    made = learn_known(project, known, parent, earlier, as_of, settings.update, on_progress)
    assert isinstance(made.learned, Learned)
    figures = made.parts["validation"]
    told = (
        f"made {made.version}, from {counted(made.learned.rows, 'row')} with "
        f"{counted(made.learned.frauds, 'fraud')}, {int(is_new.sum()):,} of them new; average "
        f"precision {figures.metrics['average_precision']:.3f} on "
        f"{counted(figures.frauds, 'fraud')} before it learned them"
    )
    told += of_never_labelled(made.learned) + kind
    return Updated(made.version, parent.version, made.learned.rows, made.learned.frauds, told)


def of_never_labelled(learned: Learned) -> str:
    """What was made of payments that nobody labelled, and what would let more be made of them."""
    if not learned.hidden:
        return ""
    by_share, explored = learned.by_share or 0, learned.explored or 0
    left = learned.hidden - by_share
    told = []
    if by_share:
        told.append(
            f"{counted(by_share, 'blocked payment')} without a label learned by the share of "
            f"frauds among those of {counted(explored, 'reviewed one')} that are most like them"
        )
    if left:
        told.append(f"{counted(left, 'blocked payment')} without a label left out")
    if not by_share:
        told.append(
            f"of those reviewed in place of being blocked {explored:,} have a label, too few to "
            "learn the others by (policy.explore_share)"
        )
    return "; " + "; ".join(told)


def require_learnable(version: Manifest, contract: Contract, *, is_anew: bool = False) -> None:
    """Refuse what cannot go on learning before TensorFlow is loaded, which takes seconds.

    Args:
        version: The version.
        contract: What transactions look like now.
        is_anew: Whether its recipe is to begin from the start, for which its network need not
            be kept.

    Raises:
        InputError: it is for another contract.
        BundleError: nobody knows how it learned, or its network is not kept.
    """
    if version.contract_fingerprint != contract.fingerprint:
        raise InputError(
            f"version {version.version} was made for contract '{version.contract}' with "
            f"fingerprint {version.contract_fingerprint[:16]}…, but '{contract.name}' has "
            f"{contract.fingerprint[:16]}…. Train anew, and promote that."
        )
    fault = ""
    if version.recipe not in RECIPE_NAMES:
        fault = f"recipe '{version.recipe}', of which this fraudline knows no way to learn"
    elif version.recipe in FORESTS and not is_anew:
        raise BundleError(
            f"version {version.version} is of recipe '{version.recipe}': its trees do not go on "
            "learning, they are fitted from the start. `fraudline learning retrain` does that on "
            "what is known, and makes the result a challenger; calibrating anew works as ever."
        )
    elif MODEL_FILE not in version.files and version.recipe not in FORESTS:
        fault = f"no {MODEL_FILE}"
    if fault:
        raise BundleError(
            f"version {version.version} has {fault}, so nothing can go on learning from it. "
            "`fraudline train` makes a version that can; promote that."
        )


def too_few(mature_frauds: int) -> str:
    """Why nothing is learned of a stream that has so few frauds."""
    return (
        f"nothing was learned: {counted(mature_frauds, 'mature fraud')} of the stream, at least "
        f"{LEAST_FRAUDS} are needed to judge by"
    )


def learn_known(
    project: Project,
    known: Known,
    parent: Manifest,
    earlier: Manifest,
    as_of: dt.datetime,
    road: str,
    on_progress: Callable[[str], None],
) -> Manifest:
    """Learn known rows by a road, and register what comes of it.

    Args:
        project: Whose contract, settings and registry.
        known: The rows.
        parent: The version that it goes on from, or that is trained anew.
        earlier: The one of before that has not learned the rows that judge.
        as_of: The moment as of which they are known.
        road: As in `Learned`.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        BundleError: a version is altered, or cannot go on learning.
        InputError: nothing can be learned or judged from these rows.
    """
    from fraudline.training.anew import Anew
    from fraudline.training.learned import (  # loads TensorFlow
        HiddenRows,
        KnownRows,
        Road,
        learn_on,
    )
    from fraudline.training.recipes.all_recipes import as_set, find_recipe
    from fraudline.training.soft_labels import LEAST_EXPLORED

    settings, registry = project.settings.learning, project.registry
    way: Road | Anew = Road(road, settings.update_rate, settings.update_averaging)
    if road == RETRAINING:
        recipe = find_recipe(parent.recipe)
        way = Anew(as_set(recipe, project.settings.training, on_progress))
    never, explored = known.never_labelled, int(known.is_explored.sum())
    by_share = int(never.is_learned.sum()) if explored >= LEAST_EXPLORED else 0
    frauds = project.contract.labels(known.rows)[known.is_learned]
    learned = Learned(
        parent=parent.version,
        road=road,
        as_of=as_of,
        since=known.since,
        until=known.until,
        rows=int(known.is_learned.sum()),
        frauds=int(frauds.sum()),
        of_history=known.of_history,
        hidden=known.hidden,
        by_share=by_share,
        explored=explored,
        settings=_counting(settings, road),
    )
    source = Source(
        known.table, known.query, dt.datetime.now(dt.UTC), known.rows.num_rows, known.sha256
    )
    candidate = registry.new_directory()
    try:
        learn_on(
            KnownRows(
                known.rows,
                known.is_learned,
                known.is_judged,
                known.is_before,
                known.is_explored,
                known.known_s,
                known.judged_since.timestamp(),
                known.drawn_share,
                HiddenRows(**vars(never)),
            ),
            project.contract,
            registry.path(parent.version),
            registry.path(earlier.version),
            candidate,
            way,
            source=source,
            learned=learned,
            on_progress=on_progress,
        )
        return registry.add(candidate)
    finally:
        registry.discard(candidate)


def _counting(settings: LearningSettings, road: str) -> dict[str, float]:
    """The settings that make a difference to what a version learns by its road."""
    if road == RETRAINING:
        return {}
    counting = {"memory_frauds": float(settings.memory_frauds)}
    if road == "fine-tuning":
        counting |= {
            "update_rate": settings.update_rate,
            "update_averaging": settings.update_averaging,
        }
    return counting


def _not_learned(
    manifests: Sequence[Manifest], removed: Sequence[Removal], parent: Manifest, known: Known
) -> tuple[Manifest, str]:
    """The youngest version before the parent that has not learned the rows that judge.

    Where that one was removed it is one before it, which has learned less: figures are then a
    little too strict. Where nobody knows which one it was, they are too kind, which is told.
    """
    by_name = {each.version: each for each in manifests}
    parents = {each.version: each.parent for each in removed}
    at = parent
    while at.learned and at.learned.until >= known.judged_since:
        if at.calibrated and at.calibrated.unit:
            break  # the one before it takes money in another unit: no relative to be judged by
        before = at.learned.parent
        while before not in by_name and before in parents:
            before = parents[before]
        if before not in by_name:
            return at, (
                f"; LOOK: its figures are too kind: they stand on {at.version}, which has learned "
                f"some of these frauds, as its parent {before} is broken or not in this registry"
            )
        at = by_name[before]
    return at, ""


def _known_to(version: Manifest) -> float:
    """Until when a version knows the stream, seconds since 1970."""
    return version.learned.as_of.timestamp() if version.learned else -np.inf
