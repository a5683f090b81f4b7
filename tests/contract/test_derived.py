"""Derived columns are the same bits from files, messages and SQL, and say where they are null."""

from __future__ import annotations

import datetime as dt
import math
import random
import struct
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import bigquery
from tests.transactions import TRIP, TRIP_FILE, message

import bqlite
from fraudline.contract import Contract, Decoder, json_lines
from fraudline.contract.contract_file import examine_text
from fraudline.contract.derived_sql import with_derived_sql
from fraudline.contract.row_numbers import RowNumbers
from fraudline.errors import InputError
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.query import query
from fraudline.warehouse.schema import table_schema

TEXT = TRIP_FILE.read_text()
# What SQL may round otherwise, as its logarithms, sines and arcs are another library's.
INEXACT = {"log_amount": 1, "log_times": 1, "km": 8}
ODD = (0.0, -0.0, 1.0, -1.0, 5e-324, 1e-310, 3.4028234663852886e38, -3.4028234663852886e38, 0.1)


def rows(count: int, seed: int = 1) -> pa.Table:
    draw = random.Random(seed)

    def number() -> float:
        return draw.choice([draw.choice(ODD), draw.gauss(0, 100), 10 ** draw.uniform(-30, 30)])

    def maybe(value: object) -> object:
        return None if draw.random() < 0.1 else value

    def time() -> dt.datetime:
        us = draw.randrange(-(10**15), 2 * 10**15)  # 1938 to 2033
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)

    def day() -> dt.date:
        day = dt.date(1920, 1, 1) + dt.timedelta(days=draw.randrange(40_000))
        return draw.choice([day, dt.date(draw.randrange(1904, 2024, 4), 2, 29)])

    def place(most: float) -> float:
        return draw.choice([draw.uniform(-most, most), 0.0, most, -most])

    made = [
        {
            "paid_at": time(),
            "opened_at": maybe(time()),
            "born_on": maybe(day()),
            "issued_on": day(),
            "amount": number(),
            "usual": maybe(number()),
            "items": draw.choice([0, 1, 3, -7]),
            "large": draw.choice([2**63 - 1, -(2**63), 2**53 + 1, draw.randrange(10**18)]),
            "home_lat": place(90),
            "home_lon": place(180),
            "shop_lat": maybe(place(90)),
            "shop_lon": maybe(place(180)),
            "home_country": draw.choice(["AT", "DE", "at", "AT ", ""]),
            "shop_country": maybe(draw.choice(["AT", "DE", "at", "AT ", ""])),
        }
        for _ in range(count)
    ]
    return pa.Table.from_pylist(made, schema=TRIP.transaction_schema)


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("d", value)


def test_a_message_gives_the_bits_that_a_file_does():
    table = rows(300)
    contract = TRIP
    decoded, _, rejects = Decoder(contract.transaction_columns).decode_rows(json_lines(table))
    assert not rejects
    numbers = RowNumbers(contract)
    features, amounts = numbers.read(decoded)
    expected = contract.feature_matrix(table)
    assert features.tobytes() == expected.tobytes()
    assert amounts.tobytes() == contract.amounts(table).tobytes()
    shown = list(zip(*contract.seen_values(table), strict=True))
    for at in (0, 1, 299):
        one, _ = numbers.read(decoded[at : at + 1])
        assert one.tobytes() == expected[at : at + 1].tobytes()
        assert repr(numbers.features(decoded[at])) == repr(shown[at])


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pa.Table]:
    """Rows with what SQL derives of them, read by Google's client."""
    with bqlite.serve(tmp_path_factory.mktemp("derived")) as running:
        warehouse = Warehouse(BigQuerySettings(), Endpoint(running.rest, running.storage))
        warehouse.client.create_dataset(warehouse.settings.dataset, exists_ok=True)
        table = warehouse.table("trips")
        file = tmp_path_factory.mktemp("rows") / "rows.parquet"
        sent = rows(1500)
        pq.write_table(sent.append_column("n", pa.array(range(len(sent)), pa.int64())), file)
        schema = [*table_schema(sent.schema), bigquery.SchemaField("n", "INT64")]
        config = bigquery.LoadJobConfig(source_format="PARQUET", schema=schema)
        with file.open("rb") as opened:
            warehouse.client.load_table_from_file(opened, table, job_config=config).result()
        source = with_derived_sql(f"`{table}`", TRIP.derivations)
        yield query(warehouse, f"SELECT * FROM {source} ORDER BY n")


