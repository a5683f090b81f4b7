"""A table from a file gets the contract's types without a value being altered."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from tests.transactions import WALLET

from fraudline.contract import Column, RefusalReason, conform
from fraudline.errors import ContractError

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=dt.UTC)
TABLE = pa.table(
    {
        "payment_id": ["a", "b"],
        "paid_at": pa.array([MOMENT, MOMENT], pa.timestamp("us", "UTC")),
        "amount_minor": [1, 2],
        "velocity": [1.0, -0.0],
        "distance_km": [0.1, 5e-324],
        "is_abroad": [True, False],
        "risk_note": [None, 1.0],
        "is_fraud": [False, True],
        "merchant": [None, " x "],
    },
)


def with_column(name: str, values: pa.Array) -> pa.Table:
    return TABLE.set_column(TABLE.column_names.index(name), name, values)


def conformed(name: str, values: pa.Array) -> tuple[list[object], list[tuple[int, str]]]:
    rows, refusals = conform(with_column(name, values), WALLET.columns)
    assert rows.schema == WALLET.history_schema
    return rows.column(name).to_pylist(), [(each.row, each.reason.value) for each in refusals]


def test_a_table_that_fits_is_unchanged():
    rows, refusals = conform(TABLE, WALLET.columns)
    assert refusals == []
    assert rows.to_pylist() == TABLE.to_pylist()
    assert str(rows["velocity"][1]) == "-0.0"


def test_columns_may_come_in_any_order():
    rows, _ = conform(TABLE.select(TABLE.column_names[::-1]), WALLET.columns)
    assert rows.to_pylist() == TABLE.to_pylist()


def test_a_column_too_many_too_few_or_twice_is_named():
    with pytest.raises(ContractError, match=r"missing 'velocity'\. Expected exactly: payment_id,"):
        conform(TABLE.drop_columns("velocity"), WALLET.columns)
    with pytest.raises(ContractError, match="unknown 'extra'"):
        conform(TABLE.append_column("extra", TABLE["velocity"]), WALLET.columns)
    with pytest.raises(ContractError, match="there twice 'velocity'"):
        conform(TABLE.append_column("velocity", TABLE["velocity"]), WALLET.columns)


MOMENT_US = 1_767_323_045_678_901
EXACT = {
    "float32": ("velocity", pa.array([0.1, 2], pa.float32()), [0.10000000149011612, 2.0]),
    "int32": ("amount_minor", pa.array([1, 2], pa.int32()), [1, 2]),
    "uint64": ("amount_minor", pa.array([1, 2**63 - 1], pa.uint64()), [1, 2**63 - 1]),
    "whole floats": ("amount_minor", pa.array([1.0, 2.0]), [1, 2]),
    "integers as floats": ("velocity", pa.array([2**53, 1]), [2.0**53, 1.0]),
    "decimals": ("velocity", pa.array([Decimal("0.10"), Decimal("2.00")]), [0.1, 2.0]),
    "bools as numbers": ("amount_minor", pa.array([True, False]), [1, 0]),
    "numbers as bools": ("is_fraud", pa.array([1, 0], pa.int8()), [True, False]),
    "words as bools": ("is_fraud", pa.array(["true", "0"]), [True, False]),
    "text": (
        "velocity",
        pa.array([" 1e-320\t", "123456789.123456789"]),
        [1e-320, 123456789.123456789],
    ),
    "large text": ("merchant", pa.array(["a", ""], pa.large_string()), ["a", ""]),
    "views of text": ("merchant", pa.array(["a", "b"], pa.string_view()), ["a", "b"]),
    "a dictionary of text": ("merchant", pa.array([" a", None]).dictionary_encode(), [" a", None]),
    "a dictionary of numbers": ("velocity", pa.array([1.5, 2.5]).dictionary_encode(), [1.5, 2.5]),
    "bytes": ("merchant", pa.array(["é".encode(), None]), ["é", None]),
    "integers as ids": ("payment_id", pa.array([7, 8]), ["7", "8"]),
    "nothing but nulls": ("merchant", pa.nulls(2), [None, None]),
    "times of another zone": (
        "paid_at",
        pa.array([MOMENT_US * 1000, 0], pa.timestamp("ns", "Asia/Tokyo")),
        [MOMENT, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)],
    ),
    "times as text": (
        "paid_at",
        pa.array(["2026-01-02T03:04:05.678901Z", "1970-01-01 02:00:00+02:00"]),
        [MOMENT, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)],
    ),
}


@pytest.mark.parametrize(("name", "values", "expected"), EXACT.values(), ids=EXACT)
def test_another_type_that_holds_the_same_values_is_taken(name, values, expected):
    assert conformed(name, values) == (expected, [])


FAULTY = {
    "a float32 of no integer": ("amount_minor", pa.array([1.0, 2.5]), "wrong_type"),
    "an integer that no float holds": ("velocity", pa.array([1, 2**53 + 1]), "wrong_type"),
    "a decimal that is no integer": (
        "amount_minor",
        pa.array([Decimal("1.00"), Decimal("1.50")]),
        "wrong_type",
    ),
    "an unsigned one too large": (
        "amount_minor",
        pa.array([1, 2**64 - 1], pa.uint64()),
        "wrong_type",
    ),
    "2 for a bool": ("is_fraud", pa.array([1, 2]), "wrong_type"),
    "a half for a bool": ("is_fraud", pa.array([1.0, 0.5]), "wrong_type"),
    "a word for a bool": ("is_fraud", pa.array(["1", "yes"]), "wrong_type"),
    "a word for a number": ("velocity", pa.array(["1", "NA"]), "wrong_type"),
    "a decimal comma": ("velocity", pa.array(["1", "12,50"]), "wrong_type"),
    "a number of another script": ("velocity", pa.array(["1", "\uff11"]), "wrong_type"),
    "a float in an integer's text": ("amount_minor", pa.array(["1", "1.0"]), "wrong_type"),
    "an integer beyond int64": ("amount_minor", pa.array(["1", str(2**63)]), "wrong_type"),
    "a time without an offset": (
        "paid_at",
        pa.array(["2026-01-02T00:00:00Z", "2026-01-02T00:00:00"]),
        "wrong_type",
    ),
    "bytes that are not UTF-8": ("merchant", pa.array([b"a", b"\xe9"]), "invalid_utf8"),
    "no value": ("velocity", pa.array([1.0, None]), "null_value"),
    "an empty text": ("velocity", pa.array(["1", " "]), "null_value"),
    "NaN": ("velocity", pa.array([1.0, float("nan")]), "out_of_range"),
    "infinity": ("risk_note", pa.array([1.0, float("-inf")]), "out_of_range"),
    "1e400": ("velocity", pa.array(["1", "1e400"]), "out_of_range"),
    "a feature beyond float32": ("velocity", pa.array([1.0, 1e39]), "out_of_range"),
    "less than the least": ("amount_minor", pa.array([0, -1]), "out_of_range"),
    "a long string": ("merchant", pa.array(["é" * 1024, "é" * 1025]), "out_of_range"),
    "a time before the year 1": (
        "paid_at",
        pa.array([0, -62_135_596_800_000_001], pa.timestamp("us", "UTC")),
        "out_of_range",
    ),
    "a time after the year 9999": (
        "paid_at",
        pa.array([0, 2**62], pa.timestamp("us", "UTC")),
        "out_of_range",
    ),
    "a time whose offset leaves the calendar": (
        "paid_at",
        pa.array(["2026-01-02T00:00:00Z", "9999-12-31T23:00:00-01:00"]),
        "out_of_range",
    ),
}


@pytest.mark.parametrize(("name", "values", "reason"), FAULTY.values(), ids=FAULTY)
def test_a_value_that_would_have_to_be_altered_refuses_its_row_only(name, values, reason):
    kept, refusals = conformed(name, values)
    assert len(kept) == 1
    assert refusals == [(2, reason)]


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("paid_at", pa.array([1, 2]), "'paid_at' is int64, which cannot be read as timestamp"),
        ("amount_minor", pa.array([MOMENT] * 2), "'amount_minor' is timestamp"),
        ("velocity", pa.array([[1.0], [2.0]]), "'velocity' is a list"),
        ("merchant", pa.array([1.5, 2.5]), "'merchant' is float64, which cannot be read as string"),
    ],
)
def test_a_column_that_means_something_else_is_named(name, values, told):
    with pytest.raises(ContractError, match=told):
        conform(with_column(name, values), WALLET.columns)


NOTES = {
    "decimals": (
        "velocity",
        pa.array([Decimal("0.1"), Decimal("12345678901234567.89")], pa.decimal128(38, 2)),
        "column 'velocity': 1 of its values with more digits than a float64 holds",
    ),
}


@pytest.mark.parametrize(("name", "values", "told"), NOTES.values(), ids=NOTES)
def test_what_is_assumed_of_a_column_is_told(name, values, told):
    notes: list[str] = []
    _, refusals = conform(with_column(name, values), WALLET.columns, notes.append)
    assert refusals == []
    assert len(notes) == 1
    assert told in notes[0]


def test_nothing_is_told_of_a_table_that_fits():
    notes: list[str] = []
    conform(TABLE, WALLET.columns, notes.append)
    assert notes == []


@pytest.mark.parametrize(
    "values",
    [
        pa.array([Decimal(1), Decimal(2**53 + 1)], pa.decimal128(38, 0)),
        pa.array(["1", str(2**53 + 1)]),
        pa.array(["1", f"{2**53 + 1}.00"]),
    ],
)
def test_a_whole_number_that_no_float_is_refuses_its_row_however_it_is_written(values):
    kept, refusals = conformed("velocity", values)
    assert kept == [1.0]
    assert refusals == [(2, "wrong_type")]


def test_a_refusal_names_its_column_and_what_was_found():
    _, refusals = conform(with_column("velocity", pa.array(["x", "y" * 9999])), WALLET.columns)
    assert refusals[0].message == "column 'velocity': expected float64, found 'x'"
    assert len(refusals[1].message) < 200


def test_a_row_with_several_faults_is_refused_once():
    table = with_column("velocity", pa.array(["x", "1"]))
    table = table.set_column(2, "amount_minor", pa.array(["y", "-1"]))
    _, refusals = conform(table, WALLET.columns)
    assert [(each.row, each.reason) for each in refusals] == [
        (1, RefusalReason.WRONG_TYPE),
        (2, RefusalReason.OUT_OF_RANGE),
    ]


def test_faults_are_found_wherever_they_are_in_a_chunked_table():
    texts = ["1.5"] * 1000
    for row in (1, 2, 500, 777, 1000):
        texts[row - 1] = "?"
    table = pa.concat_tables([TABLE.slice(0, 1)] * 1000)
    chunks = pa.chunked_array([texts[:1], [], texts[1:600], texts[600:]], pa.string())
    rows, refusals = conform(table.set_column(3, "velocity", chunks), WALLET.columns)
    assert [each.row for each in refusals] == [1, 2, 500, 777, 1000]
    assert rows.num_rows == 995


@pytest.mark.parametrize("most", [2**53 + 1, 10**20])
def test_a_whole_number_may_limit_a_column_of_floats(most):
    column = Column("a", "float64", max=most)
    rows, refused = conform(pa.table({"a": [1.0, 2e20]}), [column])
    assert rows["a"].to_pylist() == [1.0]
    assert [(one.row, one.reason) for one in refused] == [(2, RefusalReason.OUT_OF_RANGE)]


def test_a_time_of_a_file_is_cut_to_the_microsecond_before_it_as_that_of_a_message_is() -> None:
    (paid_at,) = [one for one in WALLET.columns if one.name == "paid_at"]
    late, early = 1_798_761_599_999_999_999, -1
    texts = ["2026-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.9999999Z"]
    for values in (
        pa.array([late, early], pa.timestamp("ns", "UTC")),
        pa.array(texts),
        pa.array(texts).cast(pa.binary()),
    ):
        told: list[str] = []
        table, refusals = conform(pa.table({"paid_at": values}), [paid_at], told.append)
        assert refusals == []
        assert any("finer than a microsecond" in note for note in told)
        assert table.column("paid_at").to_pylist() == [
            dt.datetime(2026, 12, 31, 23, 59, 59, 999_999, dt.UTC),
            dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, dt.UTC),
        ]
