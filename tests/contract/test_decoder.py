"""Whatever arrives on a topic becomes a row or a reject with its reason, and never an error."""

import datetime as dt
from dataclasses import replace

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.transactions import CARD_ROW, CREDITCARD, WALLET, WALLET_ROW, message, raw

from fraudline import flows
from fraudline.contract import REJECT_COLUMNS, Column, Decoder, Reject, RejectReason, json_lines
from fraudline.contract import decoder as decoder_module
from fraudline.contract.decoder import MAX_MESSAGE_BYTES

CARD = Decoder(CREDITCARD.transaction_columns)
PATIENT = Decoder(CREDITCARD.transaction_columns, max_message_bytes=1_000_000)
PAYMENT = Decoder(WALLET.transaction_columns)
GOOD = message(CARD_ROW)
GOOD_PAYMENT = message(WALLET_ROW)

FLOAT32_MAX = 3.4028234663852886e38


def reject_of(decoder: Decoder, value: bytes | None) -> Reject:
    rows, accepted, rejects = decoder.decode([value])
    assert (rows.num_rows, accepted, len(rejects)) == (0, [], 1), rows.to_pylist()
    return rejects[0]


def row_of(decoder: Decoder, value: bytes) -> dict[str, object]:
    rows, accepted, rejects = decoder.decode([value])
    assert (accepted, rejects) == ([0], [])
    return rows.to_pylist()[0]


def without(row: dict[str, object], column: str) -> bytes:
    return message({name: value for name, value in row.items() if name != column})


def with_more(value: bytes, more: bytes) -> bytes:
    return value[:-1] + b"," + more + b"}"


