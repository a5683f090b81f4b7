"""A file of transactions is read whole, and a bad row costs that row only."""

import gzip
import hashlib
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from tests.transactions import CREDITCARD, WALLET

from fraudline.contract.columns import Category
from fraudline.datasets import file_content
from fraudline.datasets.files import RowFile, read_transactions
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
    def read(
        content: str | bytes, name: str = "payments.csv", *, quoted_newlines: bool = False
    ) -> RowFile:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_transactions(path, WALLET, quoted_newlines=quoted_newlines)

    return read


def ids(file: RowFile) -> list[str]:
    return file.rows["payment_id"].to_pylist()


def faults(file: RowFile) -> list[tuple[int, str]]:
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
        (10, "null_value"),
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
    content = "\n".join([HEADER, line(1, merchant='"a, ""b""\nc"'), line(2, velocity='"1.5"')])
    file = read(content, quoted_newlines=True)
    assert file.rows["merchant"].to_pylist() == ['a, "b"\nc', "shop"]
    assert file.rows["velocity"].to_pylist() == [1.5, 1.5]


def test_a_line_end_in_quotes_is_kept_wherever_it_falls_in_a_large_file(read):
    text = f'"{"a" * 40}\n{"b" * 40}"'
    content = "\n".join([HEADER, *(line(number, merchant=text) for number in range(20_000))])
    file = read(content, quoted_newlines=True)
    assert file.rows.num_rows == 20_000
    assert file.refusals == []


def test_text_is_kept_as_it_is_and_space_around_a_number_is_not(read):
    file = read("\n".join([HEADER, line(1, merchant="  NULL ", velocity=" 1.5\t")]))
    assert file.rows["merchant"].to_pylist() == ["  NULL "]
    assert file.rows["velocity"].to_pylist() == [1.5]


@pytest.mark.parametrize("quoted_newlines", [False, True])
def test_a_category_that_a_csv_file_leaves_empty_is_null_where_it_may_be_and_told(
    tmp_path, quoted_newlines
):
    seen = {"type": "string", "category": Category(), "is_feature": True}
    changes = {"risk_note": seen, "merchant": seen | {"is_nullable": False}}
    columns = tuple(replace(each, **changes.get(each.name, {})) for each in WALLET.columns)
    payments = replace(WALLET, columns=columns)
    path = tmp_path / "payments.csv"
    path.write_text("\n".join([HEADER, line(1), line(2, risk_note="late", merchant='""')]))

    found = read_transactions(path, payments, quoted_newlines=quoted_newlines)

    assert found.rows["risk_note"].to_pylist() == [None, "late"]
    assert found.notes == ["column 'risk_note' is empty in 1 rows; these are taken as null"]
    assert found.rows["merchant"].to_pylist() == ["shop", ""]  # may not be null, so it is a level


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
        ("utf16.csv", f"{HEADER}\n{line(1)}".encode("utf-16")),
        ("latin.csv", HEADER.encode() + b"\xe9\n" + line(1).encode()),
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
    assert read(HEADER).rows.num_rows == 0


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_of_which_every_row_ends_within_quotes_names_each_and_not_the_parsers_words(
    read, end
):
    file = read(end.join([HEADER, line(1, merchant='"Shop'), line(2, merchant='"Shop')]))
    assert faults(file) == [(1, "unclosed_quote"), (2, "unclosed_quote")]


