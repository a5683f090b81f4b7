"""What `fraudline learn` finds in periods of rows, without a stream."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraudline.bundle.bundle import Bundle, open_bundle
from fraudline.bundle.manifest import Source
from fraudline.bundle.reference import (
    HighAmounts,
    Reference,
    Share,
    read_reference,
    watched_values,
)
from fraudline.contract import Contract
from fraudline.measures.column_drift import PERIOD_ROWS
from fraudline.measures.period_watch import ColumnFound, compare_columns
from fraudline.measures.share_drift import Cusum, UsualShare
from fraudline.settings import PolicySettings
from fraudline.training.recipes.all_recipes import find_recipe
from fraudline.training.train import train

RECIPE = "mlp"
TEST_SHARE = 0.2
_BEGIN = dt.datetime(2018, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Champion:
    """A model, and what the stream is compared with."""

    contract: Contract
    bundle: Bundle
    reference: Reference

    @property
    def high_amounts(self) -> HighAmounts:
        """How usual the highest amounts are."""
        assert self.reference.amounts is not None, "this fraudline made it"
        return self.reference.amounts


@dataclass(frozen=True)
class Seen:
    """What the detectors need of a period.

    Attributes:
        values: A draw of its transactions, as they are compared, shape (rows, columns).
        high: How many of its scores reach the score that is watched.
        high_amounts: How many of its amounts reach the amount that is watched.
        rows: Of how many.
    """

    values: npt.NDArray[np.float32]
    high: int
    high_amounts: int
    rows: int


def trained(history: pa.Table, contract: Contract, seed: int) -> Champion:
    """What `fraudline train` makes of a history."""
    with tempfile.TemporaryDirectory() as directory:
        train(
            history, contract, find_recipe(RECIPE), Path(directory),
            source=Source("bench", "", dt.datetime.now(dt.UTC), history.num_rows, ""),
            test_share=TEST_SHARE, seed=seed, costs=PolicySettings(), on_progress=lambda _: None,
        )  # fmt: skip
        bundle = open_bundle(Path(directory), contract)
        return Champion(contract, bundle, read_reference(Path(directory)))


def look(champion: Champion, period: pa.Table, seed: int, most: int = PERIOD_ROWS) -> Seen:
    """A period as the detectors see it; the draw is NumPy's here, and BigQuery's in the product."""
    scores = champion.bundle.score(champion.contract.feature_matrix(period))
    drawn = np.random.default_rng(seed).permutation(period.num_rows)[:most]
    return Seen(
        watched_values(champion.contract, period)[drawn],
        int((scores >= champion.reference.facts.high_score).sum()),
        int((champion.contract.amounts(period) >= champion.high_amounts.amount).sum()),
        period.num_rows,
    )


def columns_that_alarm(champion: Champion, seen: Seen) -> list[ColumnFound]:
    """The columns that alarm, the one that changed most first."""
    return [each for each in compare_columns(champion.reference, seen.values) if each.is_alarm]


def score_alarms(champion: Champion, periods: Iterable[Seen]) -> list[bool]:
    """Whether the sum of the scores' deviations alarms, period by period."""
    found = [(each.high, each.rows) for each in periods]
    return _sum_alarms(champion.reference.facts.high_share, found)


def amount_alarms(champion: Champion, periods: Iterable[Seen]) -> list[bool]:
    """Whether the sum of the amounts' deviations alarms, period by period."""
    found = [(each.high_amounts, each.rows) for each in periods]
    return _sum_alarms(champion.high_amounts.share, found)


def _sum_alarms(share: Share, periods: Iterable[tuple[int, int]]) -> list[bool]:
    usual = UsualShare(share.mean, share.between_sd, share.mean_sd)
    cusum, found = Cusum(), []
    for number, (high, rows) in enumerate(periods):
        cusum = cusum.after(usual, high, rows, _BEGIN + dt.timedelta(days=number))
        found.append(cusum.is_alarm)
    return found


def first(alarms: Sequence[bool]) -> int | None:
    """The number of the first alarm, from 1; None without one."""
    return next((number for number, each in enumerate(alarms, start=1) if each), None)