BROKEN = {
    "tombstone": (None, "tombstone"),
    "nothing": (b"", "empty"),
    "white space": (b" \r\n\t", "empty"),
    "a byte too many": (GOOD.ljust(MAX_MESSAGE_BYTES + 1), "too_large"),
    "broken UTF-8 at the top": (b"\xff" + GOOD, "invalid_utf8"),
    "broken UTF-8 in a name": (GOOD.replace(b"V1", b"V\xff"), "invalid_utf8"),
    "broken UTF-8 in an unknown name": (with_more(GOOD, b'"\xff":1'), "invalid_utf8"),
    "broken UTF-8 after the object": (GOOD + b"\xff", "invalid_utf8"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "invalid_utf8"),
    "a line of CSV": (b"1.0,2.0,3.0", "not_an_object"),
    "a word": (b"approve", "invalid_json"),
    "truncated": (GOOD[:100], "invalid_json"),
    "without its brace": (GOOD[:-1], "invalid_json"),
    "a trailing comma": (GOOD[:-1] + b",}", "invalid_json"),
    "two objects": (GOOD + GOOD, "invalid_json"),
    "two lines": (GOOD + b"\n" + GOOD, "invalid_json"),
    "trailing garbage": (GOOD + b"x", "invalid_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "invalid_json"),
    "single quotes": (GOOD.replace(b'"', b"'"), "invalid_json"),
    "NaN": (raw(CARD_ROW, "V1", b"NaN"), "invalid_json"),
    "Infinity": (raw(CARD_ROW, "V1", b"Infinity"), "invalid_json"),
    "-Infinity": (raw(CARD_ROW, "V1", b"-Infinity"), "invalid_json"),
    "a decimal comma": (raw(CARD_ROW, "Amount", b"12,50"), "invalid_json"),
    "an array": (b"[" + GOOD + b"]", "not_an_object"),
    "a number": (b"1", "not_an_object"),
    "a string": (b'"x"', "not_an_object"),
    "null": (b"null", "not_an_object"),
    "100,000 arrays": (b"[" * 100_000, "not_an_object"),
    "a missing column": (without(CARD_ROW, "V7"), "missing_column"),
    "an empty object": (b"{}", "missing_column"),
    "an unknown column": (message(CARD_ROW, Extra=1), "unknown_column"),
    "the label": (message(CARD_ROW, Class=1), "unknown_column"),
    "a name in another case": (GOOD.replace(b'"V1"', b'"v1"'), "unknown_column"),
    "a name that imitates an error": (
        message(CARD_ROW, **{"missing required field `V1` - at `$.V1`": 1}),
        "unknown_column",
    ),
    "100,000 arrays in an unknown column": (
        with_more(GOOD, b'"x":' + b"[" * 100_000 + b"]" * 100_000),
        "unknown_column",
    ),
    "a column twice": (with_more(GOOD, b'"V1":1.0'), "duplicate_column"),
    "a column twice, once escaped": (with_more(GOOD, b'"\\u00561":1.0'), "duplicate_column"),
    "a column twice, with white space": (with_more(GOOD, b' "V1" \n:\t1.0'), "duplicate_column"),
    "a number in quotes": (message(CARD_ROW, V1="1.0"), "wrong_type"),
    "a decimal comma in quotes": (message(CARD_ROW, Amount="12,50"), "wrong_type"),
    "a bool for a number": (message(CARD_ROW, V1=True), "wrong_type"),
    "null for a number": (message(CARD_ROW, V1=None), "wrong_type"),
    "an object for a number": (message(CARD_ROW, V1={"V1": 1}), "wrong_type"),
    "100,000 arrays for a number": (raw(CARD_ROW, "V1", b"[" * 100_000), "wrong_type"),
    "1e400": (raw(CARD_ROW, "V1", b"1e400"), "out_of_range"),
    "an absurd exponent": (raw(CARD_ROW, "V1", b"1e999999999999999999"), "out_of_range"),
    "5,000 digits": (raw(CARD_ROW, "V1", b"1" * 5_000), "out_of_range"),
    "a negative amount": (message(CARD_ROW, Amount=-0.01), "out_of_range"),
    "a component far out": (message(CARD_ROW, V1=1e5), "out_of_range"),
}


@pytest.mark.parametrize(("value", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_message_is_rejected_with_its_reason(value, reason):
    decoder = CARD if reason == "too_large" else PATIENT
    reject = reject_of(decoder, value)
    assert reject.reason == RejectReason(reason)
    assert reject.message
    assert "\n" not in reject.message


BROKEN_PAYMENTS = {
    "a fraction for an integer": (raw(WALLET_ROW, "amount_minor", b"5.0"), "wrong_type"),
    "2**63": (message(WALLET_ROW, amount_minor=2**63), "out_of_range"),
    "4,000 digits": (raw(WALLET_ROW, "amount_minor", b"9" * 4_000), "out_of_range"),
    "5,000 digits": (raw(WALLET_ROW, "amount_minor", b"9" * 5_000), "out_of_range"),
    "1 for a bool": (message(WALLET_ROW, is_abroad=1), "wrong_type"),
    "a number for a string": (message(WALLET_ROW, merchant=1), "wrong_type"),
    "null where it is not allowed": (message(WALLET_ROW, payment_id=None), "wrong_type"),
    "a string too long": (message(WALLET_ROW, payment_id="x" * 65), "out_of_range"),
    "broken UTF-8 in a string": (raw(WALLET_ROW, "merchant", b'"\xff"'), "invalid_utf8"),
    "a surrogate in UTF-8": (raw(WALLET_ROW, "merchant", b'"\xed\xa0\x80"'), "invalid_utf8"),
    "half a surrogate pair": (raw(WALLET_ROW, "merchant", b'"\\ud800 a \\"b\\""'), "invalid_json"),
    "the other half": (raw(WALLET_ROW, "merchant", b'"\\udc00"'), "invalid_json"),
    "a line end in a string": (raw(WALLET_ROW, "merchant", b'"a\nb \\"\\""'), "invalid_json"),
    "a null column twice": (with_more(GOOD_PAYMENT, b'"risk_note":null'), "duplicate_column"),
    "a string column twice": (with_more(GOOD_PAYMENT, b'"merchant":"x"'), "duplicate_column"),
    "a string column twice, first null": (
        with_more(message(WALLET_ROW, merchant=None), b'"\\u006derchant":"x"'),
        "duplicate_column",
    ),
    "a string column twice, then null": (
        with_more(GOOD_PAYMENT, b'"merchant" :null'),
        "duplicate_column",
    ),
    "a time without an offset": (message(WALLET_ROW, paid_at="2026-01-01T00:00:00"), "wrong_type"),
    "a time in words": (message(WALLET_ROW, paid_at="yesterday"), "wrong_type"),
    "a time as a number": (message(WALLET_ROW, paid_at=1_700_000_000), "wrong_type"),
    "the 61st second": (message(WALLET_ROW, paid_at="2016-12-31T23:59:60Z"), "wrong_type"),
    "the year 0": (message(WALLET_ROW, paid_at="0000-01-01T00:00:00Z"), "wrong_type"),
    "a time before the year 1 in UTC": (
        message(WALLET_ROW, paid_at="0001-01-01T00:00:00+14:00"),
        "out_of_range",
    ),
    "a time after the year 9999 in UTC": (
        message(WALLET_ROW, paid_at="9999-12-31T23:59:59-00:01"),
        "out_of_range",
    ),
    "a feature that float32 cannot hold": (message(WALLET_ROW, velocity=3.5e38), "out_of_range"),
    "a feature of 1e308": (message(WALLET_ROW, velocity=-1e308), "out_of_range"),
}


@pytest.mark.parametrize(("value", "reason"), BROKEN_PAYMENTS.values(), ids=BROKEN_PAYMENTS)
def test_a_broken_payment_is_rejected_with_its_reason(value, reason):
    assert reject_of(PAYMENT, value).reason == RejectReason(reason)


@pytest.mark.parametrize("blank", ["", " ", "\u00a0\t"])
def test_an_empty_id_is_no_id_in_a_transaction_and_stays_as_it_is_in_what_is_stored(blank):
    value = message(WALLET_ROW, payment_id=blank)
    reject = reject_of(flows.TRANSACTIONS.decoder(WALLET), value)
    assert reject.reason is RejectReason.OUT_OF_RANGE
    assert reject.message == "column 'payment_id': the id is empty; each transaction needs its own"
    assert row_of(PAYMENT, value)["payment_id"] == blank
    stored = Decoder(WALLET.decision_columns, PAYMENT._max_message_bytes + 16 * 1024)
    assert flows.DECISIONS.decoder(WALLET).fingerprint == stored.fingerprint


def test_every_reason_that_a_message_shows_is_reached_by_a_broken_message():
    reached = {RejectReason(reason) for _, reason in (BROKEN | BROKEN_PAYMENTS).values()}
    of_other_forms = {RejectReason.INVALID_ENCODING}  # told before there is any JSON
    assert reached == {reason for reason in RejectReason if reason.is_in_message} - of_other_forms


def test_a_reject_says_where_and_what_was_expected_and_found():
    assert reject_of(CARD, message(CARD_ROW, Amount="12,50")).message == (
        "column 'Amount': expected float, got str; lenient = true would allow numbers in quotes"
    )
    assert reject_of(CARD, without(CARD_ROW, "V7")).message.startswith(
        "column 'V7' is missing; expected exactly: Time, V1, V2,"
    )
    assert reject_of(CARD, with_more(GOOD, b'"V3":1')).message == (
        "column 'V3' is there more than once"
    )
    assert "begins with a UTF-8 byte order mark" in reject_of(CARD, b"\xef\xbb\xbf" + GOOD).message
    assert reject_of(CARD, GOOD + b"x").message.startswith(
        "JSON is malformed: trailing characters (byte 29"
    )


def test_an_unknown_name_is_shown_cut_and_without_control_characters():
    text = reject_of(CARD, message(CARD_ROW, **{"\x1b[31m\n" + "x" * 20_000: 1})).message
    assert text.startswith("column '\\x1b[31m\\nxxx")
    assert len(text) < 400


def test_a_message_of_the_most_bytes_is_accepted():
    assert row_of(CARD, GOOD.ljust(MAX_MESSAGE_BYTES)) == CARD_ROW


def test_the_order_of_the_columns_does_not_matter():
    assert row_of(PAYMENT, message(dict(reversed(WALLET_ROW.items())))) == row_of(
        PAYMENT, GOOD_PAYMENT
    )


def test_an_integer_is_a_number_too():
    assert row_of(CARD, raw(CARD_ROW, "V1", b"2"))["V1"] == 2.0


def test_the_first_and_last_moment_of_the_calendar_are_accepted():
    for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"):
        found = row_of(PAYMENT, message(WALLET_ROW, paid_at=moment))["paid_at"]
        assert found == dt.datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("2026-12-31T23:59:59.9999995Z", "2026-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
        ("1969-12-31T23:59:59.9999999+01:00", "1969-12-31T22:59:59.999999Z"),
        ("2026-12-31T23:59:59.999999000Z", "2026-12-31T23:59:59.999999Z"),
    ],
)
def test_a_time_finer_than_a_microsecond_is_cut_and_never_rounded_into_another_year(text, cut):
    merchant = 'open "12:30:11.1234567"'
    messages = [
        message(WALLET_ROW, payment_id=name, paid_at=text, merchant=merchant) for name in "ab"
    ]
    rows, _, rejects = PAYMENT.decode([GOOD_PAYMENT, *messages, GOOD_PAYMENT])
    assert rejects == []
    moment = dt.datetime.fromisoformat(WALLET_ROW["paid_at"])
    expected = [moment, *[dt.datetime.fromisoformat(cut)] * 2, moment]
    assert rows.column("paid_at").to_pylist() == expected
    assert rows.column("payment_id").to_pylist() == ["p-1", "a", "b", "p-1"]
    assert rows.column("merchant").to_pylist()[1:3] == [merchant] * 2


def test_a_message_too_large_is_no_row_because_a_time_in_it_could_be_cut():
    large = message(WALLET_ROW, paid_at="9999-12-31T23:59:59.9999999Z").ljust(MAX_MESSAGE_BYTES + 1)
    assert reject_of(PAYMENT, large).reason == RejectReason.TOO_LARGE


def test_half_a_surrogate_pair_is_not_called_truncated():
    for half in (b'"\\ud800 x"', b'"\\udc00"', b'"\\ud800\\ud800"'):
        found = reject_of(PAYMENT, raw(WALLET_ROW, "merchant", half))
        assert "half of a surrogate pair" in found.message
    truncated = message(WALLET_ROW, merchant="\U0001f600").replace(
        "\U0001f600".encode(), b"\\ud83d\\ude00"
    )
    assert reject_of(PAYMENT, truncated[:-3]).message == "the message was truncated"


def test_the_largest_float32_is_accepted():
    assert row_of(PAYMENT, message(WALLET_ROW, velocity=FLOAT32_MAX))["velocity"] == FLOAT32_MAX


def test_a_number_that_no_network_sees_may_be_as_large_as_float64():
    assert row_of(PAYMENT, message(WALLET_ROW, risk_note=1e308))["risk_note"] == 1e308


def test_a_column_may_have_the_name_of_a_python_word():
    decoder = Decoder([Column("from", "int64"), Column("__init__", "int64")])
    assert row_of(decoder, b'{"from":1,"__init__":2}') == {"from": 1, "__init__": 2}


def test_no_messages_give_an_empty_batch_with_the_schema():
    rows, accepted, rejects = PAYMENT.decode([])
    assert (rows.num_rows, accepted, rejects) == (0, [], [])
    assert rows.schema == WALLET.transaction_schema


def test_bytes_come_back_from_base64():
    decoder = Decoder([Column("original", "bytes")])
    assert row_of(decoder, b'{"original":"/wA="}') == {"original": b"\xff\x00"}
    assert reject_of(decoder, b'{"original":"*"}').reason == RejectReason.WRONG_TYPE


PAYMENTS = st.fixed_dictionaries(
    {
        "payment_id": st.text(max_size=64),
        "paid_at": st.datetimes(
            min_value=dt.datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
            max_value=dt.datetime(9999, 12, 29),  # noqa: DTZ001 - likewise
            timezones=st.builds(
                lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)),
                st.integers(-1439, 1439),
            ),
        ),
        "amount_minor": st.integers(0, 2**63 - 1),
        "velocity": st.floats(-FLOAT32_MAX, FLOAT32_MAX),
        "distance_km": st.floats(0, FLOAT32_MAX),
        "is_abroad": st.booleans(),
        "risk_note": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "merchant": st.none() | st.text(max_size=1024),
    }
)
EDGES = {
    **WALLET_ROW,
    "paid_at": dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
    "amount_minor": 2**63 - 1,
    "velocity": -0.0,
    "distance_km": 5e-324,
    "risk_note": 1.7976931348623157e308,
    "merchant": '\x00\u2028\U0001f600 \\"',
}


