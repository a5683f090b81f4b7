"""What is written of a network that was fitted: a bundle that scores, judged, with its report.

The same for whatever was fitted, from the start or from another version on.
"""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from fraudline.bundle.bundle_files import GRAPH_FILE, METRICS_FILE, REASONS_FILE, write_manifest
from fraudline.bundle.manifest import Learned, Manifest, Part, Source
from fraudline.bundle.policy import Policy
from fraudline.contract import APPROVED, Contract
from fraudline.contract.array_types import Flags, Floats, Labels, Matrix
from fraudline.measures.drawn_rows import repeated
from fraudline.measures.evaluation import Evaluation, evaluate
from fraudline.measures.policy_effect import measure_effect
from fraudline.measures.scored_rows import judging_rows
from fraudline.training.calibration import Platt, fit_platt, threshold_of
from fraudline.training.categories import measure_categories
from fraudline.training.faithfulness import ALERTS, Faith, measure_faith
from fraudline.training.fitted import AnyModel, Checkpoint
from fraudline.training.graph import run_graph
from fraudline.training.history_checks import event_text
from fraudline.training.importance import measure_importance
from fraudline.training.missing_values import measure_missing_values
from fraudline.training.model_quality import measure_model_quality
from fraudline.training.policy_pages import (
    scored_rows,
    with_unlabelled,
    write_page,
    write_scores,
)
from fraudline.training.reason_files import show_examples, write_reason_files
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.reference_file import keep_reference
from fraudline.training.report import TrainingResult, write_report
from fraudline.training.split import Rows, Split
from fraudline.training.trees import Trees, offer, stand_beside

_SOFTWARE = ("fraudline", "tensorflow-cpu", "keras", "numpy", "onnx", "scikit-learn")


@dataclass(frozen=True)
class Choice:
    """What was chosen on the validation part, and the calibrated scores that chose it."""

    threshold: float
    rule: str
    line: Platt | None
    validation_scores: Floats


def choose(
    recipe: Recipe, model: AnyModel, features: Matrix, labels: Labels, one_in: int = 1
) -> Choice:
    """Choose threshold and calibration on rows that a model has not learned from.

    Args:
        recipe: Whether it chooses them at all.
        model: The model.
        features: Of the rows, perhaps none.
        labels: Likewise.
        one_in: Of the legitimate rows one in so many was drawn, and counts as often.

    Raises:
        InputError: higher log-odds do not mean more fraud on these rows.
    """
    if recipe.threshold is not None:
        rule = f"fixed at {recipe.threshold} by the recipe"
        plain = np.empty(0)
        if len(labels):
            plain = Platt(1.0, 0.0).probabilities(model.log_odds(features))
        return Choice(recipe.threshold, rule, None, plain)
    log_odds = model.log_odds(features)
    line = fit_platt(*repeated(labels, one_in, log_odds))
    scores = line.probabilities(log_odds)
    threshold, rule = threshold_of(*repeated(labels, one_in, scores))
    return Choice(threshold, rule, line, scores)


@dataclass(frozen=True)
class Unlabelled:
    """Payments of the validation part's time that nobody labelled, as they were blocked.

    No figure of frauds or money stands on them. What the policy does with them does not hang on
    what they were, so reviews a day do, and so does what the stream is compared with.

    Attributes:
        rows: With the columns of a transaction, in order of event time.
        scores: Calibrated, by a model that had not learned them, shape (rows,).
    """

    rows: pa.Table
    scores: Floats


@dataclass(frozen=True)
class Fitted:
    """What was fitted, and how.

    Attributes:
        model: It, calibrated.
        checkpoints: What was measured while it was.
        choice: What was chosen on the validation part, by a model that had not learned it.
        settings: What it was fitted with, by name.
        twins: Rows of the part that judges with an exact twin in another part.
        source: Which rows the history is.
        learned: From which version on, if from one.
        trees: Boosted trees that learned the same rows, if there are any.
    """

    model: AnyModel
    checkpoints: list[Checkpoint]
    choice: Choice
    settings: dict[str, object]
    twins: Rows
    source: Source
    learned: Learned | msgspec.UnsetType = msgspec.UNSET
    trees: Trees | None = None


