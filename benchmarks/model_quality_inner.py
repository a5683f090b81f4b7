"""Networks beside boosted trees on inner splits: rows that no published test part has.

What is chosen between recipes, or in one of them, is chosen here. Each history teaches as `train`
does, calibration included, and rows after it judge; payments without a time are drawn.
"""

from __future__ import annotations

import datetime as dt
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.measure import say, table
from benchmarks.model_quality_handbook import TRAIN_START, read_weeks
from benchmarks.model_quality_sticks import CREDITCARD, scores_of
from sklearn.metrics import average_precision_score

from fraudline import datasets
from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.manifest import Source
from fraudline.contract import Contract, load_contract
from fraudline.datasets.files import read_transactions
from fraudline.settings import PolicySettings
from fraudline.training.preparation import with_logarithms_and_time_of_day
from fraudline.training.recipes.all_recipes import find_recipe
from fraudline.training.train import train
from fraudline.warehouse.client import Warehouse

RECIPES, STICKS = ("default", "mlp", "trees"), ("XGBoost", "LightGBM")
SEEDS = range(2)
DRAWS = 3
WEEKS_BEFORE = (3, 5)
# The column isWeekend is left out: it is null in each fraud and in nothing else.
PAYMENTS = """
name = "shop_payments"
[roles]
label = "label"
[history]
payments_a_day = 1000
[columns]
accountAgeDays = { type = "int64" }
numItems = { type = "int64" }
localTime = { type = "float64" }
paymentMethod = { type = "category", of = "string", max_levels = 20 }
paymentMethodAgeDays = { type = "float64" }
Category = { type = "category", of = "string", max_levels = 20, nullable = true }
label = { type = "bool" }
"""


@dataclass(frozen=True)
class Inner:
    """A history that teaches, and rows that judge."""

    name: str
    contract: Contract
    history: pa.Table
    judges: pa.Table


def measure(warehouse: Warehouse | None, payments: Path | None) -> list[str]:
    """Every recipe and stick on every inner split.

    Args:
        warehouse: With the handbook's features, where its transactions are at hand.
        payments: Parquet file of payments of online shops, if there is one.
    """
    rows = []
    for inner in _inners(warehouse, payments):
        recipes = {name: _mean(_recipe(name, seed, inner) for seed in SEEDS) for name in RECIPES}
        sticks = {name: _mean(_stick(name, seed, inner) for seed in SEEDS) for name in STICKS}
        say(f"{inner.name}: {recipes} {sticks}")
        best = max(recipes["default"], recipes["mlp"]) - max(recipes["trees"], *sticks.values())
        labels = inner.contract.labels(inner.history), inner.contract.labels(inner.judges)
        rows.append(
            [
                inner.name,
                f"{len(labels[0]):,}, {int(labels[0].sum())}",
                f"{len(labels[1]):,}, {int(labels[1].sum())}",
                *(f"{reached:.3f}" for reached in (recipes | sticks).values()),
                f"{best:+.3f}",
            ]
        )
    return [
        f"Average precision, means over {len(SEEDS)} seeds. Each history teaches as `fraudline "
        "train` does, and later rows judge that lie before every published test part.",
        table(
            (
                "history",
                "rows, frauds",
                "judged by",
                *(f"`{name}`" for name in RECIPES),
                *STICKS,
                "better network less better trees",
            ),
            rows,
        ),
    ]


def _inners(warehouse: Warehouse | None, payments: Path | None) -> Iterator[Inner]:
    contract = load_contract("creditcard")
    path = datasets.fetch(datasets.find("creditcard"), datasets.user_cache(), lambda *_: None)
    whole = read_transactions(path, contract).rows.sort_by(contract.event_time)
    before, until = int(0.64 * len(whole)), int(0.8 * len(whole))
    for draw in range(DRAWS):
        kept = np.sort(np.random.default_rng(draw).choice(before, before // 10, replace=False))
        history = whole.take(pa.array(kept))
        judges = whole.slice(before, until - before)
        yield Inner(f"creditcard, a tenth, draw {draw + 1}", contract, history, judges)
    for weeks in WEEKS_BEFORE if warehouse is not None else ():
        found = read_weeks(warehouse, TRAIN_START - dt.timedelta(weeks=weeks))
        name = f"handbook, {weeks} weeks before the published one"
        yield Inner(name, found.contract, found.train.rows, found.test)
    if payments is not None:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "payments.toml"
            file.write_text(PAYMENTS)
            contract, kept = load_contract(str(file)), Path(directory) / "payments.parquet"
            pq.write_table(pq.read_table(payments).drop_columns(["isWeekend"]), kept)
            rows = read_transactions(kept, contract).rows
        rows = rows.take(pa.array(np.random.default_rng(0).permutation(len(rows))))
        teach = int(0.8 * len(rows))
        name = "payments of online shops"
        yield Inner(name, contract, rows.slice(0, teach), rows.slice(teach))


def _recipe(name: str, seed: int, inner: Inner) -> float:
    source = Source(inner.name, "", dt.datetime.now(dt.UTC), len(inner.history), "0" * 64)
    with tempfile.TemporaryDirectory() as directory:
        train(
            inner.history, inner.contract, find_recipe(name), Path(directory), source=source,
            test_share=0.0, seed=seed, costs=PolicySettings(), on_progress=lambda _: None,
        )  # fmt: skip
        bundle = open_bundle(Path(directory), inner.contract)
        return _reached(inner, bundle.score(inner.contract.feature_matrix(inner.judges)))


def _stick(name: str, seed: int, inner: Inner) -> float:
    learn, judge = (inner.contract.feature_matrix(rows) for rows in (inner.history, inner.judges))
    chosen = with_logarithms_and_time_of_day(inner.contract, learn)
    codes = {each.feature: np.unique(learn[:, each.feature]) for each in chosen.levels}

    def seen(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        hot = [features[:, at, None] == known for at, known in codes.items()]
        parts = [chosen.derive(features, np), *hot]
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")

    labels = inner.contract.labels(inner.history)
    return _reached(inner, scores_of(CREDITCARD[name](seed), (seen(learn), labels), seen(judge)))


def _reached(inner: Inner, scores: npt.NDArray[np.float64]) -> float:
    return float(average_precision_score(inner.contract.labels(inner.judges), scores))


def _mean(reached: Iterator[float]) -> float:
    return statistics.mean(reached)