@settings(deadline=None)
@given(st.lists(PAYMENTS, max_size=5))
@example([EDGES])
def test_any_valid_row_is_the_same_bit_for_bit_after_encoding_and_decoding(payments):
    rows = pa.RecordBatch.from_pylist(payments, WALLET.transaction_schema)
    decoded, accepted, rejects = PAYMENT.decode(json_lines(rows))
    assert rejects == []
    assert accepted == list(range(len(payments)))
    assert decoded.equals(rows)
    for name in ("velocity", "distance_km", "risk_note"):  # -0.0 equals 0.0, but is another
        assert list(map(str, decoded[name].to_pylist())) == list(map(str, rows[name].to_pylist()))


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
@example(-(2**63))
def test_any_64_bit_integer_survives(number):
    rows = pa.record_batch([pa.array([number])], names=["n"])
    assert row_of(Decoder([Column("n", "int64")]), json_lines(rows)[0]) == {"n": number}


@st.composite
def damaged(draw) -> bytes:
    """A good message with some of its bytes replaced by any others."""
    value = draw(st.sampled_from([GOOD, GOOD_PAYMENT]))
    start = draw(st.integers(0, len(value)))
    stop = draw(st.integers(start, min(start + 8, len(value))))
    more = draw(st.binary(max_size=8) | st.sampled_from([b'"', b"{}", b"\\ud800", b"1e999", b","]))
    return value[:start] + more + value[stop:]


