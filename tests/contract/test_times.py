"""A time means one moment, however and wherever it is written."""

import datetime as dt
import json
from dataclasses import replace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.transactions import WALLET

from fraudline.contract import Column, Contract, Decoder, RejectReason, conform
from fraudline.contract.contract_file import examine_text
from fraudline.contract.local_times import LocalTimes
from fraudline.contract.record_decoder import RecordDecoder
from fraudline.contract.refusals import RefusalReason
from fraudline.contract.time_formats import format_fault, time_format
from fraudline.errors import ContractError

VIENNA = "Europe/Vienna"
ZONES = ("UTC", VIENNA, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - of a clock


def time(form: str = "", zone: str = "") -> Column:
    return Column("at", "timestamp", is_nullable=True, format=form, timezone=zone)


def of_file(column: Column, values: list[object], kind: pa.DataType | None = None):
    notes: list[str] = []
    rows, refusals = conform(pa.table({"at": pa.array(values, kind)}), [column], notes.append)
    return rows.column("at").to_pylist(), refusals, notes


def of_messages(column: Column, values: list[object]):
    messages = [json.dumps({"at": value}).encode() for value in values]
    rows, _, rejects = Decoder([column]).decode(messages)
    return rows.column("at").to_pylist(), rejects


def utc(*fields: int) -> dt.datetime:
    return dt.datetime(*fields, tzinfo=dt.UTC)


TEXTS = {
    "a German clock": (time("%d.%m.%Y %H:%M:%S", VIENNA), "02.01.2026 03:04:05",
                       utc(2026, 1, 2, 2, 4, 5)),
    "one digit is enough": (time("%d/%m/%Y %H:%M", "UTC"), "2/1/2026 3:04", utc(2026, 1, 2, 3, 4)),
    "no separators": (time("%Y%m%d%H%M%S", "UTC"), "20260102030405", utc(2026, 1, 2, 3, 4, 5)),
    "half days": (time("%m/%d/%Y %I:%M %p", "UTC"), "01/02/2026 12:04 am", utc(2026, 1, 2, 0, 4)),
    "half days after noon": (time("%m/%d/%Y %I %p", "UTC"), "01/02/2026 12 PM",
                             utc(2026, 1, 2, 12)),
    "a month's name": (time("%d-%b-%y %H%M", "UTC"), "02-JAN-68 0304", utc(2068, 1, 2, 3, 4)),
    "a year of two digits": (time("%d-%b-%y %H%M", "UTC"), "02-JAN-69 0304", utc(1969, 1, 2, 3, 4)),
    "an offset": (time("%Y/%m/%d %H:%M%z"), "2026/01/02 03:04+0530", utc(2026, 1, 1, 21, 34)),
    "Z as an offset": (time("%Y/%m/%d %H:%M%z", VIENNA), "2026/01/02 03:04Z",
                       utc(2026, 1, 2, 3, 4)),
    "a fraction": (time("%Y/%m/%d %H:%M:%S.%f", "UTC"), "2026/01/02 03:04:05.5",
                   utc(2026, 1, 2, 3, 4, 5, 500_000)),
    "nanoseconds, which are cut": (time("%Y/%m/%d %H:%M:%S,%f", "UTC"),
                                   "2026/12/31 23:59:59,999999999",
                                   utc(2026, 12, 31, 23, 59, 59, 999_999)),
    "RFC 3339 beside a format": (time("%d.%m.%Y %H:%M", VIENNA), "2026-07-02T03:04:05.25+00:00",
                                 utc(2026, 7, 2, 3, 4, 5, 250_000)),
    "RFC 3339 with a space": (time("%d.%m.%Y %H:%M", VIENNA), "2026-07-02 03:04:05Z",
                              utc(2026, 7, 2, 3, 4, 5)),
    "a leap day": (time("%d.%m.%Y %H", "UTC"), "29.02.2024 00", utc(2024, 2, 29)),
    "per cent": (time("%d.%m.%Y %% %H", "UTC"), "29.02.2024 % 00", utc(2024, 2, 29)),
    "a clock without a format": (time("", VIENNA), "2026-07-02T03:04:05", utc(2026, 7, 2, 1, 4, 5)),
    "an offset beside a clock": (time("", VIENNA), "2026-07-02T03:04:05Z",
                                 utc(2026, 7, 2, 3, 4, 5)),
}  # fmt: skip


@pytest.mark.parametrize(("column", "text", "moment"), TEXTS.values(), ids=TEXTS)
def test_a_text_is_the_same_moment_in_a_file_and_in_a_message(column, text, moment):
    found, refusals, _ = of_file(column, [text, None])
    assert (found, refusals) == ([moment, None], [])
    assert of_file(column, [text.encode(), b""])[:2] == ([moment, None], [])
    assert of_messages(column, [text, None]) == ([moment, None], [])


COUNTED = {
    "seconds": ("unix_s", 1_767_323_045, utc(2026, 1, 2, 3, 4, 5)),
    "milliseconds": ("unix_ms", 1_767_323_045_678, utc(2026, 1, 2, 3, 4, 5, 678_000)),
    "microseconds": ("unix_us", -1, utc(1969, 12, 31, 23, 59, 59, 999_999)),
    "nanoseconds, which are cut": ("unix_ns", -1, utc(1969, 12, 31, 23, 59, 59, 999_999)),
}


@pytest.mark.parametrize(("form", "number", "moment"), COUNTED.values(), ids=COUNTED)
def test_a_number_that_counts_is_the_same_moment_in_a_file_and_in_a_message(form, number, moment):
    column = time(form)
    for values in ([number, None], [str(number), ""], [str(number).encode(), None]):
        found, refusals, notes = of_file(column, values)
        assert (found, refusals) == ([moment, None], [])
        assert len(notes) == (form == "unix_ns")
    sent = [number, str(number), None, moment.isoformat()]
    assert of_messages(column, sent) == ([moment, moment, None, moment], [])


def test_a_number_beyond_the_calendar_or_with_a_point_is_no_time():
    column = time("unix_s")
    _, refusals, _ = of_file(column, [0, 10**17])
    assert [(each.row, each.reason) for each in refusals] == [(2, RefusalReason.OUT_OF_RANGE)]
    _, rejects = of_messages(column, [10**17, -(10**12), 1.5, 10**30, True, "1.5", [1]])
    assert [each.index for each in rejects] == list(range(7))
    with pytest.raises(ContractError, match='format = "unix_s" or "unix_ms"'):
        of_file(time(), [1])


NO_TIMES = {
    "another format": "2026-01-02 03:04",
    "no day": "30.02.2026 03:04",
    "no hour": "02.01.2026 24:00",
    "more behind it": "02.01.2026 03:04:05",
    "white space in it": "02. 01.2026 03:04",
    "digits of another script": "\uff102.01.2026 03:04",
    "nothing of it": "NA",
}


@pytest.mark.parametrize("text", NO_TIMES.values(), ids=NO_TIMES)
def test_what_is_no_time_of_the_format_refuses_its_row_alone_by_name(text):
    column, good = time("%d.%m.%Y %H:%M", VIENNA), "02.01.2026 03:04"
    found, refusals, _ = of_file(column, [good, text])
    assert len(found) == 1
    assert [(each.row, each.reason) for each in refusals] == [(2, RefusalReason.WRONG_TYPE)]
    found, rejects = of_messages(column, [text, good])
    assert len(found) == 1
    assert [(each.index, each.reason) for each in rejects] == [(0, RejectReason.WRONG_TYPE)]
    for told in (refusals[0].message, rejects[0].message):
        assert "column 'at': expected " in told
        assert "%d.%m.%Y %H:%M or such as 2026-01-02T03:04:05Z" in told
        assert text[:2] in told


@pytest.mark.parametrize("is_written", [True, False])
def test_a_time_that_clocks_never_showed_is_none_and_one_that_they_showed_twice_the_earlier(
    *, is_written: bool
):
    column = time("%Y-%m-%d %H:%M:%S" if is_written else "", VIENNA)
    never, twice, plain = "2026-03-29 02:30:00", "2026-10-25 02:30:00", "2026-10-25 03:30:00"
    found, refusals, notes = of_file(column, [never, twice, plain])
    assert found == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 2, 30)]
    assert [(each.row, each.reason) for each in refusals] == [(1, RefusalReason.OUT_OF_RANGE)]
    assert f"that the clocks of {VIENNA} have shown" in refusals[0].message
    assert notes == [
        f"column 'at' has 1 times that the clocks of {VIENNA} showed twice, as they were put back; "
        "they are taken as the earlier ones"
    ]
    of_stream, rejects = of_messages(column, [never, twice, plain])
    assert of_stream == found
    assert [(each.index, each.reason) for each in rejects] == [(0, RejectReason.OUT_OF_RANGE)]
    assert f"that the clocks of {VIENNA} have shown" in rejects[0].message
    naive = pa.array([dt.datetime.fromisoformat(each) for each in (twice, plain)])
    assert of_file(column, naive, pa.timestamp("ns"))[0] == found


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(
        st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2099, 1, 1)),  # noqa: DTZ001 - of a clock
        max_size=20,
    )
)
@example(times=[dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)])  # noqa: DTZ001 - of a clock
@example(times=[dt.datetime(1959, 10, 25, 1, fold=1), dt.datetime(2032, 4, 4, 1, 30, fold=1)])  # noqa: DTZ001 - of a clock
def test_clocks_show_what_python_says_they_do(zone, times):
    times = [each.replace(fold=0) for each in times]  # which of two it is, no clock shows
    known, clocks = ZoneInfo(zone), LocalTimes(zone)
    shown = [(each - EPOCH) // dt.timedelta(microseconds=1) for each in times]
    moments, is_shown, is_twice = clocks.moments(pa.array(shown, pa.int64()).to_numpy())
    for at, each in enumerate(times):
        if each.year in {1, 9999}:
            continue
        moment = each.replace(tzinfo=known).astimezone(dt.UTC)
        assert is_shown[at] == (moment.astimezone(known).replace(tzinfo=None) == each)
        if is_shown[at]:
            assert EPOCH + dt.timedelta(microseconds=int(moments[at])) == moment.replace(
                tzinfo=None
            )
            later = each.replace(tzinfo=known, fold=1).utcoffset()
            assert is_twice[at] == (later != each.replace(tzinfo=known).utcoffset())
    assert (
        clocks.shown(moments)[is_shown] == pa.array(shown, pa.int64()).to_numpy()[is_shown]
    ).all()


@settings(max_examples=100, deadline=None)
@given(
    at=st.datetimes(dt.datetime(1900, 1, 1)),  # noqa: DTZ001 - of a clock
    form=st.sampled_from(
        ["%Y-%m-%d %H:%M:%S.%f", "%d %b %Y %I:%M:%S %p", "%m/%d/%Y %H:%M", "%Y%m%d%H%M%S%f"]
    ),
)
def test_what_strftime_writes_is_read_as_strptime_does(at, form):
    text = at.strftime(form)
    shown, _, is_read = time_format(form).read([text])
    assert is_read.all()
    read = dt.datetime.strptime(text, form)  # noqa: DTZ007 - of a clock
    assert EPOCH + dt.timedelta(microseconds=int(shown[0])) == read


near = st.tuples(st.integers(0, 33), st.integers(0, 13), st.integers(0, 9999), st.integers(0, 25))


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text() | near.map(lambda each: "{}-{}-{:04d} {}:30".format(*each))))
def test_whatever_stands_for_a_time_is_a_row_or_a_reject(texts):
    column = time("%d-%m-%Y %H:%M", "America/New_York")
    rows, rejects = of_messages(column, texts)
    assert len(rows) + len(rejects) == len(texts)