def test_a_quote_that_is_not_closed_costs_its_row_and_no_other(read):
    rows = [line(number) for number in range(1, 2001)]
    rows[9] = line(10, merchant='"Shop')
    file = read("\n".join([HEADER, *rows]))
    assert file.rows.num_rows == 1999
    assert faults(file) == [(10, "unclosed_quote")]
    assert file.refusals[0].message.startswith("line 11 ends within quotes")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quotes_at_fault_between_sound_ones_and_far_down_cost_their_rows_only(read, end):
    rows = [line(number, merchant='"a ""b"", c"') for number in range(1, 40_001)]
    rows[4] = line(5, merchant='"')
    rows[6] = line(7, payment_id='a"b', merchant='"x')  # an even number of quotes
    rows[7] = "1,2"
    rows[19_999] = line(20_000, merchant='"a""')
    rows[29_999] = line(30_000, velocity="x")
    rows[39_999] = line(40_000, merchant='"the last')
    file = read(end.join([HEADER, "", *rows]))
    assert faults(file) == [
        (5, "unclosed_quote"),
        (7, "unclosed_quote"),
        (8, "missing_column"),
        (20_000, "unclosed_quote"),
        (30_000, "wrong_type"),
        (40_000, "unclosed_quote"),
    ]
    assert file.rows.num_rows == 39_994


def test_texts_with_line_ends_are_no_rows_without_being_asked_for(read):
    content = "\n".join([HEADER, line(1), line(2, merchant='"Shop\nof shops"'), line(3)])
    with pytest.raises(InputError, match=r"line 3: a text has line ends.*--quoted-newlines"):
        read(content)
    file = read(content, quoted_newlines=True)
    assert ids(file) == ["001", "002", "003"]
    assert file.rows["merchant"].to_pylist()[1] == "Shop\nof shops"


@pytest.mark.parametrize("swallowed", [1, 5, 400, 1900])
def test_two_stray_quotes_swallow_no_row_between_them(read, swallowed):
    rows = [line(number) for number in range(2000)]
    rows[9], rows[9 + swallowed] = line(9, merchant='"Shop'), line(99, merchant='Bar"')
    content = "\n".join([HEADER, *rows])
    with pytest.raises(InputError, match=r"line 11: a text has line ends in quotes"):
        read(content)
    with pytest.raises(InputError, match=r"column 'merchant' has a text .* holds other rows"):
        read(content, quoted_newlines=True)


def test_a_text_of_several_lines_that_is_too_long_refuses_the_file_with_its_line(read):
    rows = [line(1), line(2, merchant='"' + "word\n" * 300 + '"'), line(3)]
    with pytest.raises(InputError, match=r"line 303: column 'merchant' .* 1,500 characters"):
        read("\n".join([HEADER, *rows]), quoted_newlines=True)


def test_a_line_end_in_quotes_outside_of_a_text_costs_its_row(read):
    rows = [line(1, merchant='"a\nb"'), line(2, velocity='"1.5\n"'), line(3)]
    file = read("\n".join([HEADER, *rows]), quoted_newlines=True)
    assert ids(file) == ["001", "003"]
    assert faults(file) == [(2, "wrong_type")]
    assert "column 'velocity': a line end in quotes" in file.refusals[0].message


@pytest.mark.parametrize("fault", ['"Shop', '"a" b', '"'])
def test_with_line_ends_in_quotes_a_quote_at_fault_refuses_the_file_with_its_line(read, fault):
    rows = [line(1, merchant='"a\nb"'), line(2, merchant=fault), *map(line, range(3, 2000))]
    with pytest.raises(InputError, match=r"payments\.csv, line [\d,]+: .*nothing of the file"):
        read("\n".join([HEADER, *rows]), quoted_newlines=True)


def test_a_line_that_is_too_long_costs_its_row_only(read):
    rows = [line(1), line(2, merchant="x" * 3_000_000), line(3), "y" * 1_500_000, line(5)]
    file = read("\n".join([HEADER, *rows]))
    assert ids(file) == ["001", "003", "005"]
    assert faults(file) == [(2, "too_large"), (4, "too_large")]
    assert "line 3 has 3,000," in file.refusals[0].message


@pytest.mark.parametrize(
    "name", ["x.csv.gz", "x.csv", "X.CSV.GZ", "X.Csv", "x.parquet", "X.PARQUET", "x.parquet.gz"]
)
def test_gzip_is_known_by_its_content_and_a_suffix_in_any_case(read, tmp_path, name):
    expected = read("\n".join([HEADER, line(1), line(2)])).rows
    content = "\n".join([HEADER, line(1), line(2)]).encode()
    if "parquet" in name.lower():
        pyarrow.parquet.write_table(expected, tmp_path / "made")
        content = (tmp_path / "made").read_bytes()
    for packed in (content, gzip.compress(content)):
        assert read(packed, name).rows.equals(expected)


