"""`train`, `models`: from history to the version that scores."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from fraudline.bundle import Manifest, Part, Source
from fraudline.cli.project import Project
from fraudline.cli.screen import OUT, say, show_table

models = typer.Typer(help="Versions of the model: list, show, promote.", no_args_is_help=True)


def train(
    recipe: Annotated[
        str, typer.Option(help="default: ours. tutorial: SMOTE and the tutorial's network.")
    ] = "default",
    first: Annotated[
        str | None,
        typer.Option("--from", help="Event time of the earliest rows to train on."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", help="Event time at which the period ends; not itself part of it."),
    ] = None,
    test_share: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="Share of the rows that is kept to judge the model by."),
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Same seed and same rows give the same model.")] = 0,
    is_promoted: Annotated[
        bool, typer.Option("--promote", help="Make the new version the champion.")
    ] = False,
) -> None:
    """Train a model on the history in BigQuery, judge it, and keep it as a version.

    The whole history, or a period of it: times as the contract's event time has them, a
    number or such as 2026-01-31.
    """
    project = Project()
    manifest = train_version(project, recipe, test_share, seed, first, end)
    show_manifest(manifest)
    say(f"Its report: {project.registry.path(manifest.version) / 'report.html'}")
    if is_promoted:
        promote(manifest.version)
    else:
        say(f"To score with it: fraudline models promote {manifest.version}")


def train_version(
    project: Project,
    recipe: str,
    test_share: float,
    seed: int,
    first: str | None = None,
    end: str | None = None,
) -> Manifest:
    """Train on the history of a period, the whole table without one, and register the result."""
    from fraudline.training.recipes.catalogue import find_recipe
    from fraudline.warehouse.history import read_history

    contract = project.contract
    chosen = find_recipe(recipe)
    history = read_history(project.warehouse, contract, first, end)
    source = Source(**vars(history.snapshot))
    say(f"read {source.rows:,} rows of {source.table}, SHA-256 {source.sha256[:16]}…")
    from fraudline.training.train import train as fit  # loads TensorFlow

    candidate = project.registry.new_directory()
    try:
        fit(
            history.rows,
            contract,
            chosen,
            candidate,
            source=source,
            test_share=test_share,
            seed=seed,
            on_progress=say,
        )
        return project.registry.add(candidate)
    finally:
        shutil.rmtree(candidate, ignore_errors=True)


@models.command("list")
def list_versions() -> None:
    """List the versions, oldest first; * marks the champion."""
    registry = Project().registry
    versions = registry.versions()
    champion = registry.champion() if registry.has_champion() else None
    show_table(
        ("", "version", "made", "average precision"),
        (
            (
                "*" if manifest.version == champion else "",
                manifest.version,
                f"{manifest.created_at:%Y-%m-%d}",
                _judged(manifest),
            )
            for manifest in versions
        ),
    )
    if not versions:
        say("There is none yet: `fraudline train --promote` makes the first.")


@models.command()
def show(
    version: Annotated[str, typer.Argument(help="A version, as `models list` names it.")],
) -> None:
    """Show what a version says of itself."""
    from fraudline.bundle.bundle import read_manifest

    path = Project().registry.path(version)
    show_manifest(read_manifest(path))
    OUT.print(f"directory  {path}", markup=False)


@models.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version, as `models list` names it.")],
) -> None:
    """Make a version the champion. Scorers that start from now on use it."""
    from fraudline.bundle import open_bundle

    project = Project()
    open_bundle(project.registry.path(version), project.contract)  # a broken one is refused here
    project.registry.promote(version)
    say(f"champion: {version}")


def show_manifest(manifest: Manifest) -> None:
    """Print what a version says of itself."""
    for name, value in (
        ("version", manifest.version),
        ("recipe", manifest.recipe),
        ("contract", f"{manifest.contract} {manifest.contract_fingerprint[:16]}…"),
        ("source", f"{manifest.source.rows:,} rows of {manifest.source.table}"),
        ("read", f"{manifest.source.read_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("query", manifest.source.query),
        ("rows", f"SHA-256 {manifest.source.sha256}"),
        ("threshold", f"{manifest.threshold:.4g} ({manifest.threshold_rule})"),
        ("made", f"{manifest.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("made with", ", ".join(f"{name} {number}" for name, number in manifest.software.items())),
    ):
        OUT.print(f"{name:<10} {value}", markup=False)
    parts = manifest.parts.values()
    measures = sorted({name for part in parts for name in part.metrics})
    show_table(
        ("", *manifest.parts),
        [
            ("rows", *(part.rows for part in parts)),
            ("frauds", *(part.frauds for part in parts)),
            ("first event", *(part.first_event for part in parts)),
            ("last event", *(part.last_event for part in parts)),
            *(
                (measure.replace("_", " "), *(_rounded(part, measure) for part in parts))
                for measure in measures
            ),
        ],
    )


def _rounded(part: Part, measure: str) -> str:
    value = part.metrics.get(measure)
    if value is None:
        return ""
    return f"{value:,.0f}" if value.is_integer() and value > 1 else f"{value:,.4f}"


def _judged(manifest: Manifest) -> str:
    for name in ("test", "validation"):
        part = manifest.parts.get(name)
        if part is not None and "average_precision" in part.metrics:
            return f"{part.metrics['average_precision']:.3f} on {name}"
    return ""


COMMANDS = (train,)
