"""A column's limits are one thing, whoever asks: the decoder, the check of files, the SQL."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pyarrow as pa
import pytest

import bqlite
from fraudline.contract import Column, Decoder, conform
from fraudline.contract.columns import COLUMN_TYPES, EARLIEST, LATEST
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_quality import out_of_range_sql
from fraudline.warehouse.query import query

MOST_FLOAT = 1.7976931348623157e308
FREE = Column("c", "float64")
SHARE = Column("c", "float64", min=0, max=1)
SMALL = Column("c", "float64", min=-1e-3)
WHOLE = Column("c", "int64")
COUNT = Column("c", "int64", min=0, max=10)
BETWEEN = Column("c", "int64", min=0.5, max=2.5)
MOMENT = Column("c", "timestamp")
DAY = Column("c", "date")
WORD = Column("c", "string", max_length=3)
FLAG = Column("c", "bool")
KIND = Column("c", "string", words=("fraud", "legitimate"))
MAYBE_KIND = Column("c", "string", words=("fraud",), is_nullable=True)
MAYBE = Column("c", "float64", min=0, is_nullable=True)

CASES: list[tuple[Column, object, bool]] = [
    (FREE, 0.0, True),
    (FREE, MOST_FLOAT, True),
    (FREE, -MOST_FLOAT, True),
    (FREE, float("nan"), False),
    (FREE, float("inf"), False),
    (FREE, float("-inf"), False),
    (SHARE, 0.0, True),
    (SHARE, -0.0, True),
    (SHARE, 1.0, True),
    (SHARE, 1.0000000000000002, False),
    (SHARE, -5e-324, False),
    (SHARE, float("nan"), False),
    (SMALL, -1e-3, True),
    (SMALL, -1.0000000000000002e-3, False),
    (SMALL, float("inf"), False),
    (WHOLE, 2**63 - 1, True),
    (WHOLE, -(2**63), True),
    (COUNT, 0, True),
    (COUNT, 10, True),
    (COUNT, -1, False),
    (COUNT, 11, False),
    (BETWEEN, 0, False),
    (BETWEEN, 1, True),
    (BETWEEN, 2, True),
    (BETWEEN, 3, False),
    (KIND, "fraud", True),
    (KIND, "Fraud", False),
    (KIND, "", False),
    (MAYBE_KIND, None, True),
    (MAYBE_KIND, "legitimate", False),
    (MOMENT, EARLIEST, True),
    (MOMENT, LATEST, True),
    (MOMENT, dt.datetime(1970, 1, 1, tzinfo=dt.UTC), True),
    (DAY, dt.date.min, True),
    (DAY, dt.date.max, True),
    (WORD, "", True),
    (WORD, "abc", True),
    (WORD, "äöü", True),
    (WORD, "🪪🪪🪪", True),
    (WORD, "🪪🪪🪪🪪", False),
    (WORD, "abcd", False),
    (FLAG, True, True),
    (MAYBE, None, True),
    (MAYBE, -1.0, False),
]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with bqlite.serve(tmp_path_factory.mktemp("limits")) as running:
        yield Warehouse(BigQuerySettings(), Endpoint(running.rest, running.storage))


def literal(column: Column, value: object) -> str:
    kind = {"float64": "FLOAT64", "int64": "INT64", "bool": "BOOL", "string": "STRING"}
    if column.type == "timestamp":
        return f"TIMESTAMP '{value}'"
    if column.type == "date":
        return f"DATE '{value}'"
    shown = "NULL" if value is None else f"'{value}'"
    return f"CAST({shown} AS {kind[column.type]})"


@pytest.mark.parametrize(("column", "value", "is_within"), CASES, ids=repr)
def test_three_ways_to_check_a_value_agree(
    warehouse: Warehouse, column: Column, value: object, *, is_within: bool
) -> None:
    sent = value.isoformat() if isinstance(value, dt.date) else value
    _, accepted, _ = Decoder([column]).decode([json.dumps({"c": sent}).encode()])
    _, refusals = conform(pa.table({"c": pa.array([value], column.arrow_type)}), [column])
    sql = f"SELECT {out_of_range_sql(column)} AS is_out FROM (SELECT {literal(column, value)} AS c)"
    (row,) = query(warehouse, sql).to_pylist()
    found = {
        "decoder": accepted == [0],
        "file": refusals == [],
        "SQL": not row["is_out"],  # of a NULL it is NULL, or false
    }
    assert found == dict.fromkeys(found, is_within)


def test_every_type_of_a_contract_is_in_the_table_of_cases() -> None:
    of_no_contract = {"bytes"}  # only rejects have them, and no file has rejects
    assert {column.type for column, _, _ in CASES} == set(COLUMN_TYPES) - of_no_contract
