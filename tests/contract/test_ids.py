"""An id of one column or of several: one text for each, and no other id has it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.contract.told import faults_of
from tests.transactions import ACQUIRER, ACQUIRER_FILE, ACQUIRER_ROW, WALLET, WALLET_ROW, message

from fraudline.contract import Decoder, RejectReason
from fraudline.contract.id_texts import id_column, id_parts, id_text
from fraudline.contract.ids import find_id_faults

# What marks parts, and what stands beside it, far more often than chance would have it.
WORDS = st.text(st.sampled_from("|\\a\n") | st.characters(codec="utf-8"), max_size=6)
PARTS = st.lists(WORDS, min_size=2, max_size=4)


@given(one=PARTS, other=PARTS)
@example(one=["a|b", "c"], other=["a", "b|c"])
@example(one=["a\\", "b"], other=["a", "\\b"])
@example(one=["", "|"], other=["|", ""])
def test_two_ids_have_one_text_only_if_all_their_parts_are_the_same(one, other):
    if len(one) == len(other):  # as they are in one contract
        assert (id_text(one) == id_text(other)) == (one == other)


@given(parts=PARTS)
def test_the_text_of_an_id_is_read_back_to_its_parts(parts):
    assert id_parts(id_text(parts), len(parts)) == tuple(parts)
    assert id_parts(id_text(parts), len(parts) + 1) is None


@pytest.mark.parametrize("text", ["", "a", "a|b|c", "a\\|b", "a\\b|c", "a|b\\"])
def test_what_is_no_id_of_two_parts_is_read_as_none(text):
    assert id_parts(text, 2) is None


@given(rows=st.lists(st.tuples(WORDS, st.integers(-(2**63), 2**63 - 1), WORDS), max_size=5))
def test_arrow_rows_and_messages_give_the_same_text_as_values_do(rows):
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(
        (pa.string(), pa.int64(), pa.string())
    )]  # fmt: skip
    table = pa.table(columns, names=["a", "b", "c"])
    assert id_column(table, ("a", "b", "c")).to_pylist() == [id_text(row) for row in rows]
    assert id_column(table, ("b",)).to_pylist() == [row[1] for row in rows]


@given(acquirer=WORDS, rrn=st.integers(0, 2**63 - 1))
def test_the_key_of_a_message_is_the_id_that_its_decision_has(acquirer, rrn):
    text = message(ACQUIRER_ROW, acquirer=acquirer, rrn=rrn)
    rows, _, rejects = Decoder(ACQUIRER.transaction_columns).decode_rows([text])
    assert not rejects
    (found,) = ACQUIRER.row_ids(rows)
    assert ACQUIRER.key_of(text) == found.encode()
    assert id_parts(found, 2) == (acquirer, str(rrn))


def test_the_id_of_one_column_is_its_value_as_it_always_was():
    text = message(WALLET_ROW, payment_id="a|b\\")
    rows, _, _ = Decoder(WALLET.transaction_columns).decode_rows([text])
    assert WALLET.row_ids(rows) == ["a|b\\"]
    assert WALLET.key_of(text) == b"a|b\\"
    assert WALLET.fingerprint[:16] == "7d869e5832dfdabd"


def test_a_message_without_a_part_of_its_id_has_no_key_and_is_rejected():
    text = message({name: value for name, value in ACQUIRER_ROW.items() if name != "rrn"})
    assert ACQUIRER.key_of(text) is None
    decoder = Decoder(ACQUIRER.transaction_columns, id_columns=ACQUIRER.id_columns)
    blank = message(ACQUIRER_ROW, acquirer=" \t")
    _, _, rejects = decoder.decode_rows([text, blank])
    assert [reject.reason for reject in rejects] == [
        RejectReason.MISSING_COLUMN,
        RejectReason.OUT_OF_RANGE,
    ]
    assert "column 'acquirer': this part of the id is empty" in rejects[1].message


def test_a_history_has_an_id_twice_only_where_all_parts_are_the_same():
    row: dict[str, Any] = {**ACQUIRER_ROW, "paid_at": None, "is_fraud": False}
    rows = [
        row,
        row | {"rrn": 13},
        row | {"acquirer": "north", "rrn": 12},
        row | {"rrn": 13, "amount": 3.0},
        row,
    ]
    schema = pa.schema([field.with_nullable(True) for field in ACQUIRER.history_schema])
    found = find_id_faults(pa.Table.from_pylist(rows, schema), ACQUIRER)
    assert (found.repeats, found.reused, found.example) == (1, 1, "north\\|sea|13")


SEVERAL = ACQUIRER_FILE.read_text()


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('["acquirer", "rrn"]', "[]", "expected the name of a column, or a list of 2 to 8"),
        ('["acquirer", "rrn"]', '["rrn"]', "a list of 2 to 8 different ones"),
        ('["acquirer", "rrn"]', '["rrn", "rrn"]', "a list of 2 to 8 different ones"),
        ('["acquirer", "rrn"]', '["rrn", "rnn"]', "id = 'rnn' is not one of its columns. Did you"),
        ('["acquirer", "rrn"]', '["rrn", 3]', "id = 3 is not one of its columns"),
        ('["acquirer", "rrn"]', '["rrn", {a = 1}]', "is not one of its columns"),
        (
            '["acquirer", "rrn"]',
            '["rrn", "amount"]',
            "column 'amount' has two roles, amount",
        ),
        ('["acquirer", "rrn"]', '["rrn", "speed"]', "id column 'speed' must be string or int64"),
        ('["acquirer", "rrn"]', '["rrn", "terminal"]', "not nullable, found int64, nullable"),
        (", max_length = 32", "", "may have 2,069 characters (a text counts twice)"),
        (", max_length = 32", "", "write max_length = 501 or less"),
        ("rrn = { ", "rrn = { feature = true, ", "column 'rrn' names a part of the id"),
    ],
)
def test_faults_of_an_id_of_several_columns_are_told(was, becomes, told):
    assert was in SEVERAL
    assert any(told in fault for fault in faults_of(SEVERAL.replace(was, becomes)))
