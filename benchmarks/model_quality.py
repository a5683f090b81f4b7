"""What our models are worth, beside what others reach: `make bench-model`.

Two tables from rows that BigQuery gave: the creditcard data, and the protocol of the Fraud
Detection Handbook where its raw transactions are at hand. And one of inner splits, by which is
chosen.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from benchmarks.measure import say, table
from benchmarks.model_quality_handbook import Weeks, compute_features, read_weeks
from benchmarks.model_quality_sticks import HANDBOOK, scores_of
from benchmarks.results import measured

import bqlite
from benchmarks import model_quality_creditcard, model_quality_inner
from fraudline import datasets
from fraudline.contract import load_contract
from fraudline.datasets.files import read_transactions
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_table import load_history, read_history

SEEDS = range(5)
# ROC AUC, average precision, card precision@100, as the handbook prints them for this week.
PUBLISHED = {
    "logistic regression": (0.871, 0.606, 0.291),
    "tree, depth 2": (0.763, 0.496, 0.241),
    "random forest": (0.867, 0.658, 0.287),
    "XGBoost": (0.862, 0.639, 0.273),
}


def main() -> None:
    """Print the tables, and keep them in `RESULTS.md`."""
    parser = argparse.ArgumentParser(prog="make bench-model", description=__doc__)
    parser.add_argument("--handbook", type=Path, help="Parquet file of its raw transactions")
    parser.add_argument("--payments", type=Path, help="Parquet file of payments of online shops")
    parser.add_argument("--only", choices=("inner",), help="one of the tables")
    given = parser.parse_args()
    raw = given.handbook
    measured(
        "Model quality: networks beside boosted trees on inner splits",
        "make bench-model ONLY=inner"
        + (f" HANDBOOK={raw.name}" if raw else "")
        + (f" PAYMENTS={given.payments.name}" if given.payments else ""),
        lambda: inner(raw, given.payments),
    )
    if given.only:
        return
    measured("Model quality: creditcard, the last fifth by time", "make bench-model", creditcard)
    if raw is None:
        say(
            "the handbook's table needs its raw transactions, which are not ours to hand on; "
            "docs/guides/model-quality.md says where they are. Then: make bench-model HANDBOOK=FILE"
        )
    else:
        measured(
            "Model quality: the handbook's protocol",
            f"make bench-model HANDBOOK={raw.name}",
            lambda: handbook(raw),
        )


def inner(raw: Path | None, payments: Path | None) -> list[str]:
    """Networks and trees on rows of before every published test part."""
    if raw is None:
        return model_quality_inner.measure(None, payments)
    with _warehouse() as warehouse:
        compute_features(warehouse, raw)
        return model_quality_inner.measure(warehouse, payments)


def creditcard() -> list[str]:
    """Load the whole data set, read it back, and compare on its last fifth."""
    contract = load_contract("creditcard")
    path = datasets.fetch(datasets.find("creditcard"), datasets.user_cache(), lambda *_: None)
    found = read_transactions(path, contract)
    with _warehouse() as warehouse:
        load_history(warehouse, contract, found.rows, found.sha256)
        history = read_history(warehouse, contract)
    return model_quality_creditcard.measure(history, contract)


def handbook(raw: Path) -> list[str]:
    """The published baselines, and our recipes on the same rows."""
    with _warehouse() as warehouse:
        compute_features(warehouse, raw)
        weeks = read_weeks(warehouse)
    train_labels = weeks.contract.labels(weeks.train.rows)
    learn = weeks.contract.feature_matrix(weeks.train.rows), train_labels
    rows = []
    for name, make in HANDBOOK.items():
        reached = weeks.measure(scores_of(make(), learn, weeks.features))
        say(f"{name}: {reached}")
        published = " / ".join(f"{value:.3f}" for value in PUBLISHED[name])
        rows.append([name, *(f"{value:.3f}" for value in reached), published])
    for recipe in model_quality_creditcard.RECIPES:
        seeds = [weeks.measure(_recipe_scores(recipe, seed, weeks)) for seed in SEEDS]
        say(f"{recipe}: {seeds}")
        means = (_mean_and_range(values) for values in zip(*seeds, strict=True))
        rows.append([f"our recipe `{recipe}`", *means, ""])
    return [
        f"Train {learn[0].shape[0]:,} rows, {int(train_labels.sum())} frauds; test "
        f"{len(weeks.labels):,} rows, {int(weeks.labels.sum())} frauds; the 15 features were "
        "computed in BigQuery by `handbook.sql` and read back as any history is. "
        f"Our recipes: means over {len(SEEDS)} seeds, in brackets the least and the most.",
        table(
            (
                "model",
                "ROC AUC",
                "average precision",
                "card precision@100",
                "as published (AUC / AP / CP@100)",
            ),
            rows,
        ),
        "Published best of all, tuned, the mean of four weeks: XGBoost .869 / .687 / .303.",
    ]


def _recipe_scores(recipe: str, seed: int, weeks: Weeks) -> np.ndarray:
    return model_quality_creditcard.recipe_scores(
        recipe, seed, weeks.train, weeks.contract, weeks.features, test_share=0.0
    )


def _mean_and_range(values: tuple[float, ...]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


@contextmanager
def _warehouse() -> Iterator[Warehouse]:
    """An empty BigQuery that ends with the block."""
    with tempfile.TemporaryDirectory() as directory, bqlite.serve(directory) as server:
        yield Warehouse(BigQuerySettings(dataset="bench"), Endpoint(server.rest, server.storage))


if __name__ == "__main__":
    main()
