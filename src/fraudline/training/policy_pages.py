"""The decisions of a version: its policy chosen, judged in money, and changed by a person."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fraudline.bundle.bundle_files import (
    DECISIONS_FILE,
    MANIFEST_FILE,
    REPORT_FILE,
    SCORES_FILE,
    check_bundle,
    write_manifest,
)
from fraudline.bundle.manifest import FORMAT, Manifest
from fraudline.bundle.policy import NEVER, Policy, score_text
from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Labels
from fraudline.errors import InputError
from fraudline.measures.bootstrap import RESAMPLES
from fraudline.measures.drawn_rows import times
from fraudline.measures.policy_effect import (
    PolicyEffect,
    measure_effect,
    money,
    number,
    percent,
)
from fraudline.measures.scored_rows import (
    DRAWN_SHARE,
    ONE_IN,
    TEST,
    UNLABELLED,
    VALIDATION,
    judging_rows,
    part_of,
)
from fraudline.measures.segments import NULL, measure_segments
from fraudline.measures.worth import Saving
from fraudline.settings import PolicySettings
from fraudline.training.pages import PAGES
from fraudline.training.policy_choice import best_threshold, compare, within_cap
from fraudline.training.segment_rows import segments_of
from fraudline.training.split import Split

# What a report of an earlier release says of the policy of its own version.
_APPROVES_ALL = "<p>The policy approves every payment of"
_APPROVED_ALL = "<p>The policy that it was trained with approves every payment of"
_SECTION = re.compile(r'<section id="policy">.*?</section>', re.DOTALL)


def scored_rows(
    history: pa.Table,
    contract: Contract,
    split: Split,
    labels: Labels,
    scores: Floats,
    amounts: Floats,
    one_in: int = 1,
) -> pa.Table:
    """What a policy is chosen and judged by: the validation and test rows, scored.

    Returns:
        Columns `part`, `event_s` (in seconds, from where the contract counts), `score`,
        `amount` and `label`, and levels of up to three categories. In the schema are, of a
        random split, the share that was drawn, and of a history of which one in so many
        legitimate rows was drawn, `one_in`.
    """
    often = times(labels, one_in)
    event_s = contract.event_seconds(history, np.cumsum(often) - often)
    parts = {name: rows for name, rows in split.parts.items() if name in (VALIDATION, TEST)}
    rows = np.concatenate(list(parts.values()))
    scored = pa.table(
        {
            "part": np.repeat(list(parts), [len(each) for each in parts.values()]),
            "event_s": event_s[rows],
            "score": scores[rows],
            "amount": amounts[rows],
            "label": labels[rows],
        }
        | segments_of(
            *(history, contract, labels, rows),
            known=np.concatenate([split.train, split.validation]),
        )
    )
    metadata = {}
    if split.is_random:  # rows without a time stand for so many days as they are
        share = len(rows) / history.num_rows if contract.event_time else 1.0
        metadata[DRAWN_SHARE] = repr(share)
    if one_in > 1:
        metadata[ONE_IN] = str(one_in)
    return scored.replace_schema_metadata(metadata) if metadata else scored


def with_unlabelled(
    rows: pa.Table, contract: Contract, unlabelled: pa.Table, scores: Floats
) -> pa.Table:
    """The scored rows, and those of the validation part's time that nobody labelled.

    Args:
        rows: As `scored_rows` gives them.
        contract: What a transaction looks like.
        unlabelled: With the columns of a transaction.
        scores: Of those, shape (rows,).

    Returns:
        The same with rows of a part more, `UNLABELLED`, whose labels are 0 and say nothing.
    """
    more = {
        "part": [UNLABELLED] * unlabelled.num_rows,
        "event_s": contract.event_seconds(unlabelled),
        "score": scores,
        "amount": contract.amounts(unlabelled),
        "label": np.zeros(unlabelled.num_rows, np.int8),
    }
    # What becomes of them is told in no segment.
    for name in rows.column_names[len(more) :]:
        more[name] = [NULL] * unlabelled.num_rows
    return pa.concat_tables([rows, pa.table(more, schema=rows.schema)])


def choose_policy(
    contract: Contract, costs: PolicySettings, fixed: float | None, rows: pa.Table
) -> Policy:
    """The policy that follows from costs, or from the one threshold of a recipe.

    Args:
        contract: Has the unit of the amount, which is that of the costs; without an amount no
            share of one is lost.
        costs: What decisions cost, and the cap of reviews.
        fixed: Score from which a recipe that does not calibrate blocks; None decides by costs.
        rows: As `scored_rows` gives them.
    """
    given = costs.model_dump()
    if contract.amount is None:
        given["lost_share"] = 0.0
    policy = Policy(unit=contract.amount_unit, review_from=fixed, block_from=fixed, **given)
    return capped(policy, rows)


def with_policy(source: Path, directory: Path, policy: Policy) -> Manifest:
    """Write a version that is the same as another but for its policy.

    Args:
        source: Directory of that version.
        directory: Existing, empty; receives the new one.
        policy: What a person wants; its surcharge is chosen anew.

    Raises:
        BundleError: the other version was altered.
        InputError: its policy is the same, or this one cannot keep its cap.
    """
    manifest = check_bundle(source)
    rows = pq.read_table(source / SCORES_FILE)
    policy = capped(policy, rows)
    if policy == manifest.policy:
        raise InputError(
            f"version {manifest.version} has this policy already, so there is nothing to "
            "change. `fraudline models show` tells its policy."
        )
    for path in source.iterdir():
        if path.name not in {MANIFEST_FILE, DECISIONS_FILE}:
            shutil.copy2(path, directory / path.name)
    changed = msgspec.structs.replace(
        manifest,
        policy=policy,
        derived_from=manifest.version,
        created_at=dt.datetime.now(dt.UTC),
        files={},
        format=FORMAT,
    )
    _tell_of_policy(directory / REPORT_FILE, changed, rows)
    write_page(directory, changed, rows)
    return write_manifest(directory, changed)


def _tell_of_policy(report: Path, manifest: Manifest, rows: pa.Table) -> None:
    """Let a copied report begin with what this version's policy does, in place of another's."""
    section = PAGES.get_template("effect.html.jinja").render(
        manifest=manifest, effect=measure_effect(manifest.policy, judging_rows(rows))
    )
    page = report.read_text(encoding="utf-8")
    page = page.replace(_APPROVES_ALL, _APPROVED_ALL)
    page, found = _SECTION.subn(lambda _: section, page, count=1)
    if not found:  # written before reports had one
        page = page.replace("</h1>", f"</h1>\n{section}", 1)
    report.write_text(page, encoding="utf-8")


def write_scores(directory: Path, rows: pa.Table) -> None:
    """Write the scored rows, so that a policy can be changed without the history."""
    pq.write_table(rows, directory / SCORES_FILE, compression="zstd")


def policy_worth(directory: Path) -> list[Saving]:
    """What a version's policy costs and saves, beside other ways to decide.

    Args:
        directory: The version's.

    Raises:
        BundleError: the version was altered.
    """
    policy = check_bundle(directory).policy
    return _savings(policy, pq.read_table(directory / SCORES_FILE))


def _savings(policy: Policy, rows: pa.Table) -> list[Saving]:
    validation = part_of(rows, VALIDATION)
    threshold = best_threshold(policy, validation) if validation is not None else None
    return compare(policy, judging_rows(rows), threshold)


def write_page(directory: Path, manifest: Manifest, rows: pa.Table) -> None:
    """Write `decisions.html`: the policy in words, and what it is worth in money."""
    policy = manifest.policy
    judged = judging_rows(rows)
    effect = measure_effect(policy, judged)
    page = PAGES.get_template("decisions.html.jinja").render(
        manifest=manifest,
        policy=policy,
        effect=effect,
        resamples=RESAMPLES,
        judged_by=judged.part,
        days=judged.days,
        is_drawn=judged.is_drawn,
        has_validation=part_of(rows, VALIDATION) is not None,
        savings=_savings(policy, rows),
        bands=_bands(policy, effect),
        segments=measure_segments(policy, judged),
        percent=percent,
        money=money,
        number=number,
        score_text=score_text,
        NEVER=NEVER,
    )
    (directory / DECISIONS_FILE).write_text(page, encoding="utf-8")


def _bands(policy: Policy, effect: PolicyEffect) -> list[tuple[float, float, float, float]]:
    """Share of the payments with at most this amount, the amount, and its two thresholds.

    A policy that takes no share of the amount has one pair of thresholds, for all of them.
    """
    if not policy.lost_share:
        (not_approved,), (blocked,) = policy.thresholds(np.zeros(1))
        return [(1.0, 0.0, float(not_approved), float(blocked))]
    amounts = np.array(list(effect.amounts.values()))
    bands = zip(effect.amounts, amounts, *policy.thresholds(amounts), strict=True)
    told: dict[float, tuple[float, float, float, float]] = {}
    for share, amount, not_approved, blocked in bands:  # of equal amounts, the largest share
        told[float(amount)] = (share, float(amount), float(not_approved), float(blocked))
    return list(told.values())


def capped(policy: Policy, rows: pa.Table) -> Policy:
    """A policy that keeps its cap of reviews on the validation rows, by its surcharge.

    Args:
        policy: What is wanted.
        rows: As `scored_rows` gives them.

    Raises:
        InputError: it asks for more reviews than the cap, or reviews cannot be counted.
    """
    if not policy.explored_share:  # not set, as in versions from before there was one
        policy = msgspec.structs.replace(policy, explore_share=msgspec.UNSET)
    validation = part_of(rows, VALIDATION)
    if validation is not None:
        return within_cap(policy, validation)
    if policy.review_from is None or policy.review_from != policy.block_from:
        raise InputError(
            "this model has no validation part, so its scores are not calibrated and reviews "
            "cannot be counted in advance: it can only block from a fixed score. Give the same "
            "number as --review-from and --block-from."
        )
    return policy
