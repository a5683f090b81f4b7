"""How a version is told: first what its policy does, then what it is, then what its scores are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fraudline.cli.screen import show_facts, show_table, utc
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # numpy comes with what computes, and listing versions needs none
    from fraudline.bundle.manifest import Manifest, Part
    from fraudline.bundle.policy import Policy

NO_REFERENCE = (
    "nothing, so no change of the stream can raise an alarm: an earlier fraudline made it. Train "
    "anew."
)


def show_effect(project: Project, version: str) -> None:
    """Print what a version's policy does to the payments that judge it."""
    from fraudline.use_cases.judge_policy import judge_policy

    effect = judge_policy(project, version)
    if effect is not None:
        show_facts(effect.facts())
    else:
        show_facts(
            [
                (
                    "LOOK",
                    "it keeps no scored payments, so what its policy does is unknown. Train anew.",
                )
            ]
        )


def show_manifest(manifest: Manifest) -> None:
    """Print what a version says of itself."""
    from fraudline.bundle.policy import score_text
    from fraudline.measures.evaluation import AT_THRESHOLD

    facts = (
        ("version", manifest.version),
        ("recipe", manifest.recipe),
        ("beside trees", manifest.trees or _no_trees(manifest)),
        ("contract", f"{manifest.contract} {manifest.contract_fingerprint[:16]}…"),
        ("source", str(manifest.source)),
        ("read", utc(manifest.source.read_at)),
        ("query", manifest.source.query),
        ("rows", f"SHA-256 {manifest.source.sha256}"),
        ("policy", _in_words(manifest.policy)),
        ("watched by", manifest.reference or NO_REFERENCE),
        ("derived", _derived(manifest)),
        (
            "threshold",
            f"{score_text(manifest.threshold)}, for figures alone ({manifest.threshold_rule})",
        ),
        ("made", utc(manifest.created_at)),
        ("made with", ", ".join(f"{name} {number}" for name, number in manifest.software.items())),
    )
    show_facts(facts)
    parts = manifest.parts.values()
    show_facts(
        (name, f"from {part.first_event} to {part.last_event}")
        for name, part in manifest.parts.items()
    )
    measures = sorted({name for part in parts for name in part.metrics})
    show_table(
        ("scores", *manifest.parts),
        [
            ("rows", *(f"{part.rows:,}" for part in parts)),
            ("frauds", *(f"{part.frauds:,}" for part in parts)),
            *_figures(manifest, [name for name in measures if name not in AT_THRESHOLD]),
        ],
    )
    if at_threshold := [name for name in AT_THRESHOLD if name in measures]:
        show_table(
            (f"at score {score_text(manifest.threshold)}", *manifest.parts),
            _figures(manifest, at_threshold),
            title="At a threshold that decides nothing:",
        )


def _derived(manifest: Manifest) -> str:
    if manifest.derived_from:
        return f"from {manifest.derived_from}"
    if manifest.calibrated:
        of = manifest.calibrated
        return (
            f"from {of.of}, whose network it has, calibrated anew: log-odds are {of.slope:.4g} "
            f"times the network's, {of.intercept:+.4g}"
            + (f"; money is divided by {of.unit:.4g} before it" if of.unit else "")
        )
    return "by training"


def _no_trees(manifest: Manifest) -> str:
    if manifest.is_anew:
        return "not compared, as `learn` trained it anew; `fraudline train` compares"
    if manifest.learned:
        return f"not compared, as it goes on from {manifest.learned.parent}"
    return "not compared: LightGBM was not there. `pip install 'fraudline[trees]'`; train anew"


def _figures(manifest: Manifest, measures: list[str]) -> list[tuple[str, ...]]:
    return [
        (name.replace("_", " "), *(_rounded(part, name) for part in manifest.parts.values()))
        for name in measures
    ]


def _rounded(part: Part, measure: str) -> str:
    from fraudline.measures.evaluation import COUNTS
    from fraudline.measures.policy_effect import money

    value = part.metrics.get(measure)
    if value is None:
        return ""
    if measure in COUNTS:
        return f"{value:,.0f}"
    if measure.startswith("amount"):
        return money(value)
    # A calibration error of a few in ten thousand would be one digit.
    return f"{value:.4f}" if value >= 0.01 else f"{value:.3g}"


def judged(manifest: Manifest) -> str:
    """Average precision, and on which part it was measured."""
    for name in ("test", "validation"):
        part = manifest.parts.get(name)
        if part is not None and "average_precision" in part.metrics:
            return f"{part.metrics['average_precision']:.3f} {name}"
    return ""


def _in_words(policy: Policy) -> str:
    from fraudline.contract.number_words import number_words
    from fraudline.measures.policy_effect import number

    unit = f" {policy.unit}" if policy.unit else ""
    fixed = policy.fixed_in_words
    above = {"approve": "approved", "block": "blocked"}.get(
        policy.above_review_cap or "", "approved or blocked, whichever costs less"
    )
    share = policy.explored_share
    explored = (
        f"; {100 * share:g} % of what would be blocked is reviewed instead, so that people label it"
    )
    lost = f"{100 * policy.lost_share:g} % of its amount and " if policy.lost_share else ""
    return (
        f"{fixed + '; ' if fixed else ''}an approved fraud costs "
        f"{lost}{number_words(policy.fraud_cost)}{unit}{'' if lost else ' whatever it is worth'}, "
        f"a review {number_words(policy.review_cost)}{unit}, a wrong block "
        f"{number_words(policy.wrong_block_cost)}{unit}; "
        f"{number(policy.reviews_a_day)} reviews a day on validation of at most "
        f"{number(policy.most_reviews_a_day)}, above which payments are {above}"
        f"{explored if share else ''}"
    )
