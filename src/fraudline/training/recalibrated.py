"""A version with the network of another one and a calibration of its own, without TensorFlow.

Nothing is learned: what ranks, and what explains the ranking, stays bit for bit. So only what hangs
on the scale of scores is made anew: graphs, policy, figures, the scores of the reference. Where
money comes in another unit than was learned, it is brought to that one before the network.
"""

from __future__ import annotations

import datetime as dt
import platform
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from sklearn.metrics import log_loss

from fraudline.bundle.bundle_files import (
    COMPARISONS_FILE,
    GRAPH_FILE,
    METRICS_FILE,
    REASONS_FILE,
    REFERENCE_FILE,
    REPORT_FILE,
    check_bundle,
    read_file,
    read_manifest,
    write_manifest,
)
from fraudline.bundle.comparisons import Comparison, decode_comparisons
from fraudline.bundle.manifest import FORMAT, Calibrated, Manifest, Part, Source
from fraudline.bundle.policy import below_never, score_text
from fraudline.bundle.reference import SCORE, read_reference, write_reference
from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Labels, Matrix
from fraudline.errors import InputError
from fraudline.measures.evaluation import evaluate
from fraudline.measures.policy_effect import measure_effect
from fraudline.measures.scored_rows import VALIDATION, judging_rows
from fraudline.training.calibrated_graph import calibrated, line_of, scaled
from fraudline.training.calibration import Platt, threshold_of
from fraudline.training.graph import run_graph
from fraudline.training.history_checks import event_text
from fraudline.training.keras_file import LAST_LAYER_FILE, MODEL_FILE
from fraudline.training.pages import PAGES
from fraudline.training.policy_pages import capped, with_unlabelled, write_page, write_scores
from fraudline.training.scale import find_scale
from fraudline.training.segment_rows import segments_of
from fraudline.training.unit_graph import takes_features, with_units

_OF_NETWORK = (MODEL_FILE, LAST_LAYER_FILE)  # what learns on, byte for byte
_SOFTWARE = ("fraudline", "numpy", "onnx", "scikit-learn")


def recalibrate_on(
    known: tuple[pa.Table, pa.Table],
    contract: Contract,
    network: Path,
    champion: Path,
    directory: Path,
    *,
    source: Source,
    told: Calibrated,
) -> Manifest:
    """Calibrate a version anew on payments whose labels are known, and write it as a bundle.

    Args:
        known: Payments with the columns of a transaction and `is_fraud`, which the network has not
            learned; and those of that time that were stopped and never labelled, which count among
            the policy's reviews alone.
        contract: What a transaction looks like.
        network: Directory of the version whose network it is.
        champion: Of the one that scores with it now; the new one has its policy's costs.
        directory: Existing, empty; receives the bundle.
        source: Which rows they are.
        told: What the version says of its calibration; slope, intercept and unit are found here.

    Raises:
        BundleError: a version was altered, or has a graph that cannot be calibrated.
        InputError: higher scores do not mean more fraud on these rows, or the policy's scores
            ask for more reviews than its cap allows.
    """
    base, before = check_bundle(network), read_manifest(champion)
    rows, hidden = known
    rows = rows.take(pa.array(np.argsort(contract.event_seconds(rows), kind="stable")))
    features, amounts = contract.feature_matrix(rows), contract.amounts(rows)
    labels = rows.column("is_fraud").to_numpy().astype(np.int8)
    if (unusable := contract.unusable(features)).any():
        bad = int(unusable.any(axis=1).sum())
        raise InputError(
            f"{bad:,} of {len(labels):,} payments have features that are no finite number as "
            "float32, so nothing was calibrated. Limit the column in the contract."
        )
    graph = read_file(network, GRAPH_FILE)
    try:
        scale = find_scale(graph, rows, hidden, contract)
    except InputError:
        raise InputError(
            f"higher scores do not mean more fraud among the {len(labels):,} payments that matured "
            f"last ({int(labels.sum()):,} frauds), so no calibration helps. "
            "`fraudline learning alarms` tells what changed."
        ) from None
    line, units, (restated, hidden) = scale.line, scale.units(contract), scale.tables
    written = calibrated(graph if units is None else with_units(graph, units), line)
    (directory / GRAPH_FILE).write_bytes(written)
    _copy_rest(network, directory, base, line_of(graph), scale.line, units)

    before_loss = _loss(champion, labels, features)
    features, amounts = contract.feature_matrix(restated), contract.amounts(restated)
    scores = run_graph(written, features)
    scored = pa.table(
        {
            "part": [VALIDATION] * len(labels),
            "event_s": contract.event_seconds(rows),
            "score": scores,
            "amount": amounts,
            "label": labels,
        }
        | segments_of(rows, contract, labels, np.arange(len(labels)), np.arange(len(labels)))
    )
    of_hidden = run_graph(written, contract.feature_matrix(hidden)) if len(hidden) else np.zeros(0)
    scored = with_unlabelled(scored, contract, hidden, of_hidden)
    threshold, rule = threshold_of(labels, scores)
    metrics = evaluate(labels, scores, threshold, contract.known_amounts(restated)).metrics()
    manifest = msgspec.structs.replace(
        base,
        policy=capped(before.policy, scored),
        threshold=threshold,
        threshold_rule=rule,
        source=source,
        parts={
            VALIDATION: Part(
                rows=len(labels),
                frauds=int(labels.sum()),
                first_event=event_text(rows, contract, 0),
                last_event=event_text(rows, contract, -1),
                metrics=metrics,
            )
        },
        software=base.software
        | {"python": platform.python_version()}
        | {name: version(name) for name in _SOFTWARE},
        created_at=dt.datetime.now(dt.UTC),
        files={},
        derived_from="",
        calibrated=msgspec.structs.replace(
            told,
            slope=line.slope,
            intercept=line.intercept,
            unit=msgspec.UNSET if units is None else scale.factor,
        ),
        format=FORMAT,
    )
    losses = {"before": before_loss, "now": float(log_loss(labels, scores, labels=[0, 1]))}
    _write_figures(directory / METRICS_FILE, manifest, losses)
    write_scores(directory, scored)
    write_page(directory, manifest, scored)
    _write_report(directory / REPORT_FILE, manifest, before, scored, losses)
    return write_manifest(directory, manifest)