def test_a_parquet_time_without_a_zone_needs_one_in_the_contract():
    values, kind = [dt.datetime(2026, 7, 2, 3, 4)], pa.timestamp("us")  # noqa: DTZ001 - of a clock
    with pytest.raises(ContractError, match=r'at = \{ type = "timestamp", timezone = "UTC" \}'):
        of_file(time(), values, kind)
    with pytest.raises(ContractError, match="without a time zone"):
        of_file(time(), [dt.date(2026, 7, 2)])
    assert of_file(time("", VIENNA), values, kind)[0] == [utc(2026, 7, 2, 1, 4)]
    assert of_file(time("", "UTC"), values, kind)[0] == [utc(2026, 7, 2, 3, 4)]
    assert of_file(time("", VIENNA), [dt.date(2026, 7, 2), None])[0] == [utc(2026, 7, 1, 22), None]


DAY = Column("at", "date", is_nullable=True)
GERMAN_DAY = replace(DAY, format="%d.%m.%Y")
BORN = dt.date(1980, 5, 17)


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        (DAY, ["1980-05-17", None], None),
        (GERMAN_DAY, ["17.05.1980", None], None),
        (GERMAN_DAY, ["1980-05-17", ""], None),
        (DAY, [BORN, None], pa.date32()),
        (DAY, [BORN, None], pa.date64()),
        (DAY, [dt.datetime(1980, 5, 17), None], pa.timestamp("ns")),  # noqa: DTZ001 - as pandas writes
    ],
)
def test_a_date_is_a_day_wherever_it_stands(column, values, kind):
    assert of_file(column, values, kind)[:2] == ([BORN, None], [])


