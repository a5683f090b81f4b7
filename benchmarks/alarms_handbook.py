"""The handbook's days as a stream that is watched, quiet and with a change put into it."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.model_quality_handbook import compute_features, days

import bqlite
from fraudline.contract import Contract, load_contract
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_table import read_history

BEGIN = dt.date(2018, 4, 1)
REFERENCE_DAYS, QUIET_DAYS = 28, 56
# First day of the champion's training, and first day that is watched. The windows of the features
# are full from day 37 on. Settings were chosen by the first weeks alone.
WEEKS = {"weeks that chose the settings": (37, 65), "weeks that judge": (91, 126)}
AMOUNT = "TX_AMOUNT"
NEW_PATTERN = 3  # scenario 3 of the simulation: bursts with a stolen card's number
ONE_IN = 3  # of the frauds that are kept, where there are to be three times as many later

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stream:
    """The handbook's transactions, with the window features of each.

    Attributes:
        contract: The handbook's.
        rows: All of them, in order.
        day: Of each, from `BEGIN`.
        scenario: Of each, 0 where it is no fraud.
    """

    contract: Contract
    rows: pa.Table
    day: npt.NDArray[np.int64]
    scenario: npt.NDArray[np.int64]

    @property
    def is_known_pattern(self) -> Flags:
        """Whether it is no fraud of the new pattern."""
        return self.scenario != NEW_PATTERN

    @property
    def is_at_low_rate(self) -> Flags:
        """Whether it stays where frauds are rarer."""
        number = self.rows.column("TX_ID").to_numpy()
        return (self.scenario == 0) | (number % ONE_IN == 0)

    def between(self, first: int, end: int, kept: Flags | None = None) -> pa.Table:
        """The rows of days, those that are kept."""
        is_meant = (self.day >= first) & (self.day < end)
        return self.rows.filter(pa.array(is_meant if kept is None else is_meant & kept))

    def each_day(self, first: int, kept: Flags | None = None) -> list[pa.Table]:
        """The days that are watched."""
        return [self.between(day, day + 1, kept) for day in range(first, first + QUIET_DAYS)]


def read_stream(raw: Path) -> Stream:
    """Let BigQuery compute the features, and read all days back that have full windows."""
    contract = load_contract("handbook")
    last = max(watched for _, watched in WEEKS.values()) + QUIET_DAYS
    first = min(first for first, _ in WEEKS.values())
    with _warehouse() as warehouse:
        compute_features(warehouse, raw)
        rows = read_history(warehouse, contract, _date(first), _date(last)).rows
    found = pq.read_table(raw, columns=["TRANSACTION_ID", "TX_FRAUD_SCENARIO"])
    order = np.argsort(found.column("TRANSACTION_ID").to_numpy())
    numbers = found.column("TRANSACTION_ID").to_numpy()[order]
    scenarios = found.column("TX_FRAUD_SCENARIO").to_numpy()[order]
    scenario = scenarios[np.searchsorted(numbers, rows.column("TX_ID").to_numpy())]
    return Stream(contract, rows, days(rows, BEGIN), scenario)


def times(
    rows: pa.Table,
    factor: float | npt.NDArray[np.float64],
    columns: Sequence[str] = (AMOUNT,),
) -> pa.Table:
    """The rows with columns multiplied by a factor, of all or of each: as when a unit changes."""
    for name in columns:
        at = rows.schema.get_field_index(name)
        values = rows.column(name).to_numpy() * factor
        rows = rows.set_column(at, rows.schema.field(at), pa.array(values))
    return rows


def _date(day: int) -> str:
    return (BEGIN + dt.timedelta(days=day)).isoformat()


@contextmanager
def _warehouse() -> Iterator[Warehouse]:
    """An empty BigQuery that ends with the block."""
    with tempfile.TemporaryDirectory() as directory, bqlite.serve(directory) as server:
        yield Warehouse(BigQuerySettings(dataset="bench"), Endpoint(server.rest, server.storage))
