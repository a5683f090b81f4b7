"""Files are read as messages are: other names, texts for null, without the foreign rest."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract.test_message_rules import contract_of, sent

from fraudline.datasets.files import read_transactions
from fraudline.errors import ContractError

FLAT = """TRANSACTION_ID,at,payload.card.amount,payload.card.country,age,is_new,speed,isFraud,note
7,2026-01-02T03:04:05.678901Z,12.50,AT,41,1,0.1,0,x
8,2026-01-02T03:04:05Z,1,,NA,0,0.2,1,y
"""
NESTED = {
    "TRANSACTION_ID": [7],
    "at": ["2026-01-02T03:04:05.678901Z"],
    "payload": [{"card": {"amount": 12.5, "country": "NA"}}],
    "age": [41],
    "is_new": [True],
    "speed": [0.1],
    "isFraud": [False],
}


def test_a_file_is_read_under_the_names_that_messages_have(tmp_path: Path) -> None:
    contract = contract_of(tmp_path)
    path = tmp_path / "flat.csv"
    path.write_text(FLAT)
    read = read_transactions(path, contract)
    assert read.refusals == []
    assert read.is_labelled
    first, second = read.rows.to_pylist()
    assert (second["country"], second["age"], second["fraud"]) == (None, None, True)
    rows, *_ = contract.decoder().decode([sent()])
    assert {name: first[name] for name in rows.schema.names} == rows.to_pylist()[0]
    told = "; ".join(read.notes)
    assert "columns that the contract ignores were left out: 'note'" in told
    assert "column 'age' says null by one of '', 'NA' in 1 rows" in told


def test_a_parquet_file_may_be_nested_as_messages_are(tmp_path: Path) -> None:
    contract = contract_of(tmp_path)
    pq.write_table(pa.table(NESTED), tmp_path / "nested.parquet")
    read = read_transactions(tmp_path / "nested.parquet", contract)
    assert read.rows.column("amount").to_pylist() == [12.5]
    assert read.rows.column("country").to_pylist() == [None]


def test_a_column_under_both_of_its_names_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table(NESTED | {"own_TRANSACTION_ID": [8]}), tmp_path / "both.parquet")
    with pytest.raises(ContractError, match="is there under its own name, and as 'TRANSACTION_ID'"):
        read_transactions(tmp_path / "both.parquet", contract_of(tmp_path))
