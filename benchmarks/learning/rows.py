"""The rows that the learning benchmark streams, as the product reads them from BigQuery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.alarms_handbook import BEGIN, Stream, read_stream
from benchmarks.learning.kept import Kept
from benchmarks.model_quality_handbook import days

from fraudline import datasets
from fraudline.contract import Contract, load_contract
from fraudline.datasets.cache import sha256_of
from fraudline.datasets.files import read_transactions

_SCENARIO = "TX_FRAUD_SCENARIO"
DAY_S, HOUR_S = 86400.0, 3600.0
WEEK_DAYS = 7
DELAY_DAYS = 8  # a day's labels are all known at the beginning of the eighth day after it


def handbook(raw: Path, kept: Kept) -> Stream:
    """The handbook's days from 37 on, when all windows of its features are full."""

    def write(file: object) -> None:
        stream = read_stream(raw)
        rows = stream.rows.append_column(_SCENARIO, pa.array(stream.scenario))
        pq.write_table(rows, file)

    path = kept.file(f"handbook-{sha256_of(raw)[:16]}.parquet", write)
    rows = pq.read_table(path)
    scenario = rows[_SCENARIO].to_numpy()
    return Stream(
        load_contract("handbook"), rows.drop_columns(_SCENARIO), days(rows, BEGIN), scenario
    )


@dataclass(frozen=True)
class TwoDays:
    """The creditcard data in order of time.

    Attributes:
        contract: Its contract.
        rows: All of it.
        seconds: Event time of each row, from the first day's midnight.
    """

    contract: Contract
    rows: pa.Table
    seconds: npt.NDArray[np.float64]


def creditcard() -> TwoDays:
    """Both days."""
    contract = load_contract("creditcard")
    path = datasets.fetch(datasets.find("creditcard"), datasets.user_cache(), lambda *_: None)
    rows = read_transactions(path, contract).rows.sort_by(contract.event_time)
    return TwoDays(contract, rows, np.asarray(contract.event_seconds(rows)))