def _copy_rest(
    source: Path,
    directory: Path,
    base: Manifest,
    before: Platt,
    line: Platt,
    units: Matrix | None,
) -> None:
    """What learns on as it is; reasons, comparisons and the reference by the new scale."""
    for name in _OF_NETWORK:
        if name in base.files:
            shutil.copy2(source / name, directory / name)
    reasons = read_file(source, REASONS_FILE)
    if units is not None and takes_features(reasons):  # else its graph of scores takes care of it
        reasons = with_units(reasons, units)
    (directory / REASONS_FILE).write_bytes(scaled(reasons, line.slope))
    comparisons = decode_comparisons(read_file(source, COMPARISONS_FILE))
    odds = (comparisons.background_log_odds - before.intercept) / before.slope
    comparisons = msgspec.structs.replace(
        comparisons,
        background_log_odds=line.slope * odds + line.intercept,
        features=_in_unit(comparisons.features, units),
    )
    content = msgspec.json.format(msgspec.json.encode(comparisons), indent=2)
    (directory / COMPARISONS_FILE).write_bytes(content + b"\n")
    if REFERENCE_FILE not in base.files:
        return
    reference = read_reference(source)

    def on_new_scale(scores: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            network_odds = (np.log(scores) - np.log1p(-scores) - before.intercept) / before.slope
        found = line.probabilities(network_odds).astype(np.float32).astype(np.float64)
        return below_never(found)

    high = on_new_scale(np.array([reference.facts.high_score]))
    facts = msgspec.structs.replace(reference.facts, high_score=float(high[0]))
    scores = on_new_scale(np.asarray(reference.columns[SCORE], np.float64))
    write_reference(
        directory, replace(reference, facts=facts, columns=reference.columns | {SCORE: scores})
    )


def _in_unit(features: dict[str, Comparison], units: Matrix | None) -> dict[str, Comparison]:
    """What payments are like, with money as it comes: reasons tell it beside such values."""
    if units is None:
        return features
    return {
        name: msgspec.structs.replace(
            each, values=tuple(value / float(by) for value in each.values)
        )
        if each.kind == "number"
        else each
        for (name, each), by in zip(features.items(), units, strict=True)
    }


def _loss(champion: Path, labels: Labels, features: Matrix) -> float:
    """Log loss of the champion on the rows as they came."""
    before = run_graph(read_file(champion, GRAPH_FILE), features)
    return float(log_loss(labels, before, labels=[0, 1]))


def _write_figures(path: Path, manifest: Manifest, losses: dict[str, float]) -> None:
    assert manifest.calibrated
    content = {
        "settings": {
            "network": manifest.calibrated.of,
            "slope": manifest.calibrated.slope,
            "intercept": manifest.calibrated.intercept,
            "unit": manifest.calibrated.unit or 1.0,
        },
        "parts": {name: part.metrics for name, part in manifest.parts.items()},
        "log_loss": losses,
        "epochs": [],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def _write_report(
    path: Path, manifest: Manifest, before: Manifest, scored: pa.Table, losses: dict[str, float]
) -> None:
    page = PAGES.get_template("calibrated.html.jinja").render(
        manifest=manifest,
        calibrated=manifest.calibrated,
        before=before,
        effect=measure_effect(manifest.policy, judging_rows(scored)),
        part=manifest.parts[VALIDATION],
        losses=losses,
        score_text=score_text,
    )
    path.write_text(page, encoding="utf-8")
