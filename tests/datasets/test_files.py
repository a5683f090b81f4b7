"""A file of transactions is read whole, and a bad row costs that row only."""

import gzip
import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from tests.transactions import CREDITCARD, WALLET

from fraudline.datasets.files import TransactionFile, read_transactions
from fraudline.errors import ContractError, InputError

SAMPLE = Path(__file__).parents[1] / "data" / "creditcard-sample.csv"
HEADER = (
    "payment_id,paid_at,amount_minor,velocity,distance_km,is_abroad,risk_note,is_fraud,merchant"
)


def line(number: int, **changes: str) -> str:
    values = {
        "payment_id": f"00{number}",
        "paid_at": "2026-01-02T03:04:05.678901Z",
        "amount_minor": "5",
        "velocity": "1.5",
        "distance_km": "2",
        "is_abroad": "true",
        "risk_note": "",
        "is_fraud": "0",
        "merchant": "shop",
    }
    return ",".join({**values, **changes}.values())


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes, name: str = "payments.csv") -> TransactionFile:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_transactions(path, WALLET)

    return read


def ids(file: TransactionFile) -> list[str]:
    return file.rows["payment_id"].to_pylist()


def faults(file: TransactionFile) -> list[tuple[int, str]]:
    return [(refusal.row, refusal.reason.value) for refusal in file.refusals]


def test_a_csv_file_gives_the_contracts_types(read):
    content = "\n".join([HEADER, line(1), line(2, is_fraud="1")]) + "\n"
    file = read(content)
    assert file.rows.schema == WALLET.history_schema
    assert file.refusals == []
    assert file.is_labelled
    assert file.sha256 == hashlib.sha256(content.encode()).hexdigest()
    assert ids(file) == ["001", "002"]
    assert file.rows["is_fraud"].to_pylist() == [False, True]
    assert file.rows["risk_note"].to_pylist() == [None, None]


def test_a_file_without_labels_gives_transactions(read):
    header = HEADER.replace(",is_fraud", "")
    file = read("\n".join([header, line(1).replace(",0,", ",")]))
    assert not file.is_labelled
    assert file.rows.schema == WALLET.transaction_schema


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
def test_any_line_end_is_one(read, end, last):
    content = end.join([HEADER, line(1), line(2)]) + (end if last else "")
    assert ids(read(content)) == ["001", "002"]


@pytest.mark.parametrize("header", [HEADER, HEADER.replace("payment_id", '"payment_id"')])
@pytest.mark.parametrize("start", ["\ufeff", "\n", "\r\n\n", "\ufeff\n"])
def test_a_byte_order_mark_or_blank_lines_at_the_start_change_no_type(read, header, start):
    file = read(start + "\n".join([header, line(1), line(2, velocity="x")]))
    assert ids(file) == ["001"]  # an id is not taken for a number
    assert faults(file) == [(2, "wrong_type")]


def test_columns_may_come_in_any_order(read):
    turned = [",".join(text.split(",")[::-1]) for text in (HEADER, line(1))]
    assert read("\n".join(turned)).rows.equals(read("\n".join([HEADER, line(1)])).rows)


def test_a_bad_row_is_numbered_as_in_the_file_and_the_others_are_kept(read):
    rows = [line(number) for number in range(1, 13)]
    rows[1] = "a,b"
    rows[3] += ",more"
    rows[4] = line(5, velocity="12.5.0")
    rows[6] = "z"
    rows[7] = line(8, merchant="caf@")
    rows[9] = line(10, amount_minor="")
    rows[11] = line(12, velocity="1e39")
    content = "\n".join([HEADER, *rows]).encode().replace(b"caf@", b"caf\xe9")
    file = read(content)
    assert faults(file) == [
        (2, "missing_column"),
        (4, "unknown_column"),
        (5, "wrong_type"),
        (7, "missing_column"),
        (8, "invalid_utf8"),
        (10, "missing_column"),
        (12, "out_of_range"),
    ]
    assert ids(file) == ["001", "003", "006", "009", "0011"]
    assert file.refusals[0].message == "expected 9 values, found 2"


def test_a_bad_row_far_down_in_a_large_file_has_its_number(read):
    rows = [line(number) for number in range(1, 60_001)]
    rows[29_999] = "a,b"
    rows[49_999] = line(1, velocity="x")
    file = read("\n".join([HEADER, *rows]))
    assert faults(file) == [(30_000, "missing_column"), (50_000, "wrong_type")]
    assert file.rows.num_rows == 59_998


def test_a_blank_line_is_no_row(read):
    file = read("\n".join([HEADER, line(1), "", "", line(2, velocity="x"), "", line(3), ""]))
    assert faults(file) == [(2, "wrong_type")]
    assert ids(file) == ["001", "003"]


def test_quotes_keep_commas_quotes_and_line_ends(read):
    file = read("\n".join([HEADER, line(1, merchant='"a, ""b""\nc"'), line(2, velocity='"1.5"')]))
    assert file.rows["merchant"].to_pylist() == ['a, "b"\nc', "shop"]
    assert file.rows["velocity"].to_pylist() == [1.5, 1.5]