def test_a_gzip_of_several_parts_is_read_whole_and_a_damaged_one_is_refused(read):
    parts = [f"{HEADER}\n".encode(), f"{line(1)}\n".encode(), line(2).encode()]
    packed = b"".join(map(gzip.compress, parts))
    assert ids(read(packed, "x.csv.gz")) == ["001", "002"]
    for broken in (packed[:-9], packed[:40] + b"\0" * 9 + packed[49:], packed + b"more"):
        with pytest.raises(InputError, match=r"x\.csv\.gz cannot be read"):
            read(broken, "x.csv.gz")


def test_a_gzip_that_expands_to_too_much_is_refused_before_it_is_in_memory(read, monkeypatch):
    monkeypatch.setattr(file_content, "MAX_EXPANDED_BYTES", 10_000_000)
    bomb = gzip.compress(f"{HEADER}\n".encode() + b"\n" * 50_000_000)
    with pytest.raises(InputError, match=r"expands to more than 10,000,000 bytes.*gunzip"):
        read(bomb, "x.csv.gz")


OTHERS = {
    "UTF-16 with a mark": ("x.csv", HEADER.encode("utf-16"), r"-f UTF-16 -t UTF-8 < /\S*/x\.csv"),
    "UTF-16 without one": ("x.csv", HEADER.encode("utf-16-le"), "iconv -f UTF-16LE"),
    "UTF-16, the other end": ("x.csv", HEADER.encode("utf-16-be"), "iconv -f UTF-16BE"),
    "UTF-32": ("x.csv", HEADER.encode("utf-32"), "iconv -f UTF-32"),
    "a header of Windows": ("x.csv", f"{HEADER},Gerät".encode("cp1252"), "iconv -f WINDOWS-1252"),
    "semicolons": ("x.csv", HEADER.replace(",", ";").encode(), 'semicolons.*delimiter=";"'),
    "tabs": ("x.csv", HEADER.replace(",", "\t").encode(), "tabs, expected commas"),
    "bars": ("x.csv", HEADER.replace(",", "|").encode(), "vertical bars, expected commas"),
    "Excel's first line": ("x.csv", f"sep=;\n{HEADER}".encode(), "'sep=;'.*Delete this line"),
    "Parquet called CSV": ("x.csv", b"PAR1" + bytes(40), r"Parquet file.*\.parquet"),
    "a workbook": ("x.xlsx", b"PK\x03\x04rest", r"Excel workbook.*CSV"),
    "an old workbook": ("x.xls", b"\xd0\xcf\x11\xe0rest", r"Excel workbook.*CSV"),
    "a ZIP called CSV": ("x.csv", b"PK\x03\x04rest", "ZIP archive.*Unpack"),
    "zstd": ("x.csv.zst", b"\x28\xb5\x2f\xfdrest", "unzstd"),
    "bzip2": ("x.csv.bz2", b"BZh91AY", "bunzip2"),
    "no known name": ("x.txt", HEADER.encode(), r"ends in \.csv or \.parquet .*found '\.txt'"),
}


@pytest.mark.parametrize(("name", "content", "told"), OTHERS.values(), ids=OTHERS)
def test_what_is_written_in_another_way_is_named_with_the_way_out(read, name, content, told):
    with pytest.raises(InputError, match=told):
        read(content + b"\n", name)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize(
    ("name", "made"),
    [("payments.csv", "commas-payments.csv"), ("payments.csv.gz", "commas-payments.csv")],
)
def test_the_way_out_of_another_separator_works(read, tmp_path, separator, name, made):
    content = "\n".join([HEADER, line(1, merchant='"a, b"')]).replace(",", separator)
    content = content.replace(f"a{separator} b", "a, b").encode()
    with pytest.raises(InputError) as caught:
        read(gzip.compress(content) if name.endswith(".gz") else content, name)
    command = re.search(r"`(.*)`", str(caught.value), re.DOTALL)[1]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    file = read_transactions(tmp_path / made, WALLET)
    assert file.rows["merchant"].to_pylist() == ["a, b"]