@pytest.mark.parametrize("name", [each.name for each in TRIP.derivations])
def test_sql_gives_the_same_as_files_row_by_row(stored, name):
    sent = rows(1500)
    found = TRIP.derive(sent)[name].tolist()
    mine = [None if math.isnan(each) else each for each in found]
    theirs = [None if each is None else float(each) for each in stored[name].to_pylist()]
    assert sum(each is None for each in mine) < 1300
    if name not in INEXACT:
        assert list(map(bits, mine)) == list(map(bits, theirs))
        return
    for one, other in zip(mine, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert abs(one - other) <= INEXACT[name] * math.ulp(
                max(abs(one), 1.0 if name == "km" else 0.0)
            )


def row(**values: object) -> dict[str, object]:
    return rows(1).to_pylist()[0] | values


def derived(**values: object) -> dict[str, float | None]:
    table = pa.Table.from_pylist([row(**values)], schema=TRIP.transaction_schema)
    found = {name: each.tolist()[0] for name, each in TRIP.derive(table).items()}
    return {name: None if math.isnan(each) else each for name, each in found.items()}


def utc(*fields: int) -> dt.datetime:
    return dt.datetime(*fields, tzinfo=dt.UTC)


VIENNA, SYDNEY = (48.2082, 16.3738), (-33.8688, 151.2093)
VALUES = {
    "a ratio": ({"amount": 3.0, "usual": 2.0}, {"times": 1.5, "more": 1.0, "off": 1.0}),
    "a ratio by nothing": ({"amount": 3.0, "usual": 0.0}, {"times": None, "log_times": None}),
    "nothing by nothing": ({"amount": 0.0, "usual": -0.0}, {"times": None, "more": 0.0}),
    "a null beside it": ({"usual": None}, {"times": None, "more": None, "off": None}),
    "beyond float32": ({"amount": 3e38, "usual": 1e-3}, {"times": None, "more": 3e38}),
    "a difference beyond float32": ({"amount": 3e38, "usual": -3e38}, {"more": None}),
    "no logarithm of 0": ({"amount": 0.0}, {"log_amount": None}),
    "no logarithm below 0": ({"amount": -1.0}, {"log_amount": None}),
    "a logarithm": ({"amount": math.e}, {"log_amount": 1.0}),
    "nowhere": ({"shop_lat": None}, {"km": None}),
    "two texts": ({"home_country": "AT", "shop_country": "at"}, {"is_home": 0.0}),
    "one text": ({"home_country": "", "shop_country": ""}, {"is_home": 1.0}),
    "a text and none": ({"shop_country": None}, {"is_home": None}),
    "before a birthday": ({"born_on": dt.date(1980, 3, 2), "paid_at": utc(2026, 3, 1, 22, 59)},
                          {"years": 45.0}),
    "a birthday where it was paid": (
        {"born_on": dt.date(1980, 3, 2), "paid_at": utc(2026, 3, 1, 23)}, {"years": 46.0}),
    "a leap day's birthday": ({"born_on": dt.date(2000, 2, 29), "paid_at": utc(2026, 2, 28, 22)},
                              {"years": 25.0}),
    "the day after it": ({"born_on": dt.date(2000, 2, 29), "paid_at": utc(2026, 3, 1)},
                         {"years": 26.0}),
    "not born": ({"born_on": dt.date(2026, 3, 2), "paid_at": utc(2026, 3, 1)}, {"years": 0.0}),
    "days": ({"issued_on": dt.date(2026, 3, 2), "paid_at": utc(2026, 3, 1)}, {"card_days": -1.0}),
    "the hour of a clock": ({"paid_at": utc(2026, 7, 5, 22, 30, 0, 5)},
                            {"paid_at_hour": 1800.000005, "paid_at_weekday": 0.0}),
    "the hour of a clock in winter": ({"paid_at": utc(2026, 1, 4, 22, 30)},
                                      {"paid_at_hour": 84600.0, "paid_at_weekday": 6.0}),
    "before 1970": ({"paid_at": utc(1969, 12, 31, 22, 59, 59, 1)},
                    {"paid_at_hour": 86399.000001, "paid_at_weekday": 2.0}),
    "no time": ({"opened_at": None}, {"opened_at_weekday": None, "days_open": None}),
    "half a day": ({"opened_at": utc(2026, 1, 1), "paid_at": utc(2026, 1, 1, 12)},
                   {"days_open": 0.5, "open_s": 43200.0}),
}  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), VALUES.values(), ids=VALUES)
def test_a_derived_column_is_what_it_says(values, expected):
    found = derived(**values)
    assert {name: found[name] for name in expected} == expected


