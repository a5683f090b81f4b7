"""A version of the registry, opened to score: by the name that its decisions will carry."""

from __future__ import annotations

from fraudline.bundle.bundle import Bundle, open_bundle
from fraudline.errors import BundleError
from fraudline.use_cases.project import Project


def open_version(project: Project, version: str) -> Bundle:
    """Open a version for the project's contract.

    Raises:
        InputError: there is no such version.
        BundleError: it is broken, for another contract, or another version than its directory
            is named for, so that decisions would name a version that nobody promoted.
    """
    directory = project.registry.path(version)
    bundle = open_bundle(directory, project.contract)
    if bundle.manifest.version != version:
        raise BundleError(
            f"{directory} holds version {bundle.manifest.version}, and its decisions would say so. "
            "A version's directory has its name: rename it back, or restore what was there."
        )
    return bundle
