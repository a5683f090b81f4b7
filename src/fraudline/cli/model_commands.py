"""`train`, `models`: from history to the version that scores."""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from fraudline.cli import champion_commands
from fraudline.cli.champion_commands import By, Reason
from fraudline.cli.contract_option import ContractName, choose
from fraudline.cli.screen import OUT, say, show_table, utc, warn
from fraudline.cli.version_facts import judged, show_effect, show_manifest
from fraudline.training.recipes.recipe_names import RECIPE_NAMES
from fraudline.use_cases.project import Project, shared_project

models = typer.Typer(
    help="Versions of the model: list, show, challenge, promote, roll out and back, change policy.",
    no_args_is_help=True,
)


def train(
    recipe: Annotated[
        str,
        typer.Option(
            help="; ".join(f"{name}: {what}" for name, what in RECIPE_NAMES.items()) + "."
        ),
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

    It is recorded in MLflow, too, where `fraudline models ui` compares versions.

    The whole history, or a period of it: times as the contract's event time has them, a
    number or such as 2026-01-31.
    """
    from fraudline.use_cases.list_versions import find_pages
    from fraudline.use_cases.record_version import record_if_possible
    from fraudline.use_cases.train_version import train_version

    project = Project()
    manifest = train_version(
        project,
        recipe,
        test_share,
        seed,
        first=first,
        end=end,
        is_to_be_promoted=is_promoted,
        on_progress=say,
    )
    show_effect(project, manifest.version)
    show_manifest(manifest)
    say(f"Its report: {os.path.relpath(find_pages(project, manifest.version).report)}")
    if is_promoted:
        champion_commands.promote_and_tell(
            project, manifest.version, None, "by `train --promote`", is_told=True
        )
    else:
        warn(record_if_possible(project, manifest.version))
        say(f"To score with it: fraudline models promote {manifest.version}")


@models.command("list")
def list_versions(contract: ContractName = None) -> None:
    """List the versions, oldest first; * marks the champion of each contract.

    Those of every contract, or of the one that is named.
    """
    from fraudline.use_cases.list_versions import list_versions as find_versions

    if contract is not None:
        choose(contract)
    found = find_versions(shared_project(), contract)
    show_table(
        ("", "version", "made (UTC)", "recipe", "average precision"),
        (
            (
                "*" if manifest.version in found.champions else "",
                manifest.version,
                f"{manifest.created_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
                manifest.recipe,
                judged(manifest),
            )
            for manifest in found.manifests
        ),
    )
    derived = [(each.version, each.derived_from) for each in found.manifests if each.derived_from]
    if derived:
        show_table(("by `models policy`", "from"), derived)
    calibrated = [
        (each.version, each.network) for each in found.manifests if each.network != each.version
    ]
    if calibrated:
        show_table(("calibrated anew", "the network of"), calibrated)
    for version, since in found.champions.items():
        whose = f" of {version.partition('-')[0]}" if len(found.champions) > 1 else ""
        OUT.print(f"* champion{whose} since {utc(since)}", markup=False)
    for rollout in found.rollouts:
        OUT.print(f"rollout: {rollout}, {_how(rollout.widened_at, rollout.widens)}", markup=False)
    for each in found.challengers:
        OUT.print(
            f"challenger {each.version} since {utc(each.since)}, until {utc(each.until)}"
            f"{', scores live' if each.is_live else ''}",
            markup=False,
        )
    if not found.manifests:
        say("There is none yet: `fraudline train --promote` makes the first.")


@models.command()
def show(
    version: Annotated[str, typer.Argument(help="A version, as `models list` names it.")],
) -> None:
    """Show what a version's policy does, and what it says of itself."""
    from fraudline.use_cases.list_versions import show_version

    project = Project()
    show_effect(project, version)
    show_manifest(show_version(project, version))
    rollout = project.registry.rollout()
    if rollout is not None and rollout.version == version:
        OUT.print(f"rollout    {rollout}, {_how(rollout.widened_at, rollout.widens)}", markup=False)
    OUT.print(f"directory  {project.registry.path(version)}", markup=False)


def _how(widened_at: dt.datetime, widens: bool) -> str:  # noqa: FBT001 - as it is told
    return f"since {utc(widened_at)}{', and widens by itself' if widens else ''}"


for command in champion_commands.COMMANDS:
    models.command()(command)


@models.command()
def report(
    version: Annotated[
        str | None, typer.Argument(help="A version; without one, the contract's champion.")
    ] = None,
) -> None:
    """Tell where a version's report and its page on decisions are, and open the report."""
    from fraudline.use_cases.list_versions import find_pages

    pages = find_pages(Project(), version)
    OUT.print(f"report     {pages.report}", markup=False)
    OUT.print(f"decisions  {pages.decisions}", markup=False)
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        typer.launch(str(pages.report))  # where there is no browser, it does nothing


@models.command("record")
def record(
    version: Annotated[str, typer.Argument(help="A version, as `models list` names it.")],
) -> None:
    """Record a version in MLflow that is not recorded there yet.

    `train`, `models policy` and `models promote` do it by themselves, if MLflow can be reached.
    """
    from fraudline.use_cases.record_version import record_version

    record_version(Project(), version)
    say(f"recorded: {version}")


@models.command()
def add(
    directory: Annotated[Path, typer.Argument(help="A bundle's directory, as a training left it.")],
) -> None:
    """Add a bundle that lies in a directory: where `train` could not reach the registry at its end.

    One of another machine's registry may be added, too.
    """
    from fraudline.use_cases.record_version import record_if_possible

    project = Project()
    manifest = project.registry.add_copy(directory)
    show_manifest(manifest)
    warn(record_if_possible(project, manifest.version))
    say(f"added: {manifest.version}")
    say(f"To score with it: fraudline models promote {manifest.version}")


@models.command()
def ui(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Serve MLflow's page on this machine, until Ctrl-C: every version, compared.

    With an MLflow server of your own (`mlflow.tracking_uri`), tell its address.
    """
    from fraudline.cli.stop_signal import stop_on_signal
    from fraudline.settings import LOCAL
    from fraudline.tracking.mlflow_record import MlflowRecord
    from fraudline.tracking.mlflow_server import serving_mlflow

    project = Project()
    settings = project.settings
    path = MlflowRecord(settings).page(project.contract.name)
    if settings.mlflow.tracking_uri != LOCAL:
        OUT.print(f"{settings.mlflow.tracking_uri.rstrip('/')}{path}", markup=False)
        return
    with stop_on_signal() as stop, serving_mlflow(settings, port) as page:
        say("starting MLflow's page")
        if page.wait_until_served(stop):
            OUT.print(f"{page.address}{path}", markup=False)
            say("stop it with Ctrl-C")
            page.wait_until(stop)


@models.command()
def policy(
    version: Annotated[str, typer.Argument(help="A version, as `models list` names it.")],
    lost_share: Annotated[
        float | None, typer.Option(help="Share of the amount lost with an approved fraud.")
    ] = None,
    fraud_cost: Annotated[
        float | None, typer.Option(help="What an approved fraud costs besides.")
    ] = None,
    review_cost: Annotated[float | None, typer.Option(help="What one review costs.")] = None,
    wrong_block_cost: Annotated[
        float | None, typer.Option(help="What it costs to block a legitimate payment.")
    ] = None,
    most_reviews_a_day: Annotated[
        float | None, typer.Option(help="How many reviews there may be a day, in the mean.")
    ] = None,
    above_review_cap: Annotated[
        str | None,
        typer.Option(help="What is done above that cap: approve or block."),
    ] = None,
    explore_share: Annotated[
        float | None,
        typer.Option(
            help="Share, 0 to 1, of what would be blocked that is reviewed instead, so that people "
            "label it; 0 is none."
        ),
    ] = None,
    review_from: Annotated[
        float | None, typer.Option(help="Approve nothing from this score, whatever the costs say.")
    ] = None,
    block_from: Annotated[
        float | None,
        typer.Option(help="Block from this score, whatever the costs say; 1 never blocks."),
    ] = None,
    by_costs: Annotated[
        bool, typer.Option("--by-costs", help="Drop the scores that a person has set.")
    ] = False,
    by: By = None,
    reason: Reason = "",
) -> None:
    """Make a new version with the same model and another policy; what is not given stays.

    Costs are in the unit of the contract's amount. Reviews are counted anew on the rows that
    validated the model. The version it is made from stays as it is.
    """
    from fraudline.use_cases.change_policy import change_policy
    from fraudline.use_cases.list_versions import find_pages

    project = Project()
    given: dict[str, float | str | None] = {
        "lost_share": lost_share,
        "fraud_cost": fraud_cost,
        "review_cost": review_cost,
        "wrong_block_cost": wrong_block_cost,
        "most_reviews_a_day": most_reviews_a_day,
        "above_review_cap": above_review_cap,
        "explore_share": explore_share,
        "review_from": review_from,
        "block_from": block_from,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    made = change_policy(project, version, wanted, by_costs=by_costs, by=by, reason=reason)
    warn(made.warning)
    show_effect(project, made.manifest.version)
    show_manifest(made.manifest)
    page = find_pages(project, made.manifest.version).decisions
    say(f"What it is worth: {os.path.relpath(page)}")
    say(f"To decide by it: fraudline models promote {made.manifest.version}")


COMMANDS = (train,)