def write_candidate(
    directory: Path,
    history: pa.Table,
    contract: Contract,
    recipe: Recipe,
    split: Split,
    fitted: Fitted,
    policy_by: Callable[[pa.Table], Policy],
    *,
    seed: int,
    on_progress: Callable[[str], None],
    usual: Flags | None = None,
    unlabelled: Unlabelled | None = None,
) -> Manifest:
    """Judge what was fitted, and write it as a bundle with a report.

    Args:
        directory: Existing, empty; receives the bundle.
        history: Labelled transactions with the contract's columns, in order of event time.
        contract: What a transaction looks like.
        recipe: By which it was fitted.
        split: Of the history.
        fitted: The network or forest, and how it was fitted.
        policy_by: Chooses the policy by the rows of `scored_rows`.
        seed: Of everything that is random.
        on_progress: Called with a sentence for a person who waits.
        usual: Which rows of the history stand for the stream as it is, shape (rows,); all of them
            without it.
        unlabelled: What came in the validation part's time and was never labelled.
    """
    model, choice, one_in = fitted.model, fitted.choice, fitted.source.one_in
    features, labels = contract.feature_matrix(history), contract.labels(history)
    graph = model.graph(len(contract.features))
    (directory / GRAPH_FILE).write_bytes(graph)
    model.save(directory, len(contract.features))

    on_progress("judging the candidate")
    scores, amounts = run_graph(graph, features), contract.amounts(history)
    worth = contract.known_amounts(history)
    # The model has learned from the validation part since: what counts is what it said before.
    scores[split.validation] = choice.validation_scores
    evaluations = {
        name: evaluate(
            *(labels[rows], scores[rows], choice.threshold),
            None if worth is None else worth[rows],
            one_in=one_in,
        )
        for name, rows in split.parts.items()
    }
    rows = scored_rows(history, contract, split, labels, scores, amounts, one_in)
    if unlabelled is not None:
        rows = with_unlabelled(rows, contract, unlabelled.rows, unlabelled.scores)
    policy = policy_by(rows)
    alerts = _alerts(policy, split, scores, amounts)
    natural = split.train if usual is None else split.validation
    (known,) = repeated(labels[natural], one_in)
    fraud_share = float(known.mean())
    faith = _explain(
        *(directory, contract, history, model, graph, features, labels, split, fraud_share),
        *(seed, alerts),
    )
    examples = (
        show_examples(directory, contract, history, features, scores, alerts) if faith else []
    )
    kept = _as_the_stream(labels, one_in) if usual is None else usual
    stream = history.filter(pa.array(kept)), split.of(kept), scores[kept]
    if unlabelled is not None:
        stream = _with_unlabelled(contract, *stream, unlabelled)
    reference = keep_reference(directory, contract, *stream, seed, has_all_frauds=usual is None)
    compared = f"{reference}" + (f", of which one in {one_in:,} was drawn" if one_in > 1 else "")
    on_progress(f"the stream will be compared with {compared}")
    quality = measure_model_quality(recipe, split, fraud_share, rows)
    effect = measure_effect(policy, judging_rows(rows))
    comparison = (
        None if fitted.trees is None else stand_beside(fitted.trees, labels, scores, split, one_in)
    )
    if comparison is not None:
        on_progress(f"{'LOOK: ' if comparison.is_behind else ''}{comparison}")
    offered = None
    if fitted.trees is not None and choice.line is not None:
        offered = offer(fitted.trees, labels, scores, split, one_in)
    if offered is not None:
        on_progress(offered)
    judged = split.parts[split.judged_by]
    result = TrainingResult(
        split,
        labels,
        scores,
        evaluations,
        fitted.settings,
        fitted.checkpoints,
        fitted.twins,
        faith,
        examples,
        quality,
        effect,
        comparison,
        offered,
        measure_missing_values(
            *(contract, features[split.train], labels[split.train]),
            *(fraud_share, model.preparation.told_nulls),
        ),
        measure_categories(
            *(contract, features[split.train], labels[split.train]),
            *(fraud_share, model.preparation.levels),
        ),
        measure_importance(directory, contract, features[judged], labels[judged]),
    )
    manifest = Manifest(
        recipe=recipe.name,
        contract=contract.name,
        contract_fingerprint=contract.fingerprint,
        features=contract.features,
        policy=policy,
        threshold=choice.threshold,
        threshold_rule=choice.rule,
        source=fitted.source,
        parts=_parts(history, contract, split, evaluations),
        software={"python": platform.python_version()}
        | {name: version(name) for name in (*_SOFTWARE, *recipe.libraries)},
        created_at=dt.datetime.now(dt.UTC),
        files={},
        reference=compared,
        learned=fitted.learned,
        trees=msgspec.UNSET if comparison is None else str(comparison),
    )
    _write_metrics(directory / METRICS_FILE, result)
    write_report(directory, manifest, contract, recipe, result)
    write_scores(directory, rows)
    write_page(directory, manifest, rows)
    return write_manifest(directory, manifest)


