"""What a bundle needs to give reasons: the graph of contributions, and what is usual."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraudline.bundle.bundle_files import COMPARISONS_FILE, GRAPH_FILE, REASONS_FILE
from fraudline.bundle.comparisons import (
    LEVELS,
    Comparison,
    Comparisons,
    Frequency,
    decode_comparisons,
)
from fraudline.bundle.graphs import Graphs
from fraudline.bundle.reason_sentences import Reason, name_reasons
from fraudline.contract import Contract
from fraudline.contract.array_types import Flags, Labels, Matrix, Vector
from fraudline.contract.derived import WEEK_DAYS
from fraudline.measures.days import DAY_S
from fraudline.measures.rate_ratio import set_apart
from fraudline.training.categories import level_names
from fraudline.training.fitted import Reasons
from fraudline.training.levels import most_frequent
from fraudline.training.preparation import Preparation
from fraudline.training.split import Rows

# Chosen as below, as faithful as 32 rows drawn at random, at a quarter of their cost.
BACKGROUND_ROWS = 8
EXAMPLES = 8
_CANDIDATES = 4000
_DRAWS = 1000


def choose_background(legitimate: Matrix, preparation: Preparation, seed: int) -> Matrix:
    """Legitimate rows that stand for all: of many draws, the one nearest to their mean.

    A contribution is a mean over the background, so what a small background has to get
    right is the mean of what the network sees.

    Args:
        legitimate: Features of the legitimate rows of the train part.
        preparation: What scales them; distance is measured in standard deviations.
        seed: Of the draws.
    """
    random = np.random.default_rng(seed)
    count = min(_CANDIDATES, len(legitimate))
    candidates = legitimate[random.choice(len(legitimate), count, replace=False)]
    inputs = preparation.apply(candidates).astype(np.float64)
    centred = inputs - inputs.mean(axis=0)
    size = min(BACKGROUND_ROWS, count)
    draws = [random.choice(count, size, replace=False) for _ in range(_DRAWS)]
    nearest = min(draws, key=lambda draw: float(np.square(centred[draw].mean(axis=0)).sum()))
    return candidates[np.sort(nearest)]


def write_reason_files(
    directory: Path,
    contract: Contract,
    preparation: Preparation,
    explain: Callable[[Matrix], Reasons],
    history: pa.Table,
    features: Matrix,
    labels: Labels,
    fraud_share: float,
    seed: int,
) -> tuple[Matrix, float]:
    """Write the graph of contributions and the comparisons into a bundle's directory.

    Args:
        directory: The bundle's.
        contract: What the features are.
        preparation: What happens to them before the model.
        explain: What gives the graph of contributions, by the background that it finds.
        history: Rows that hold every level of the train part.
        features: Of the train part.
        labels: Likewise.
        fraud_share: Share of frauds among payments; of the train part, legitimate ones may be a
            draw.
        seed: Of the choice of a background.

    Returns:
        The background, legitimate rows that stand for all; and the log-odds that contributions are
        measured from.
    """
    legitimate = features[labels == 0]
    background = choose_background(legitimate, preparation, seed)
    reasons = explain(background)
    (directory / REASONS_FILE).write_bytes(reasons.graph)
    names = {name: level_names(history.column(name)) for name in contract.categories}
    comparisons = Comparisons(
        rows=len(legitimate),
        background_rows=reasons.rows,
        background_log_odds=reasons.log_odds,
        features={
            name: _compare_levels(
                *(contract, names[name], features[:, index], labels, fraud_share, index),
            )
            if name in names
            else _compare(
                *(contract, preparation, index, features[:, index].astype(np.float64)),
                *(labels, fraud_share),
            )
            for index, name in enumerate(contract.features)
        },
    )
    content = msgspec.json.format(msgspec.json.encode(comparisons), indent=2)
    (directory / COMPARISONS_FILE).write_bytes(content + b"\n")
    return background, reasons.log_odds


@dataclass(frozen=True)
class Example:
    """A payment that the policy stopped, as a report shows it.

    Attributes:
        score: Probability of fraud.
        amount: In the contract's unit; None where it has none.
        is_fraud: What the label says.
        reasons: Why it was stopped.
    """

    score: float
    amount: float | None
    is_fraud: bool
    reasons: list[Reason]


def show_examples(
    directory: Path,
    contract: Contract,
    history: pa.Table,
    features: Matrix,
    scores: npt.NDArray[np.float64],
    alerts: Rows,
) -> list[Example]:
    """Some alerts with their reasons, spread evenly over those given.

    Args:
        directory: The bundle's, with its graphs and comparisons.
        contract: What a transaction looks like.
        history: Every row, with its label.
        features: Of every row.
        scores: Of every row.
        alerts: Rows that are not approved, in the order of their scores.
    """
    rows = spread(alerts, EXAMPLES)
    contributions = graphs_of(directory).contributions(features[rows])
    comparisons = decode_comparisons((directory / COMPARISONS_FILE).read_bytes())
    shown = history.take(rows)
    values = list(zip(*contract.seen_values(shown), strict=True))
    found = name_reasons(values, contributions, contract, comparisons)
    labels, amounts = contract.labels(shown), contract.known_amounts(shown)
    told = [None] * len(rows) if amounts is None else amounts.tolist()
    return [
        Example(float(scores[row]), amount, bool(label), reasons)
        for row, amount, label, reasons in zip(rows, told, labels, found, strict=True)
    ]


def graphs_of(directory: Path) -> Graphs:
    """The graphs of a bundle's directory, opened."""
    return Graphs((directory / GRAPH_FILE).read_bytes(), (directory / REASONS_FILE).read_bytes())


