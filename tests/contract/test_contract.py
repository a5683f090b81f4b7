"""All that follows from a contract, for the one that fraudline brings and for another."""

import datetime as dt
import zlib

import numpy as np
import pyarrow as pa
import pytest
from tests.transactions import (
    BARE,
    CARD_ROW,
    CREDITCARD,
    SHOP,
    SHOP_ROW,
    WALLET,
    WALLET_ROW,
    message,
)

from fraudline.contract import DECISION_COLUMNS, REJECT_COLUMNS, Decoder, json_lines
from fraudline.contract.columns import Column, arrow_schema
from fraudline.contract.level_codes import level_code
from fraudline.contract.row_numbers import RowNumbers
from fraudline.errors import InputError

AT = {
    "ordered_at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    "last_login_at": dt.datetime(2026, 1, 2, 2, 2, 3, tzinfo=dt.UTC),
}


def payments(*changes: dict[str, object]) -> pa.RecordBatch:
    rows, _, rejects = Decoder(WALLET.transaction_columns).decode(
        [message(WALLET_ROW, **change) for change in changes]
    )
    assert rejects == []
    return rows


def test_a_transaction_in_flight_has_every_column_but_the_label():
    assert [column.name for column in WALLET.transaction_columns] == list(WALLET_ROW)
    assert [column.name for column in CREDITCARD.transaction_columns] == list(CARD_ROW)


def test_a_decision_has_the_transactions_columns_and_then_its_own():
    assert WALLET.decision_columns == (*WALLET.transaction_columns, *DECISION_COLUMNS)


def test_rows_without_an_amount_or_a_time_are_worth_nothing_by_themselves_and_come_evenly():
    rows, *_ = Decoder(BARE.transaction_columns).decode([message(SHOP_ROW)] * 3)
    assert BARE.amounts(rows).tolist() == [0, 0, 0]
    assert (BARE.known_amounts(rows), BARE.amount_unit) == (None, "")
    assert SHOP.known_amounts(rows).tolist() == [12.5] * 3
    assert BARE.event_seconds(rows).tolist() == [0, 216, 432]
    assert BARE.event_seconds(rows, np.array([0, 9, 10])).tolist() == [0, 9 * 216, 10 * 216]
    assert BARE.features == SHOP.features
    plain, *_ = Decoder(BARE.transaction_columns).decode_rows([message(SHOP_ROW)] * 3)
    features, amounts = RowNumbers(BARE).read(plain)
    assert features.tobytes() == SHOP.feature_matrix(rows).tobytes()
    assert amounts.tolist() == [0, 0, 0]


def test_a_schema_has_the_columns_in_order_with_their_types_and_nulls():
    assert [(field.name, str(field.type), field.nullable) for field in WALLET.history_schema] == [
        ("payment_id", "string", False),
        ("paid_at", "timestamp[us, tz=UTC]", False),
        ("amount_minor", "int64", False),
        ("velocity", "double", False),
        ("distance_km", "double", False),
        ("is_abroad", "bool", False),
        ("risk_note", "double", True),
        ("is_fraud", "bool", False),
        ("merchant", "string", True),
    ]


def test_a_description_in_a_schema_tells_the_unit():
    schema = arrow_schema([Column("x", "float64", "Way.", unit="km"), Column("y", "int64")])
    assert schema.field("x").metadata == {b"description": b"Way. Unit: km."}
    assert schema.field("y").metadata is None


def test_a_network_sees_neither_label_nor_id_nor_strings_nor_what_is_no_feature():
    assert WALLET.features == ("paid_at", "amount_minor", "velocity", "distance_km", "is_abroad")


def test_a_null_is_nan_to_a_network_where_the_contract_permits_it_and_refused_elsewhere():
    orders = pa.Table.from_pylist(
        [
            {**SHOP_ROW, **AT},
            {
                "ordered_at": AT["ordered_at"],
                "amount": 1.0,
                "speed": 2.0,
                "code": 7,
                "merchant": "",
            },
        ],
        schema=pa.schema([field.with_nullable(True) for field in SHOP.transaction_schema]),
    )
    nullable = ["items", "amount_of_last_order", "is_known", "last_login_at"]
    levels = ["country", "code", "is_gift", "merchant"]
    assert list(SHOP.features) == ["amount", *nullable, "speed", *levels]
    seen = SHOP.feature_matrix(orders)
    assert seen[0, :6].tolist() == [12.5, 3, 7.25, 1, 7323, 0.5]
    assert np.isnan(seen[1]).tolist() == [False, *[True] * 4, False, True, False, True, False]
    assert not SHOP.unusable(seen).any()
    fault = np.float32([[np.nan, np.inf, np.nan, 1, 1, np.nan, np.nan, 1, 1, np.nan]])
    assert SHOP.unusable(fault)[0].tolist() == [*[True] * 2, *[False] * 3, True, *[False] * 3, True]
    speed = orders.schema.get_field_index("speed")
    without = orders.set_column(speed, "speed", pa.nulls(2, pa.float64()))
    with pytest.raises(InputError, match="'speed' is null in 2 rows"):
        SHOP.feature_matrix(without)