def _as_the_stream(labels: Labels, one_in: int) -> Flags:
    """Rows in which frauds are as rare as in the stream: of them, too, one in so many."""
    kept: Flags = labels == 0
    kept[np.flatnonzero(labels == 1)[::one_in]] = True
    return kept


def _alerts(policy: Policy, split: Split, scores: Floats, amounts: Floats) -> Rows:
    """Rows of the part that judges that are not approved, the highest scores of them."""
    rows = split.parts[split.judged_by]
    codes = policy.decide(scores[rows], amounts[rows])
    alerts = rows[codes != APPROVED]
    highest: Rows = alerts[np.argsort(-scores[alerts], kind="stable")][:ALERTS]
    return highest


def _explain(
    directory: Path,
    contract: Contract,
    history: pa.Table,
    model: AnyModel,
    graph: bytes,
    features: Matrix,
    labels: Labels,
    split: Split,
    fraud_share: float,
    seed: int,
    alerts: Rows,
) -> Faith | None:
    """Write what gives reasons, and test it on alerts, where there are any."""
    learned, kinds = features[split.train], labels[split.train]
    background, base = write_reason_files(
        directory,
        contract,
        model.preparation,
        model.reasons,
        history,
        learned,
        kinds,
        fraud_share,
        seed,
    )
    if not len(alerts):
        return None
    legitimate = learned[kinds == 0]
    reasons = (directory / REASONS_FILE).read_bytes()
    return measure_faith(graph, reasons, features[alerts], background, legitimate, seed, base)


def _with_unlabelled(
    contract: Contract, rows: pa.Table, split: Split, scores: Floats, more: Unlabelled
) -> tuple[pa.Table, Split, Floats]:
    """Rows in order of event time, with those that nobody labelled in the validation part."""
    bare = [each.select(contract.transaction_schema.names) for each in (rows, more.rows)]
    both = pa.concat_tables([each.cast(contract.transaction_schema) for each in bare])
    order = np.argsort(contract.event_seconds(both), kind="stable")
    place = np.argsort(order)
    validation = np.concatenate([place[split.validation], place[rows.num_rows :]])
    joined = Split(place[split.train], np.sort(validation), place[split.test])
    return both.take(pa.array(order)), joined, np.concatenate([scores, more.scores])[order]


def _parts(
    history: pa.Table, contract: Contract, split: Split, evaluations: dict[str, Evaluation]
) -> dict[str, Part]:
    return {
        name: Part(
            rows=evaluations[name].rows,
            frauds=evaluations[name].frauds,
            first_event=event_text(history, contract, int(rows[0])),
            last_event=event_text(history, contract, int(rows[-1])),
            metrics=evaluations[name].metrics(),
        )
        for name, rows in split.parts.items()
    }


def _write_metrics(path: Path, result: TrainingResult) -> None:
    content = {
        "settings": result.settings,
        "parts": {name: judged.metrics() for name, judged in result.evaluations.items()},
        "alerts_a_day": result.quality.budgets,
        "days": result.quality.days,
        "before_and_after_prior": result.quality.before_and_after,
        "checkpoints": result.checkpoints,
        "boosted_trees": result.comparison,
        "reasons": result.faith,
        "importance": result.importance,
        "twins_of_learned_rows": len(result.twins),
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