@settings(deadline=None)
@given(st.lists(st.none() | st.binary(max_size=64) | damaged(), max_size=8))
def test_any_bytes_give_a_row_or_a_reject_and_the_same_ones_alone_as_in_a_batch(messages):
    for decoder in (CARD, PAYMENT, Decoder(REJECT_COLUMNS)):
        rows, accepted, rejects = decoder.decode(messages)
        assert sorted([*accepted, *(reject.index for reject in rejects)]) == list(
            range(len(messages))
        )
        assert rows.num_rows == len(accepted)
        for row, index in zip(rows.to_pylist(), accepted, strict=True):
            assert row_of(decoder, messages[index]) == row
        for reject in rejects:
            alone = reject_of(decoder, messages[reject.index])
            assert (alone.reason, alone.message) == (reject.reason, reject.message)
            msgspec.json.encode(alone.message)


def test_a_message_without_a_repeat_costs_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[bytes] = []
    monkeypatch.setattr(decoder_module, "repeated_key", looked_at.append)
    given_and_null = [message(WALLET_ROW, merchant=name) for name in ("shop", None, "")]
    rows, _, rejects = PAYMENT.decode(given_and_null * 3)
    assert (rows.num_rows, rejects, looked_at) == (9, [], [])


def test_decoders_have_the_same_fingerprint_only_if_they_agree_on_what_is_a_row() -> None:
    column = Column("a", "int64", "A number.", min=0)
    decoders = [
        Decoder([column]),
        Decoder([replace(column, max=9)]),
        Decoder([replace(column, min=1)]),
        Decoder([replace(column, is_nullable=True)]),
        Decoder([replace(column, type="float64")]),
        Decoder([replace(column, name="b")]),
        Decoder([column], max_message_bytes=100),
    ]
    assert len({decoder.fingerprint for decoder in decoders}) == len(decoders)
    described = Decoder([replace(column, description="A count.")])
    assert described.fingerprint == decoders[0].fingerprint
