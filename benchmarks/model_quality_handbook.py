"""The protocol of the Fraud Detection Handbook, chapter 3, on features computed in BigQuery.

Le Borgne, Siblini, Lebichot and Bontempi, Reproducible Machine Learning for Credit Card Fraud
Detection, 2022. A week teaches, a week passes until its labels are known, the week after it
judges. Cards known to be compromised leave the test: those with a fraud in the train week, and
day by day those whose fraud has become known since.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.cloud import bigquery

from fraudline.contract import Contract, load_contract
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.history_table import History, read_history
from fraudline.warehouse.tables import create_dataset

RAW_TABLE = "handbook_raw"
TRAIN_START = dt.date(2018, 7, 25)
WEEK_DAYS = 7
DELAY_DAYS = 7
CARDS_A_DAY = 100

RAW_COLUMNS = pa.schema(
    [
        ("TRANSACTION_ID", pa.int64()),
        ("TX_DATETIME", pa.timestamp("us", "UTC")),
        ("CUSTOMER_ID", pa.int64()),
        ("TERMINAL_ID", pa.int64()),
        ("TX_AMOUNT", pa.float64()),
        ("TX_FRAUD", pa.int64()),
    ]
)

Labels = npt.NDArray[np.int8]
Scores = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Weeks:
    """The two weeks of the protocol.

    Attributes:
        contract: The handbook's.
        train: The train week, and which rows it is.
        test: Transactions of the test week whose card is not known to be compromised.
    """

    contract: Contract
    train: History
    test: pa.Table

    @property
    def features(self) -> npt.NDArray[np.float32]:
        """Of the test."""
        return self.contract.feature_matrix(self.test)

    @property
    def labels(self) -> Labels:
        """Of the test."""
        return self.contract.labels(self.test)

    def measure(self, scores: Scores) -> tuple[float, float, float]:
        """ROC AUC, average precision and card precision@100 of scores of the test."""
        from sklearn import metrics  # noqa: PLC0415 - its tests, but for one, do without

        return (
            float(metrics.roc_auc_score(self.labels, scores)),
            float(metrics.average_precision_score(self.labels, scores)),
            card_precision(days(self.test), cards(self.test), self.labels, scores),
        )


def compute_features(warehouse: Warehouse, raw: Path) -> None:
    """Load the raw transactions and let BigQuery compute the 15 features from them.

    Args:
        warehouse: Receives both tables.
        raw: Parquet with at least the columns of `RAW_COLUMNS`; a time without a zone is UTC.
    """
    create_dataset(warehouse)
    table = pq.read_table(raw, columns=RAW_COLUMNS.names).cast(RAW_COLUMNS)
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
    )
    with tempfile.TemporaryFile() as file:
        pq.write_table(table, file)
        file.seek(0)
        warehouse.client.load_table_from_file(
            file, warehouse.table(RAW_TABLE), job_config=config
        ).result()
    sql = (resources.files("fraudline") / "contracts" / "handbook.sql").read_text()
    warehouse.client.query_and_wait(sql)


def read_weeks(warehouse: Warehouse, start: dt.date = TRAIN_START) -> Weeks:
    """Read train and test, and take known cards out of the test."""
    contract = load_contract("handbook")

    def read(first_day: int, days_long: int) -> History:
        first = start + dt.timedelta(days=first_day)
        end = first + dt.timedelta(days=days_long)
        return read_history(warehouse, contract, first.isoformat(), end.isoformat())

    train, delay = read(0, WEEK_DAYS), read(WEEK_DAYS, DELAY_DAYS)
    test = read(WEEK_DAYS + DELAY_DAYS, WEEK_DAYS).rows
    frauds = pa.concat_tables([train.rows, delay.rows]).filter(pc.field(contract.label))
    known = is_known(days(test, start), cards(test), days(frauds, start), cards(frauds))
    return Weeks(contract, train, test.filter(pa.array(~known)))


def is_known(
    test_days: Numbers, test_cards: Numbers, fraud_days: Numbers, fraud_cards: Numbers
) -> npt.NDArray[np.bool_]:
    """Whether a card was known to be compromised, for each transaction of the test.

    On its first day those with a fraud in the train week are known; on each later one also
    those whose fraud is a delay of seven days old, and one day more.

    Args:
        test_days: Day of each transaction, counted from the first day of the train week.
        test_cards: Its card.
        fraud_days: Day of each earlier fraud, counted in the same way.
        fraud_cards: Its card.
    """
    order = np.argsort(fraud_days, kind="stable")[::-1]
    first_fraud = dict(zip(fraud_cards[order].tolist(), fraud_days[order].tolist(), strict=True))
    never = np.iinfo(np.int64).max
    days_of_cards = np.array([first_fraud.get(card, never) for card in test_cards.tolist()])
    return np.asarray(days_of_cards < test_days - DELAY_DAYS)


def card_precision(day: Numbers, card: Numbers, labels: Labels, scores: Scores) -> float:
    """Card precision@100: the mean over days of the share of compromised cards that are found.

    Each day the 100 cards with the highest score of that day are looked at; a card that was
    found to be compromised is not looked at on later days.
    """
    found: set[int] = set()
    shares = []
    for today in np.unique(day):
        rows = np.flatnonzero(day == today)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        is_compromised: dict[int, bool] = {}
        for a_card, label in zip(card[rows].tolist(), labels[rows].tolist(), strict=True):
            if a_card not in found:
                is_compromised[a_card] = is_compromised.get(a_card, False) or label == 1
        looked_at = list(is_compromised)[:CARDS_A_DAY]
        caught = {a_card for a_card in looked_at if is_compromised[a_card]}
        shares.append(len(caught) / CARDS_A_DAY)
        found |= caught
    return float(np.mean(shares))


def days(rows: pa.Table, start: dt.date = TRAIN_START) -> Numbers:
    """Day of each transaction, counted from a date."""
    dates = np.asarray(rows["TX_DATETIME"].cast(pa.date32()).cast(pa.int32()), dtype=np.int64)
    return dates - (start - dt.date(1970, 1, 1)).days


def cards(rows: pa.Table) -> Numbers:
    """Card of each transaction: a customer has one."""
    return np.asarray(rows["CUSTOMER_ID"], dtype=np.int64)
