"""The versions of the model, and what each says of itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from fraudline.bundle.bundle_files import DECISIONS_FILE, REPORT_FILE, read_manifest
from fraudline.bundle.manifest import Manifest
from fraudline.errors import InputError
from fraudline.registry import Challenger, Change, Rollout
from fraudline.use_cases.project import Project


@dataclass(frozen=True)
class Versions:
    """The versions of a project.

    Attributes:
        manifests: What each says of itself, oldest first.
        champions: When the champion of each contract became it, by its version.
        challengers: What was made a challenger of any contract's champion, and is one.
        rollouts: What decides a share of any contract's transactions.
    """

    manifests: list[Manifest]
    champions: dict[str, dt.datetime]
    challengers: list[Challenger]
    rollouts: list[Rollout]


@dataclass(frozen=True)
class Pages:
    """Where a version's pages are.

    Attributes:
        report: How it was trained and judged.
        decisions: Its policy, and what it is worth in money.
    """

    report: Path
    decisions: Path


def list_versions(project: Project, contract: str | None = None) -> Versions:
    """Every version; one that is broken is named in the log and left out.

    Args:
        project: Whose registry.
        contract: Those of which contract; None: of whatever one.

    Raises:
        BundleError: a file that names a champion was altered.
    """
    registry = project.registry

    def is_wanted(version: str) -> bool:
        return contract is None or version.partition("-")[0] == contract

    return Versions(
        [each for each in registry.versions() if is_wanted(each.version)],
        {each.version: each.at for each in registry.champions() if is_wanted(each.version)},
        [each for each in registry.challengers() if each.ended is None and is_wanted(each.version)],
        [each for each in registry.all_rollouts() if is_wanted(each.version)],
    )


def list_changes(project: Project) -> list[Change]:
    """Every change of the contract's champion, policies, challengers and rule of labels, and why.

    Raises:
        BundleError: the file of its champions was altered.
    """
    return project.registry.changes()


def show_version(project: Project, version: str) -> Manifest:
    """What a version says of itself.

    Raises:
        InputError: there is no such version.
        BundleError: its manifest was altered.
    """
    return read_manifest(project.registry.path(version))


def find_pages(project: Project, version: str | None = None) -> Pages:
    """The pages of a version, or of the contract's champion.

    Raises:
        InputError: there is no such version, or its report is missing.
        BundleError: no version was named, and none is the champion.
    """
    registry = project.registry
    directory = registry.path(version or registry.champion()).absolute()
    page = directory / REPORT_FILE
    if not page.is_file():
        raise InputError(f"{page} is missing: the version was altered. Restore it or train anew.")
    return Pages(page, directory / DECISIONS_FILE)