def test_a_date_of_a_message_is_a_day():
    assert of_messages(DAY, ["1980-05-17", None]) == ([BORN, None], [])
    assert of_messages(GERMAN_DAY, ["17.05.1980", "1980-05-17"]) == ([BORN, BORN], [])
    for column in (DAY, GERMAN_DAY):
        _, rejects = of_messages(column, ["1980-05-32"])
        assert rejects[0].reason == RejectReason.WRONG_TYPE


def test_a_date_with_a_time_of_day_is_refused():
    times = [dt.datetime(1980, 5, 17), dt.datetime(1980, 5, 17, 1)]  # noqa: DTZ001 - as pandas writes
    _, refusals, _ = of_file(DAY, times, pa.timestamp("us"))
    assert [(each.row, each.reason) for each in refusals] == [(2, RefusalReason.WRONG_TYPE)]
    with pytest.raises(ContractError, match="its day depends on the time zone"):
        of_file(DAY, times, pa.timestamp("us", "UTC"))


def test_a_decision_is_read_with_the_times_of_its_transaction():
    column = replace(time("%d.%m.%Y %H:%M", VIENNA), is_nullable=False)
    added = Column("more", "float64", is_nullable=True)
    decoder = RecordDecoder([column, added], 1000)
    rows, _, rejects = decoder.decode(
        [b'{"at":"02.01.2026 03:04","more":null}', b'{"at":"02.01.2026 03:04"}', b'{"at":"x"}']
    )
    assert rows.column("at").to_pylist() == [utc(2026, 1, 2, 2, 4)] * 2
    assert [each.index for each in rejects] == [2]


