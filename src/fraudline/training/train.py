"""The way from a labelled history to a candidate bundle, top to bottom."""

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
from fraudline.bundle.manifest import Manifest, Part, Source
from fraudline.bundle.policy import Policy, score_text
from fraudline.contract import APPROVED, Contract
from fraudline.contract.array_types import Floats, Labels, Matrix
from fraudline.measures.evaluation import Evaluation, evaluate
from fraudline.measures.policy_effect import measure_effect
from fraudline.measures.scored_rows import judging_rows
from fraudline.settings import PolicySettings
from fraudline.training.calibration import Platt, best_f1, fit_platt
from fraudline.training.faithfulness import ALERTS, Faith, measure_faith
from fraudline.training.fitting import Epoch, fit_model
from fraudline.training.graph import run_graph, write_graph
from fraudline.training.history_checks import constant_features, event_text, require_trainable
from fraudline.training.keras_file import MODEL_FILE, save_model
from fraudline.training.model import Model
from fraudline.training.model_quality import measure_model_quality
from fraudline.training.policy_pages import choose_policy, scored_rows, write_page, write_scores
from fraudline.training.reason_files import show_examples, write_reason_files
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.reference_file import keep_reference
from fraudline.training.report import TrainingResult, write_report
from fraudline.training.split import Rows, Split, check_split, drop_twins, find_twins

_SOFTWARE = ("fraudline", "tensorflow-cpu", "keras", "numpy", "onnx", "scikit-learn")


def train(
    history: pa.Table,
    contract: Contract,
    recipe: Recipe,
    directory: Path,
    *,
    source: Source,
    test_share: float,
    seed: int,
    costs: PolicySettings,
    on_progress: Callable[[str], None],
) -> Manifest:
    """Train a candidate, judge it, and write it as a bundle with a report.

    Args:
        history: Labelled transactions with the contract's columns, in order of event time.
        contract: What a transaction looks like.
        recipe: How to train.
        directory: Existing, empty; receives the bundle.
        source: Which rows the history is.
        test_share: Share of the rows that nothing is chosen by, 0 to less than 1; 0 where
            the caller keeps its test rows to itself, then the validation part judges.
        seed: Of everything that is random. The same history and seed give the same bundle.
        costs: What decisions cost.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        InputError: nothing can be learned from this history; the message says why.
    """
    require_trainable(history, contract, test_share)
    features, labels = contract.feature_matrix(history), contract.labels(history)
    drawn = recipe.split(labels, test_share, seed)
    twins = find_twins(features, drawn)
    split = drop_twins(drawn, twins)
    check_split(split, labels)
    _tell_parts(contract, features, labels, split, on_progress)

    model, epochs, choice = _fit_and_choose(
        recipe, contract, features, labels, split, seed, on_progress
    )
    graph = write_graph(model.preparation, model.network, len(contract.features))
    (directory / GRAPH_FILE).write_bytes(graph)
    save_model(model.as_keras(len(contract.features)), directory / MODEL_FILE)

    on_progress("judging the candidate")
    scores, amounts = run_graph(graph, features), contract.amounts(history)
    # The model has learned from the validation part since: what counts is what it said before.
    scores[split.validation] = choice.validation_scores
    evaluations = {
        name: evaluate(labels[rows], scores[rows], choice.threshold, amounts[rows])
        for name, rows in split.parts.items()
    }
    rows = scored_rows(history, contract, split, labels, scores, amounts)
    policy = choose_policy(contract, costs, recipe.threshold, rows)
    alerts = _alerts(policy, split, scores, amounts)
    faith = _explain(directory, contract, model, graph, features, labels, split, seed, alerts)
    examples = (
        show_examples(directory, contract, history, features, scores, alerts) if faith else []
    )
    reference = keep_reference(directory, contract, history, split, scores, seed)
    on_progress(f"the stream will be compared with {reference}")
    quality = measure_model_quality(recipe, split, labels, rows)
    effect = measure_effect(policy, judging_rows(rows))
    result = TrainingResult(
        split, labels, scores, evaluations, epochs, twins, faith, examples, quality, effect
    )
    manifest = _manifest(
        recipe,
        contract,
        policy,
        choice,
        source,
        _parts(history, contract, split, evaluations),
        str(reference),
    )
    settings = _settings(recipe, test_share, seed, history, contract)
    _write_metrics(directory / METRICS_FILE, settings, result)
    write_report(directory, manifest, contract, recipe, result)
    write_scores(directory, rows)
    write_page(directory, manifest, rows)
    return write_manifest(directory, manifest)


@dataclass(frozen=True)
class _Choice:
    """What was chosen on the validation part, and the calibrated scores that chose it."""

    threshold: float
    rule: str
    line: Platt | None
    validation_scores: Floats