def test_a_level_is_the_upper_bits_of_the_crc_of_its_bytes_whatever_it_comes_as():
    row = SHOP.feature_matrix(
        pa.Table.from_pylist([{**SHOP_ROW, **AT}], schema=SHOP.transaction_schema)
    )[0]
    levels = ("Österreich", "5411", "false", "m-17")
    assert row[6:].tolist() == [zlib.crc32(each.encode()) >> 8 for each in levels]
    assert level_code("") == 0
    assert level_code("at") != level_code("AT")
    assert max(level_code(str(number)) for number in range(10_000)) < 2**24


def test_categories_are_of_the_type_as_they_come_in_tables_and_messages():
    assert [str(SHOP.history_schema.field(name).type) for name in SHOP.categories] == [
        *("string", "int64", "bool", "string"),
    ]
    decoder = Decoder(SHOP.transaction_columns)
    long, wrong = message(SHOP_ROW, country="x" * 13), message(SHOP_ROW, code="5411")
    _, _, rejects = decoder.decode([long, message(SHOP_ROW), wrong])
    assert [(each.index, str(each.reason)) for each in rejects] == [
        (0, "out_of_range"),
        (2, "wrong_type"),
    ]


def test_a_contract_that_did_not_change_keeps_the_fingerprint_that_its_models_have():
    assert CREDITCARD.fingerprint.startswith("9a32da528e20371e634d0009e764e1da")
    assert WALLET.fingerprint.startswith("7d869e5832dfdabd2f4823d647dca085")


def test_the_feature_matrix_is_float32_in_feature_order():
    matrix = WALLET.feature_matrix(payments({}))
    assert matrix.dtype == np.float32
    assert matrix.tolist() == [[np.float32(11_045.678901), 1250.0, 1.5, 2.0, 1.0]]


@pytest.mark.parametrize(
    ("moment", "second_of_day"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", 86_399.5),
        ("0001-01-01T00:00:01Z", 1),
        ("9999-12-31T12:00:00Z", 43_200),
        ("2026-01-01T00:30:00+02:00", 81_000),
    ],
)
def test_a_network_sees_a_time_as_its_second_of_the_day_in_utc(moment, second_of_day):
    assert WALLET.feature_matrix(payments({"paid_at": moment}))[0, 0] == second_of_day


def test_a_table_of_many_chunks_gives_the_same_matrix_as_one_batch():
    batch = payments({}, {"is_abroad": False}, {"amount_minor": 0})
    table = pa.Table.from_batches([batch.slice(0, 1), batch.slice(1), batch.slice(0, 0)])
    assert np.array_equal(WALLET.feature_matrix(table), WALLET.feature_matrix(batch))


def test_no_rows_give_an_empty_matrix_of_the_right_width():
    assert WALLET.feature_matrix(WALLET.transaction_schema.empty_table()).shape == (0, 5)


def test_every_value_that_a_contract_lets_through_is_a_finite_feature():
    most = 3.4028234663852886e38
    rows = payments({"velocity": most, "amount_minor": 2**63 - 1}, {"velocity": -most})
    assert np.isfinite(WALLET.feature_matrix(rows)).all()


def test_labels_are_0_or_1_be_they_bool_or_integer():
    wallet = pa.table({"is_fraud": [True, False]})
    card = pa.table({"Class": [1, 0]})
    assert WALLET.labels(wallet).tolist() == CREDITCARD.labels(card).tolist() == [1, 0]


def test_amounts_are_float64_be_they_integer_or_float():
    amounts = WALLET.amounts(payments({"amount_minor": 7}))
    assert amounts.dtype == np.float64
    assert amounts.tolist() == [7.0]


def test_json_lines_are_one_object_a_row_with_every_column():
    (line,) = json_lines(payments({"merchant": None}))
    assert line == (
        b'{"payment_id":"p-1","paid_at":"2026-01-02T03:04:05.678901Z","amount_minor":1250,'
        b'"velocity":1.5,"distance_km":2.0,"is_abroad":true,"risk_note":null,"merchant":null}'
    )


def test_no_decision_or_reject_column_is_there_twice():
    for columns in (WALLET.decision_columns, CREDITCARD.decision_columns, REJECT_COLUMNS):
        names = [column.name for column in columns]
        assert len(names) == len(set(names))
