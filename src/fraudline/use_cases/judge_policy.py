"""What a version's policy does to the payments that judge it."""

from __future__ import annotations

import pyarrow.parquet as pq

from fraudline.bundle.bundle_files import SCORES_FILE, check_bundle
from fraudline.measures.policy_effect import PolicyEffect, measure_effect
from fraudline.measures.scored_rows import judging_rows
from fraudline.use_cases.project import Project


def judge_policy(project: Project, version: str) -> PolicyEffect | None:
    """What the policy of a version does; None where the version keeps no scored rows.

    Raises:
        InputError: there is no such version.
        BundleError: it was altered, so its figures would be of nothing that was measured.
    """
    directory = project.registry.path(version)
    manifest = check_bundle(directory)
    scores = directory / SCORES_FILE
    if not scores.is_file():
        return None
    return measure_effect(manifest.policy, judging_rows(pq.read_table(scores)))