def _on_a_globe(latitude: float, longitude: float) -> tuple[float, float, float]:
    north, east = math.radians(latitude), math.radians(longitude)
    return math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)


def test_a_distance_is_that_of_a_globe():
    places = {"home_lat": VIENNA[0], "home_lon": VIENNA[1]}
    there = derived(**places, shop_lat=SYDNEY[0], shop_lon=SYDNEY[1])["km"]
    one, other = (_on_a_globe(*place) for place in (VIENNA, SYDNEY))
    angle = math.acos(sum(a * b for a, b in zip(one, other, strict=True)))
    assert there == pytest.approx(6371.0088 * angle, rel=1e-9)
    assert derived(**places, shop_lat=VIENNA[0], shop_lon=VIENNA[1])["km"] == 0
    opposite = derived(home_lat=0.0, home_lon=0.0, shop_lat=0.0, shop_lon=180.0)["km"]
    assert opposite == pytest.approx(math.pi * 6371.0088)


def test_a_null_that_the_contract_permits_none_of_is_refused_by_name():
    contract = examine_text(
        TEXT.replace('usual = { type = "float64", unit = "EUR", nullable = true, feature = false }',
                     'usual = { type = "float64", min = 1e-30 }')
        .replace('times = { ratio = ["amount", "usual"], nullable = true }',
                 'times = { ratio = ["amount", "usual"] }').encode()
    )  # fmt: skip
    assert isinstance(contract, Contract), contract
    table = pa.Table.from_pylist([row(amount=3e38, usual=1e-3)], schema=contract.transaction_schema)
    with pytest.raises(InputError, match="derived column 'times' is null in 1 rows"):
        contract.feature_matrix(table)
    features, _ = RowNumbers(contract).read(
        Decoder(contract.transaction_columns).decode_rows(json_lines(table))[0]
    )
    assert contract.unusable(features)[0, contract.features.index("times")]


def test_messages_and_tables_have_no_derived_column():
    assert not {each.name for each in TRIP.derivations} & {*TRIP.history_schema.names}
    _, _, rejects = Decoder(TRIP.transaction_columns).decode_rows([message(row() | {"km": 1.0})])
    assert "'km' is unknown" in rejects[0].message


def test_derived_columns_are_part_of_the_fingerprint_and_their_descriptions_are_not():
    def made(old: str, new: str) -> str:
        contract = examine_text(TEXT.replace(old, new).encode())
        assert isinstance(contract, Contract)
        return contract.fingerprint

    assert made("How much more", "How many times more") == TRIP.fingerprint
    assert made('unit = "day", nullable', 'unit = "h", nullable') != TRIP.fingerprint
    assert made('["hour", "weekday"]', '["weekday"]') != TRIP.fingerprint
    assert made('["hour", "weekday"]', '["weekday", "hour"]') == TRIP.fingerprint