def test_the_way_out_of_another_encoding_works_for_a_packed_file_too(read, tmp_path):
    content = "\n".join([HEADER, line(1, merchant="Café")]).encode("utf-16")
    with pytest.raises(InputError) as caught:
        read(gzip.compress(content), "x.csv.gz")
    command = re.search(r"`(.*)`", str(caught.value), re.DOTALL)[1]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert read_transactions(tmp_path / "utf8-x.csv", WALLET).rows["merchant"].to_pylist() == [
        "Café"
    ]


def test_the_way_out_of_decimal_commas_works_wherever_the_file_is(read, tmp_path):
    place = tmp_path / "of 2026"
    place.mkdir()
    rows = [line(1).replace(",", ";").replace("1.5", "-1,5"), line(2).replace(",", ";")]
    with pytest.raises(InputError, match="decimals have commas, expected points") as caught:
        read("\n".join([HEADER.replace(",", ";"), *rows]), "of 2026/payments.csv")
    command = re.search(r"`(.*)`", str(caught.value), re.DOTALL)[1]
    subprocess.run(command, shell=True, check=True, cwd="/")
    file = read_transactions(place / "commas-payments.csv", WALLET)
    assert file.refusals == []
    assert file.rows["velocity"].to_pylist() == [-1.5, 1.5]


def test_an_index_that_pandas_wrote_is_named(read):
    with pytest.raises(ContractError, match=r"unknown ''.*index=False"):
        read(f",{HEADER}\n0,{line(1)}")


HINTS = {
    "a decimal comma": ({"velocity": '"1,5"'}, "'1,5'; write a decimal point"),
    "thousands": ({"amount_minor": '"1,234,567"'}, "without thousands separators"),
    "an integer with decimals": ({"amount_minor": "5.0"}, "'5.0'; write it without decimals"),
    "a time without an offset": ({"paid_at": "2026-01-02 03:04:05"}, "add the offset from UTC"),
    "a day": ({"paid_at": "2026-01-02"}, "add the offset from UTC"),
    "a word for nothing": ({"velocity": "NaN?"}, "expected float64, found 'NaN?'"),
    "NA": ({"velocity": "NA"}, "leave a value that is not there empty"),
    "an integer beyond 2^53": ({"velocity": "9007199254740993"}, "that no float64 is"),
}


@pytest.mark.parametrize(("change", "told"), HINTS.values(), ids=HINTS)
def test_a_refusal_says_how_to_write_what_is_often_written_otherwise(read, change, told):
    file = read("\n".join([HEADER, line(1), line(2, **change)]))
    assert ids(file) == ["001"]
    assert told in file.refusals[0].message


def test_a_text_of_windows_names_the_way_out(read):
    file = read("\n".join([HEADER, line(1, merchant="Café")]).encode("cp1252"))
    assert faults(file) == [(1, "invalid_utf8")]
    assert "in Windows-1252 it would be 'Café'" in file.refusals[0].message
    assert "iconv" in file.refusals[0].message


def test_decimals_that_no_float_holds_are_told_and_those_it_gives_back_are_not(read):
    kept = ["0.1", "0.10000000000000001", "1.500000000000000000000", "123456789.12345679"]
    rounded = ["0.100000000000000004", "12345678901234567.89"]
    file = read("\n".join([HEADER, *(line(1, velocity=each) for each in kept + rounded)]))
    assert file.refusals == []
    assert file.notes == [
        "column 'velocity': 2 of its values with more digits than a float64 holds are taken "
        "as the nearest one; the first is 0.100000000000000004, taken as 0.1"
    ]
