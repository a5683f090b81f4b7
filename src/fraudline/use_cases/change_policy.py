"""Another policy for a model that was trained already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from fraudline.bundle.bundle_files import read_manifest
from fraudline.bundle.manifest import Manifest
from fraudline.bundle.policy import Policy
from fraudline.errors import InputError
from fraudline.registry import Signature
from fraudline.use_cases.project import Project
from fraudline.use_cases.record_version import record_if_possible


@dataclass(frozen=True)
class Changed:
    """The version that was made.

    Attributes:
        manifest: What it says of itself.
        warning: Why it could not be recorded in MLflow; None if it was.
    """

    manifest: Manifest
    warning: str | None


def change_policy(
    project: Project,
    version: str,
    changes: Mapping[str, float | str],
    *,
    by_costs: bool = False,
    by: str | None = None,
    reason: str = "",
) -> Changed:
    """Make a new version with the same model and another policy.

    The version it is made from stays as it is. Reviews are counted anew on the rows that
    validated the model.

    Args:
        project: Whose registry.
        version: The version that it is made from.
        changes: Fields of `Policy` by name; what is not given stays.
        by_costs: Whether to drop the scores that a person has set.
        by: Who does it; the account that runs this, without one. Both are kept.
        reason: Why, in words.

    Raises:
        InputError: there is no such version, that is no policy, it is the same one, or it
            cannot keep its cap of reviews.
        BundleError: the version was altered.
    """
    from fraudline.training.policy_pages import with_policy  # brings what draws its page

    if project.contract.amount is None and changes.get("lost_share"):
        raise InputError(
            f"contract '{project.contract.name}' has no amount, so no share of one can be lost. "
            "Give --fraud-cost, which is what a missed fraud costs."
        )
    registry = project.registry
    source = registry.path(version)
    dropped = {"review_from": None, "block_from": None} if by_costs else {}
    before = msgspec.structs.asdict(read_manifest(source).policy)
    if before["above_review_cap"] is msgspec.UNSET:  # made before there was a choice
        before["above_review_cap"] = project.settings.policy.above_review_cap
    before["explore_share"] = before["explore_share"] or 0.0  # versions of before have none
    fields = before | dropped | dict(changes)
    try:
        wanted = msgspec.convert(fields, Policy)
    except msgspec.ValidationError as error:
        raise InputError(f"that is no policy: {error}. Give another number.") from None
    candidate = registry.new_directory()
    try:
        with_policy(source, candidate, wanted)
        manifest = registry.add(candidate)
    finally:
        registry.discard(candidate)
    after = msgspec.structs.asdict(manifest.policy)
    after["explore_share"] = manifest.policy.explored_share
    changed = {name: (before[name], after[name]) for name in after if after[name] != before[name]}
    signature = Signature.of_this_process(by, reason)
    registry.record_policy(manifest.version, version, changed, signature)
    return Changed(manifest, record_if_possible(project, manifest.version))