FAULTS = {
    "none": ("unit = 'x'", "needs one of difference, ratio"),
    "two": ('log = "amount", absolute = "amount"', "found absolute and log"),
    "another key": ('log = "amount", nullable = true, base = 2', "unknown key base"),
    "no column": ('log = "amont", nullable = true', "Did you mean 'amount'?"),
    "the label": ('equal = ["is_fraud", "is_fraud"]', "'is_fraud' is no column of a transaction"),
    "a later one": ('absolute = "zz"', "'zz' is no column of a transaction, nor a derived one"),
    "one of two": ('ratio = "amount"', "expected a list of 2 columns"),
    "a number": ("log = 3", "expected the name of a column"),
    "a list in it": ('ratio = ["amount", ["items"]]', "['items'] is no column"),
    "texts": ('difference = ["home_country", "amount"]', "'home_country' is string"),
    "a time and a date": ('difference = ["paid_at", "issued_on"]', "'issued_on' is date"),
    "a log of a time": ('log = "paid_at"', "'paid_at' is timestamp"),
    "equal floats": ('equal = ["amount", "home_lat"]', "not float64"),
    "equal others": ('equal = ["items", "home_country"]', "of one type"),
    "an equality of derived ones": ('equal = ["is_home", "is_home"]', "'is_home' is no column"),
    "an age of a time": ('age = "opened_at"', "'opened_at' is timestamp"),
    "an age in weeks": ('age = "issued_on", unit = "week"', "expected year or day"),
    "a distance in miles": (
        'distance = ["home_lat", "home_lon", "home_lat", "home_lon"], unit = "mi"', "expected km"),
    "no latitude": ('distance = ["amount", "home_lon", "home_lat", "home_lon"]',
                    "'amount' is to be a latitude, in degrees; write min = -90"),
    "turned round": ('distance = ["home_lon", "home_lat", "home_lon", "home_lat"]', "a latitude"),
    "a null source": ('difference = ["amount", "usual"]', "null where 'usual' is"),
    "a divisor of 0": ('ratio = ["amount", "items"]', "'items' is 0, which its min could"),
    "a log of 0": ('log = "amount"', "'amount' is not above 0"),
    "no table": ("", "expected a table"),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_a_derived_column_is_told_with_its_line(keys, told):
    wrong = f"wrong = {{ {keys} }}" if keys else "wrong = 3"
    text = f'{TEXT}{wrong}\nzz = {{ absolute = "amount" }}\n'
    found = examine_text(text.encode())
    assert isinstance(found, list)
    (fault,) = found
    assert fault.line == TEXT.count("\n") + 1
    assert fault.place == "derived column 'wrong'"
    assert told in fault.text


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("km =", "AMOUNT =", "'AMOUNT' is there twice, but for case"),
        ("km =", "score =", "'score' is reserved"),
        ("items =", "paid_at_hour =", "the part would be called 'paid_at_hour'"),
        ('event_time = "paid_at"', 'event_time = "amount"', "two roles"),
    ],
)
def test_a_name_is_taken_once(old, new, told):
    found = examine_text(TEXT.replace(old, new).encode())
    assert isinstance(found, list)
    assert any(told in fault.text for fault in found)


def test_an_age_needs_an_event_time_that_is_a_time():
    text = TEXT.replace('event_time = "paid_at"', 'event_time = "items"')
    found = examine_text(text.encode())
    assert isinstance(found, list)
    assert any("to an event time that is a timestamp; 'issued_on' is date" in each.text
               for each in found)  # fmt: skip


def test_an_age_needs_an_event_time():
    text = TRIP_FILE.read_text().replace('event_time = "paid_at"', "")
    found = examine_text(f"{text}[history]\npayments_a_day = 100\n".encode())
    assert isinstance(found, list)
    assert [each.place for each in found] == [
        "derived column 'years'",
        "derived column 'card_days'",
    ]