def spread(rows: Rows, most: int) -> Rows:
    """Some of the rows, spread evenly over them; all if there are no more than so many."""
    if len(rows) <= most:
        return rows
    chosen: Rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
    return chosen


def frequency(is_so: Flags, labels: Labels, fraud_share: float) -> Frequency:
    """How frequent something is among legitimate rows, and how often it is fraud."""
    found = set_apart(is_so, labels, fraud_share)
    ratio = found.ratio
    if ratio is None or not ratio.is_told:
        return Frequency(found.share)
    is_least = math.isinf(ratio.ratio)
    return Frequency(found.share, float(f"{ratio.low if is_least else ratio.ratio:.3g}"), is_least)


def _compare(
    contract: Contract,
    preparation: Preparation,
    index: int,
    values: npt.NDArray[np.float64],
    labels: Labels,
    fraud_share: float,
) -> Comparison:
    column = contract.column(contract.features[index])
    turn = contract.turns.get(column.name)
    if column.type == "timestamp":
        turn = DAY_S
    elif index in preparation.inputs.circles:
        turn = preparation.inputs.turns[preparation.inputs.circles.index(index)]
    compared = _compare_values(column.type, turn, values[labels == 0])
    if not column.is_nullable:
        return compared
    return msgspec.structs.replace(
        compared, missing=frequency(np.isnan(values), labels, fraud_share)
    )


def _compare_levels(
    contract: Contract,
    names: dict[int, str],
    codes: Vector,
    labels: Labels,
    fraud_share: float,
    index: int,
) -> Comparison:
    """The most frequent levels of a category, which a model tells apart where it does by name."""
    column = contract.column(contract.features[index])
    assert column.category is not None
    is_null = np.isnan(codes)
    kept = most_frequent(codes[~is_null].astype(np.int64), column.category.max_levels)
    levels = {names[int(code)]: frequency(codes == code, labels, fraud_share) for code in kept}
    is_other = ~is_null & ~np.isin(codes, kept)
    return Comparison(
        "level",
        (),
        missing=frequency(is_null, labels, fraud_share) if column.is_nullable else None,
        levels=levels,
        other=frequency(is_other, labels, fraud_share),
    )


def _compare_values(kind: str, turn: float | None, values: npt.NDArray[np.float64]) -> Comparison:
    values = values[~np.isnan(values)]
    if not len(values):  # nothing is known; whatever comes is beyond all of it
        values = np.zeros(1)
    if kind == "bool":
        return Comparison("flag", (float(values.mean()),))
    if turn == WEEK_DAYS:
        shares = np.bincount(values.astype(np.int64), minlength=7) / len(values)
        return Comparison("weekday", tuple(shares.tolist()))
    if turn is not None:
        hours = (values % turn // (turn / 24)).astype(np.int64)
        shares = np.bincount(hours, minlength=24) / len(values)
        return Comparison("time_of_day", tuple(shares.tolist()))
    # Values that were seen, so that the share that reaches one is at least what is claimed.
    quantiles = np.quantile(values, LEVELS, method="inverted_cdf")
    return Comparison("number", tuple(quantiles.tolist()))