def _fit_and_choose(
    recipe: Recipe,
    contract: Contract,
    features: Matrix,
    labels: Labels,
    split: Split,
    seed: int,
    on_progress: Callable[[str], None],
) -> tuple[Model, list[Epoch], _Choice]:
    """Fit, choose on the validation part if there is one, and then fit anew with it."""
    train_part = features[split.train], labels[split.train]
    validation = features[split.validation], labels[split.validation]
    model, epochs = fit_model(recipe, contract, train_part, validation, seed, on_progress)
    choice = _choose(recipe, model, *validation)
    if choice.line is not None:
        on_progress("fitting anew on the train and validation parts together")
        rows = np.concatenate([split.train, split.validation])
        both, none = (features[rows], labels[rows]), (features[:0], labels[:0])
        model, _ = fit_model(recipe, contract, both, none, seed, on_progress)
        model.calibrate(choice.line)
    return model, epochs, choice


def _choose(recipe: Recipe, model: Model, features: Matrix, labels: Labels) -> _Choice:
    if recipe.threshold is not None:
        rule = f"fixed at {recipe.threshold} by the recipe"
        return _Choice(recipe.threshold, rule, None, np.empty(0))
    log_odds = model.log_odds(features)
    line = fit_platt(labels, log_odds)
    scores = line.probabilities(log_odds)
    best = best_f1(labels, scores)
    rule = (
        f"half of {score_text(best)}, the best F1 that any threshold reaches on the validation "
        "part: for calibrated scores this is the threshold that maximises F1 (Lipton, Elkan and "
        "Naryanaswamy, 2014), and it does not hang on a single transaction"
    )
    return _Choice(float(score_text(best / 2)), rule, line, scores)


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
    model: Model,
    graph: bytes,
    features: Matrix,
    labels: Labels,
    split: Split,
    seed: int,
    alerts: Rows,
) -> Faith | None:
    """Write what gives reasons, and test it on alerts, where there are any."""
    legitimate = features[split.train[labels[split.train] == 0]]
    background = write_reason_files(directory, contract, model.preparation, graph, legitimate, seed)
    if not len(alerts):
        return None
    reasons = (directory / REASONS_FILE).read_bytes()
    return measure_faith(graph, reasons, features[alerts], background, legitimate, seed)


def _tell_parts(
    contract: Contract,
    features: Matrix,
    labels: Labels,
    split: Split,
    on_progress: Callable[[str], None],
) -> None:
    """Say what is learned from, and of what nothing can be learned."""
    parts = (
        f"{name}: {len(rows):,} transactions, {int(labels[rows].sum()):,} frauds"
        for name, rows in split.parts.items()
    )
    on_progress("; ".join(parts))
    for name in constant_features(features[split.train], contract):
        on_progress(
            f"column '{name}' has one value in the whole train part, so nothing can be learned of "
            "it and no value of it will change a score. A longer period may have others."
        )


def _manifest(
    recipe: Recipe,
    contract: Contract,
    policy: Policy,
    choice: _Choice,
    source: Source,
    parts: dict[str, Part],
    reference: str,
) -> Manifest:
    return Manifest(
        recipe=recipe.name,
        contract=contract.name,
        contract_fingerprint=contract.fingerprint,
        features=contract.features,
        policy=policy,
        threshold=choice.threshold,
        threshold_rule=choice.rule,
        source=source,
        parts=parts,
        software={"python": platform.python_version()}
        | {name: version(name) for name in _SOFTWARE},
        created_at=dt.datetime.now(dt.UTC),
        files={},
        reference=reference,
    )


def _parts(
    history: pa.Table, contract: Contract, split: Split, evaluations: dict[str, Evaluation]
) -> dict[str, Part]:
    return {
        name: Part(
            rows=len(rows),
            frauds=evaluations[name].frauds,
            first_event=event_text(history, contract, int(rows[0])),
            last_event=event_text(history, contract, int(rows[-1])),
            metrics=evaluations[name].metrics(),
        )
        for name, rows in split.parts.items()
    }


def _settings(
    recipe: Recipe, test_share: float, seed: int, history: pa.Table, contract: Contract
) -> dict[str, object]:
    """What was trained with: what is the recipe's own, and what was asked for."""
    return {
        **{name: value for name, value in vars(recipe).items() if not callable(value)},
        "seed": seed,
        "test_share": test_share,
        "first_event": event_text(history, contract, 0),
        "last_event": event_text(history, contract, -1),
    }


def _write_metrics(path: Path, settings: dict[str, object], result: TrainingResult) -> None:
    content = {
        "settings": settings,
        "parts": {name: judged.metrics() for name, judged in result.evaluations.items()},
        "alerts_a_day": result.quality.budgets,
        "days": result.quality.days,
        "before_and_after_prior": result.quality.before_and_after,
        "epochs": result.epochs,
        "reasons": result.faith,
        "twins_of_learned_rows": len(result.twins),
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