def test_decoders_of_two_formats_do_not_pass_for_one():
    columns = [time(), time("%d.%m.%Y %H:%M", VIENNA), time("%m.%d.%Y %H:%M", VIENNA),
               time("%d.%m.%Y %H:%M", "UTC")]  # fmt: skip
    assert len({Decoder([each]).fingerprint for each in columns}) == 4


def with_time(column: Column) -> Contract:
    columns = [column if each.name == "paid_at" else each for each in WALLET.columns]
    return replace(WALLET, columns=tuple(columns))


def test_a_zone_of_utc_keeps_the_fingerprint_and_another_does_not():
    own = WALLET.column("paid_at")
    assert with_time(replace(own, timezone="UTC")).fingerprint == WALLET.fingerprint
    others = [
        replace(own, timezone=VIENNA),
        replace(own, format="%d.%m.%Y %H", timezone="UTC"),
    ]
    assert len({with_time(each).fingerprint for each in (own, *others)}) == 3


FAULTS = {
    "an unknown directive": ('type = "timestamp", format = "%Q"', "%Q is not known"),
    "no day": ('type = "timestamp", format = "%Y-%m %H", timezone = "UTC"', "needs one of %d"),
    "no hour": ('type = "timestamp", format = "%Y-%m-%d", timezone = "UTC"', "one of %H or %I"),
    "half a day": ('type = "timestamp", format = "%Y-%m-%d %I", timezone = "UTC"', "%I needs %p"),
    "twice a day": ('type = "date", format = "%d-%d-%m-%Y"', "%d is there twice"),
    "a count of dates": ('type = "date", format = "unix_s"', "needs one of %Y"),
    "a clock in a date": ('type = "date", format = "%Y-%m-%d %H"', "a date has none"),
    "no zone": ('type = "timestamp", format = "%Y-%m-%d %H:%M"', 'timezone = "Europe/Vienna"'),
    "an unknown zone": ('type = "timestamp", timezone = "Europe/Wien"', "Did you mean 'Europe/"),
    "a zone that is a path": ('type = "timestamp", timezone = "../etc/passwd"', "is not known"),
    "a zone of a number": ('type = "int64", timezone = "UTC"', "unknown key timezone"),
    "a format of a text": ('type = "string", format = "%Y"', "unknown key format"),
    "a zone of a date": ('type = "date", timezone = "UTC"', "unknown key timezone"),
    "a date as a feature": ('type = "date", feature = true', "let it see an age"),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_a_time_is_told_with_its_line(keys, told):
    text = f"""name = "small"
[roles]
label = "y"
amount = "a"
event_time = "t"
[columns]
t = {{ type = "timestamp" }}
a = {{ type = "float64" }}
y = {{ type = "bool" }}
x = {{ {keys} }}
"""
    (fault,) = examine_text(text.encode())
    assert fault.line == 10
    assert fault.place == "column 'x'"
    assert told in fault.text


def test_every_directive_that_is_known_can_stand_in_a_format():
    assert format_fault("%Y-%b-%d %I:%M:%S.%f %p %z %%", is_date=False) == ""
    assert format_fault("%y%m%d%H", is_date=False) == ""
