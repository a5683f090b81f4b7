"""A contract in the words of others says what the contract says, by their own tools."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from importlib import resources
from pathlib import Path

import fastavro
import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from open_data_contract_standard.model import OpenDataContractStandard
from tests.harness import SCREEN, typed
from tests.transactions import (
    ACQUIRER,
    ACQUIRER_ROW,
    CREDITCARD,
    SHOP,
    SHOP_ROW,
    WALLET,
    WALLET_ROW,
    message,
)

from fraudline.contract import Contract, Decoder
from fraudline.contract.contract_file import examine_text
from fraudline.errors import ContractError
from fraudline.schemas import avro_schema, data_contract, json_schema
from fraudline.settings import Settings
from fraudline.use_cases.export_contract import Form, export_contract
from fraudline.use_cases.project import Project

TIMES = examine_text(
    b"""
name = "times"
[roles]
label = "is_fraud"
amount = "amount"
event_time = "at"
[columns]
amount = { type = "float64" }
born_on = { type = "date", nullable = true }
opened_at = { type = "timestamp", format = "%d.%m.%Y %H:%M", timezone = "Europe/Vienna" }
at = { type = "int64", unit = "s" }
is_fraud = { type = "int64" }
"""
)
assert isinstance(TIMES, Contract)
TIMES_ROW = {"amount": 1.5, "born_on": "1999-12-31", "opened_at": "02.01.2026 03:04", "at": 5}
CONTRACTS = [CREDITCARD, WALLET, SHOP, TIMES, ACQUIRER]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda each: each.name)
def test_an_avro_schema_takes_each_transaction_and_no_label(contract: Contract) -> None:
    schema = fastavro.parse_schema(json.loads(avro_schema(contract)))
    names = [column.name for column in contract.transaction_columns]
    assert [field["name"] for field in schema["fields"]] == names
    assert contract.label not in names


def test_an_avro_schema_says_limits_and_units_in_words_since_it_has_no_others() -> None:
    fields = {field["name"]: field for field in json.loads(avro_schema(WALLET))["fields"]}
    assert fields["amount_minor"]["doc"] == "Unit: cent. At least 0."
    assert fields["risk_note"]["type"] == ["null", "double"]
    assert fields["risk_note"]["default"] is None
    assert fields["paid_at"]["type"] == {"type": "long", "logicalType": "timestamp-micros"}
    row = {**WALLET_ROW, "paid_at": 1}
    with io.BytesIO() as out:
        fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(avro_schema(WALLET))), row)
        assert out.tell() > 0


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda one: not one.is_integer()),
    st.text(max_size=3),
    st.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02", "x" * 13, "x" * 70, " ", "", [], {}]),
)


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_what_a_json_schema_takes_is_what_is_decoded(data: st.DataObject) -> None:
    contract, row = data.draw(
        st.sampled_from(
            [(WALLET, WALLET_ROW), (SHOP, SHOP_ROW), (TIMES, TIMES_ROW), (ACQUIRER, ACQUIRER_ROW)]
        )
    )
    names = st.sampled_from([*(name for name in row if name != "opened_at"), "another"])
    changed = {**row, **data.draw(st.dictionaries(names, _VALUES, max_size=2))}
    for name in data.draw(st.sets(names, max_size=1)):
        changed.pop(name, None)
    sent = json.loads(message(changed))
    checks = jsonschema.Draft7Validator(json.loads(json_schema(contract)))
    decoder = Decoder(contract.transaction_columns, id_columns=contract.id_columns)
    rows, _, rejects = decoder.decode_rows([json.dumps(sent).encode()])
    faults = [error.message for error in checks.iter_errors(sent)]
    assert bool(rows) == (not faults), (sent, faults, rejects)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda each: each.name)
def test_an_open_data_contract_is_one_by_the_standard_s_own_schema(contract: Contract) -> None:
    text = data_contract(contract, topic="transactions", table="history")
    file = resources.files("open_data_contract_standard") / "schema.json"
    jsonschema.Draft201909Validator(json.loads(file.read_text())).validate(yaml.safe_load(text))
    read = OpenDataContractStandard.from_string(text)
    transactions, history = read.schema_
    assert [one.name for one in transactions.properties] == list(contract.transaction_schema.names)
    assert [one.name for one in history.properties] == list(contract.history_schema.names)
    assert [one.required for one in history.properties] == [
        not column.is_nullable for column in contract.columns
    ]
    told = {
        each.value: one.name
        for one in history.properties
        for each in one.customProperties or ()
        if each.property == "role"
    }
    assert told["label"] == contract.label
    assert told["event_time"] == contract.event_time


def test_numbers_and_words_of_an_open_data_contract_are_read_as_they_were_written() -> None:
    text = SMALL.replace("DESCRIPTION", r"of \"two\"\nlines: yes, naïve # 💳")
    contract = examine_text(text.encode())
    assert isinstance(contract, Contract)
    read = yaml.safe_load(data_contract(contract, topic="yes", table="1"))
    amount = read["schema"][0]["properties"][0]
    assert amount["logicalTypeOptions"] == {"minimum": 1e-7, "maximum": 1e16}
    assert amount["description"] == 'of "two"\nlines: yes, naïve # 💳'
    assert read["schema"][0]["physicalName"] == "yes"
    assert read["schema"][1]["physicalName"] == "1"


def test_an_open_data_contract_names_the_table_that_is_read_as_history() -> None:
    settings = Settings.model_validate(
        {"bigquery": {"history": "bank.payments", "history_columns": {"Amount": "sum_eur"}}}
    )
    read = yaml.safe_load(export_contract(Project(settings), "odcs"))
    assert read["schema"][1]["physicalName"] == "bank.payments"
    columns = {each["name"]: each for each in read["schema"][1]["properties"]}
    assert columns["Amount"]["physicalName"] == "sum_eur"
    assert not any("physicalType" in each for each in columns.values())  # nobody has asked it


SMALL = """
name = "small"
[roles]
label = "is_fraud"
amount = "amount"
event_time = "at"
[columns]
amount = { type = "float64", min = 1e-7, max = 1e16, description = "DESCRIPTION" }
at = { type = "int64", unit = "s" }
is_fraud = { type = "int64" }
"""


@pytest.mark.parametrize("form", ["--avro", "--json-schema", "--odcs"])
def test_contract_export_prints_the_contract_of_the_settings_and_nothing_else(
    form: str, tmp_path: Path
) -> None:
    answer = typed(("contract", "export", form), {**os.environ, **SCREEN}, tmp_path)
    assert answer.code == 0
    read = yaml.safe_load(answer.out)  # which JSON is, too
    assert CREDITCARD.name in (read.get("name"), read.get("title"))


@pytest.mark.parametrize("given", [(), ("--avro", "--odcs")], ids=["none", "two"])
def test_contract_export_wants_one_form(given: tuple[str, ...], tmp_path: Path) -> None:
    answer = typed(("contract", "export", *given), {**os.environ, **SCREEN}, tmp_path)
    assert answer.code == 2
    assert "give one of --avro, --json-schema, --protobuf and --odcs" in answer.said


@pytest.mark.parametrize("form", ["avro", "json-schema", "protobuf", "odcs"])
def test_of_messages_that_have_a_column_elsewhere_no_flat_schema_is_printed(form: Form) -> None:
    amount, *others = CREDITCARD.columns
    moved = replace(amount, source="payload.sum")
    project = Project(Settings())
    project.contract = replace(CREDITCARD, columns=(moved, *others))
    with pytest.raises(ContractError, match=rf"'{amount.name}' from 'payload.sum'"):
        export_contract(project, form)