def test_a_line_end_in_quotes_is_kept_wherever_it_falls_in_a_large_file(read):
    text = f'"{"a" * 40}\n{"b" * 40}"'
    file = read("\n".join([HEADER, *(line(number, merchant=text) for number in range(20_000))]))
    assert file.rows.num_rows == 20_000
    assert file.refusals == []


def test_text_is_kept_as_it_is_and_space_around_a_number_is_not(read):
    file = read("\n".join([HEADER, line(1, merchant="  NULL ", velocity=" 1.5\t")]))
    assert file.rows["merchant"].to_pylist() == ["  NULL "]
    assert file.rows["velocity"].to_pylist() == [1.5]


def test_no_float_of_a_file_is_changed(read):
    numbers = ["0.1", "5e-324", "-0.0", "123456789.12345679", "3.4028234663852886e+38", "1E5"]
    file = read("\n".join([HEADER, *(line(1, velocity=number) for number in numbers)]))
    assert [str(each) for each in file.rows["velocity"].to_pylist()] == [
        str(float(number)) for number in numbers
    ]


def test_the_sample_is_the_same_as_csv_and_as_parquet(tmp_path):
    table = pyarrow.csv.read_csv(SAMPLE)
    pyarrow.parquet.write_table(table, tmp_path / "sample.parquet")
    csv_file, parquet_file = (
        read_transactions(path, CREDITCARD) for path in (SAMPLE, tmp_path / "sample.parquet")
    )
    assert csv_file.refusals == parquet_file.refusals == []
    assert csv_file.rows.equals(parquet_file.rows)
    assert csv_file.rows.equals(table.cast(CREDITCARD.history_schema))


def test_a_parquet_file_of_other_types_and_many_row_groups_is_read(tmp_path, read):
    rows = read("\n".join([HEADER, line(1), line(2), line(3)])).rows
    other = rows.set_column(0, "payment_id", rows["payment_id"].dictionary_encode())
    other = other.set_column(3, "velocity", pa.chunked_array([["1.5", "x", "1.5"]]))
    pyarrow.parquet.write_table(other, tmp_path / "x.parquet", row_group_size=1)
    file = read_transactions(tmp_path / "x.parquet", WALLET)
    assert faults(file) == [(2, "wrong_type")]
    assert file.rows.equals(rows.take([0, 2]))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER + ",velocity", "there twice 'velocity'"),
        (HEADER.replace("velocity", "Velocity"), "missing 'velocity'; unknown 'Velocity'"),
        (HEADER.replace(",merchant", ""), "missing 'merchant'"),
        (HEADER + ",extra", "unknown 'extra'"),
        (HEADER.replace(",", " , "), "unknown 'payment_id ', ' paid_at '"),
        (HEADER.replace(",", ";"), "unknown 'payment_id;paid_at;"),
        (line(1), "unknown '001'"),
    ],
)
def test_a_header_that_is_not_the_contracts_is_refused_by_name(read, header, told):
    row = ",".join(["1"] * len(header.split(",")))
    with pytest.raises(ContractError, match=told) as caught:
        read(f"{header}\n{row}\n")
    assert "payments.csv, contract 'wallet'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("blank.csv", b"\n\n"),
        ("gz.csv", gzip.compress(f"{HEADER}\n{line(1)}".encode())),
        ("utf16.csv", f"{HEADER}\n{line(1)}".encode("utf-16")),
        ("latin.csv", HEADER.encode() + b"\xe9\n" + line(1).encode()),
        ("long.csv", (HEADER + "\n" + "x" * 3_000_000).encode()),
        ("empty.parquet", b""),
        ("short.parquet", b"PAR1"),
        ("csv.parquet", f"{HEADER}\n{line(1)}".encode()),
        ("payments", HEADER.encode()),
        ("payments.xlsx", b"PK"),
    ],
)
def test_what_is_not_a_readable_file_of_its_kind_is_refused_by_name(read, name, content):
    with pytest.raises(InputError, match=name):
        read(content, name)


def test_a_parquet_file_that_is_cut_short_or_damaged_is_refused(tmp_path):
    whole = tmp_path / "whole.parquet"
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(SAMPLE), whole)
    content = whole.read_bytes()
    damaged = tmp_path / "damaged.parquet"
    middle = len(content) // 2
    for broken in (content[:-100], content[:middle] + content[-8:], content[:-60] + b"\0" * 60):
        damaged.write_bytes(broken)
        with pytest.raises(InputError, match=r"damaged\.parquet"):
            read_transactions(damaged, CREDITCARD)


def test_a_file_or_directory_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "directory.csv").mkdir()
    for name in ("nowhere.csv", "directory.csv"):
        with pytest.raises(InputError, match=f"there is no file .*{name}"):
            read_transactions(tmp_path / name, WALLET)


def test_a_header_alone_is_a_file_without_rows(read):
    assert read(HEADER + "\n").rows.num_rows == 0
