"""A contract is guessed where the table says enough, and a person is asked where it does not."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.card_table import card_number, write_card_table

from fraudline.contract import Contract
from fraudline.contract.contract_file import examine_text
from fraudline.datasets.files import read_table
from fraudline.drafts import Answers, Draft, Question, contract_text, draft_contract
from fraudline.errors import InputError

ROWS = 400
NUMBERS = np.random.default_rng(3)
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
IS_FRAUD = np.arange(ROWS) % 10 == 0
SOUND: dict[str, Any] = {
    "amount": np.arange(ROWS) % 50 + 1.5,
    "paid_at": [BEGIN + dt.timedelta(minutes=each) for each in range(ROWS)],
    "speed": NUMBERS.normal(size=ROWS),
    "is_fraud": IS_FRAUD.astype(int),
}


def guess(answers: Answers | None = None, **columns: Any) -> Draft | list[Question]:
    values = {name: each for name, each in (SOUND | columns).items() if each is not None}
    return draft_contract("made_up", "made_up.parquet", pa.table(values), answers or Answers())


def drafted(answers: Answers | None = None, **columns: Any) -> Draft:
    found = guess(answers, **columns)
    assert isinstance(found, Draft)
    return found


def asked(answers: Answers | None = None, **columns: Any) -> dict[str, Question]:
    found = guess(answers, **columns)
    assert isinstance(found, list)
    return {each.role: each for each in found}


def keys(draft: Draft, column: str) -> dict[str, Any]:
    return dict(next(each.keys for each in draft.columns if each.name == column))


def told(draft: Draft) -> str:
    return "\n".join(draft.told)


def sound(draft: Draft) -> Contract:
    contract = examine_text(contract_text(draft).encode())
    assert isinstance(contract, Contract), contract
    return contract


def from_csv(tmp_path: Path, text: str) -> pa.Table:
    path = tmp_path / "made_up.csv"
    path.write_text(text)
    return read_table(path, (), quoted_newlines=False)[0]


def test_roles_are_known_by_names_and_values():
    draft = drafted()
    assert draft.roles == {"label": "is_fraud", "amount": "amount", "event_time": "paid_at"}
    assert sound(draft).features == ("amount", "speed", "paid_at_hour")
    assert "40 of 400 rows (10 %)" in draft.facts["label"]


def test_limits_stand_only_where_the_meaning_gives_them_and_never_the_largest_of_a_sample():
    draft = drafted(item_count=np.arange(ROWS) % 7, lat=NUMBERS.uniform(40, 50, ROWS))
    assert keys(draft, "amount") == {"type": "float64", "min": 0}
    assert keys(draft, "item_count") == {"type": "int64", "min": 0}
    assert keys(draft, "lat") == {"type": "float64", "min": -90, "max": 90}
    assert keys(draft, "speed") == {"type": "float64"}


def test_amounts_below_0_are_told_and_no_limit_refuses_them():
    draft = drafted(amount=np.where(np.arange(ROWS) < 3, -5.0, 7.0))
    assert keys(draft, "amount") == {"type": "float64"}
    assert "'amount': 3 amounts are below 0; a refund is no payment" in told(draft)


def test_two_columns_that_may_be_the_label_are_a_question_and_an_answer_settles_it():
    other = {"chargeback": (np.arange(ROWS) % 20 == 0).astype(int)}
    question = asked(**other)["label"]
    assert question.option == "--label"
    assert question.candidates == (
        ("is_fraud", "1 in 10 % of the rows"),
        ("chargeback", "1 in 5 % of the rows"),
    )
    assert drafted(Answers(label="chargeback"), **other).roles["label"] == "chargeback"


def test_a_flag_that_is_called_like_nothing_is_not_taken_for_the_label():
    question = asked(is_fraud=None, is_abroad=IS_FRAUD)["label"]
    assert question.text.startswith("No column is called like one that says which")
    assert [name for name, _ in question.candidates] == ["is_abroad"]


def test_a_label_that_is_nearly_always_1_is_a_question_of_which_way_is_fraud():
    turned = {"is_fraud": (~IS_FRAUD).astype(int)}
    assert "is 1 in 90 % of the rows, and 1 must be fraud" in asked(**turned)["label"].text
    draft = drafted(Answers(label="is_fraud"), **turned)
    assert "90 % of the rows are fraud, as you said" in told(draft)


def test_a_label_in_words_is_told_to_be_written_as_0_and_1():
    question = asked(is_fraud=["yes" if each else "no" for each in IS_FRAUD])["label"]
    assert "'is_fraud' is called like one, but it is string with 2 values, 'no'" in question.text
    assert "write such a column into the file, 1 for fraud" in question.text


def test_a_float_of_0_and_1_is_a_label_too():
    assert keys(drafted(is_fraud=IS_FRAUD.astype(float)), "is_fraud")["type"] == "int64"


def test_all_that_is_missing_is_asked_at_once():
    questions = asked(amount=None, paid_at=None, is_fraud=None)
    assert [each.option for each in questions.values()] == ["--label", "--payments-a-day"]


def test_a_table_without_an_amount_has_a_contract_that_says_so():
    draft = drafted(amount=None)
    assert set(draft.roles) == {"label", "event_time"}
    assert draft.facts["amount"] == "none: each missed fraud costs the same"
    assert "so each missed fraud costs the same: fraud_cost under [policy]" in told(draft)
    assert "give --amount" in told(draft)
    assert sound(draft).amount is None
    assert '# amount = "..."  # none: each missed fraud' in contract_text(draft)


def test_several_amounts_are_asked_and_may_all_be_none():
    other = {"amount_of_order": np.arange(ROWS) % 9 + 0.5}
    question = asked(**other)["amount"]
    assert "--amount none" in question.text
    draft = drafted(Answers(amount="none"), **other)
    assert sound(draft).amount is None
    assert keys(draft, "amount") == {"type": "float64"}
    assert "give --amount" not in told(draft)


def test_a_table_that_tells_no_time_has_a_contract_once_somebody_says_how_many_come_in_a_day():
    question = asked(paid_at=None)["event time"]
    assert "say how many payments come in a day: --payments-a-day" in question.text
    draft = drafted(Answers(payments_a_day=1300), paid_at=None)
    contract = sound(draft)
    assert (contract.event_time, contract.payments_a_day) == (None, 1300)
    assert draft.facts["event time"] == "none: 1,300 payments count as a day, as you said"
    assert "no figure tells how a model ages" in told(draft)
    with pytest.raises(InputError, match="Give one of the two"):
        guess(Answers(payments_a_day=1300, event_time="paid_at"))
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="expected a number above 0"):
            guess(Answers(payments_a_day=wrong), paid_at=None)


LOCAL = [BEGIN + dt.timedelta(minutes=97 * each) for each in range(ROWS)]
FORMS = {
    "ISO without an offset": ("%Y-%m-%d %H:%M:%S", ""),
    "German": ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M"),
    "British": ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S"),
    "American": ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M %p"),
    "Oracle": ("%d-%b-%y %H:%M:%S", "%d-%b-%y %H:%M:%S"),
}


@pytest.mark.parametrize(("written", "form"), FORMS.values(), ids=FORMS)
def test_times_of_a_clock_are_read_as_they_are_written_once_somebody_says_whose(written, form):
    texts = [each.strftime(written) for each in LOCAL]
    question = asked(paid_at=texts)["time zone"]
    assert "Times of 'paid_at' have no offset from UTC" in question.text
    assert question.option == "--timezone"
    draft = drafted(Answers(timezone="Europe/Vienna"), paid_at=texts)
    column = sound(draft).column("paid_at")
    assert (column.type, column.format) == ("timestamp", form)
    assert (column.timezone, column.parts) == ("Europe/Vienna", ("hour",))
    assert draft.facts["event time"].endswith("Europe/Vienna")
    assert not form or f"are read as timestamps written as {form}" in told(draft)
    with pytest.raises(InputError, match="Did you mean 'Europe/Vienna'"):
        guess(Answers(timezone="Europe/Viena"), paid_at=texts)


def test_a_history_of_weeks_lets_the_weekday_speak():
    texts = [f"{BEGIN + dt.timedelta(hours=3 * each):%Y-%m-%dT%H:%M:%SZ}" for each in range(ROWS)]
    assert keys(drafted(paid_at=texts), "paid_at") == {
        "type": "timestamp",
        "parts": ["hour", "weekday"],
    }


def test_a_parquet_time_without_a_zone_needs_somebody_who_knows_it():
    times = pa.array([each.replace(tzinfo=None) for each in LOCAL], pa.timestamp("us"))
    assert "time zone" in asked(paid_at=times)
    draft = drafted(Answers(timezone="UTC"), paid_at=times)
    assert sound(draft).column("paid_at").timezone == "UTC"


def test_times_that_may_be_read_in_two_ways_are_not_guessed():
    texts = [f"{1 + each % 12:02d}/0{1 + each % 3}/2026 10:00" for each in range(ROWS)]
    question = asked(paid_at=texts)["event time"]
    assert "'paid_at' holds times that may be read in two ways, such as 01/01/2026" in question.text


def test_dates_are_dates_and_a_date_of_birth_is_an_age():
    born = [dt.date(1950 + each % 50, 1 + each % 12, 28) for each in range(ROWS)]
    draft = drafted(date_of_birth=born, issued=[f"{each:%d.%m.%Y}" for each in born])
    contract = sound(draft)
    assert contract.column("date_of_birth").type == contract.column("issued").type == "date"
    assert contract.column("issued").format == "%d.%m.%Y"
    (age,) = contract.derived
    assert (age.kind, age.of, age.unit) == ("age", ("date_of_birth", "paid_at"), "year")
    assert "derived: a date of birth" in told(draft)
    assert contract.features[-1] == "age_years"


def test_two_places_are_a_distance_and_one_is_none():
    places = {
        "home_lat": NUMBERS.uniform(-80, 80, ROWS),
        "home_long": NUMBERS.uniform(-170, 170, ROWS),
        "merchant_latitude": pa.array([None, *NUMBERS.uniform(-80, 80, ROWS - 1)]),
        "merchant_longitude": NUMBERS.uniform(-170, 170, ROWS),
    }
    (km,) = sound(drafted(**places)).derived
    assert (km.name, km.kind, km.of) == ("km_home_to_merchant", "distance", tuple(places))
    assert km.is_nullable
    assert sound(drafted(**{name: places[name] for name in list(places)[:3]})).derived == ()
    beyond = places | {"home_lat": places["home_lat"] * 2}
    assert sound(drafted(**beyond)).derived == ()


def test_a_number_that_is_the_event_time_needs_a_unit_which_is_never_assumed():
    question = asked(paid_at=None, time=np.arange(ROWS) * 900.0)["time unit"]
    assert question.option == "--event-time time --time-unit"
    assert ("s", "then the table spans 4.16 days") in question.candidates
    draft = drafted(Answers(time_unit="s"), paid_at=None, time=np.arange(ROWS) * 900.0)
    assert keys(draft, "time") == {"type": "float64", "unit": "s"}


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("time_seconds", np.arange(ROWS), "seconds"),
        ("unix_time", 1_700_000_000 + np.arange(ROWS), "s"),
        ("event_ts", 1_700_000_000_000 + np.arange(ROWS), "ms"),
    ],
)
def test_a_unit_is_known_by_the_name_or_by_the_size_of_a_time_since_1970(name, values, unit):
    draft = drafted(paid_at=None, **{name: values})
    assert draft.roles["event_time"] == name
    assert keys(draft, name)["unit"] == unit
    sound(draft)


def test_a_column_that_tells_the_label_alone_is_no_feature_and_said():
    late = np.where(IS_FRAUD, 5.0, 1.0) + np.arange(ROWS) % 3 / 10
    missing = [None if each else 1.0 + place % 7 for place, each in enumerate(IS_FRAUD)]
    draft = drafted(days_to_report=late, review_note=missing)
    assert sound(draft).features == ("amount", "speed", "paid_at_hour")
    assert "'days_to_report': it alone tells fraud from the rest (AUC 1.0000)" in told(draft)
    assert "'review_note': it has no value in any row that is labelled fraud" in told(draft)
    lines = contract_text(draft).splitlines()
    place = lines.index('days_to_report = { type = "float64", feature = false }')
    assert "# It alone tells fraud from the rest" in "\n".join(lines[place - 3 : place])


def test_what_cannot_be_learned_from_is_no_feature_and_said():
    draft = drafted(
        version=np.ones(ROWS, dtype=int),
        nothing=pa.nulls(ROWS),
        customer_id=NUMBERS.integers(0, 50, ROWS),
        time_days=np.arange(ROWS),
        opened_ts=1_600_000_000 + NUMBERS.integers(0, 10**6, ROWS),
    )
    assert sound(draft).features == ("amount", "speed", "paid_at_hour")
    for begin in (
        "'version': it holds one value alone",
        "'nothing': it holds no value at all",
        "'customer_id': it is a number that names something",
        "'time_days': it grows with the event time",
        "'opened_ts': it counts s since 1970",
    ):
        assert begin in told(draft)


def test_texts_that_come_again_and_again_are_categories_and_others_stay_texts():
    draft = drafted(
        merchant_category=[("food", "fuel", "games")[each % 3] for each in range(ROWS)],
        country=[None if not each % 7 else "AT" if each % 2 else "DE" for each in range(ROWS)],
        remark=[f"remark {each}" for each in range(ROWS)],
        booked=["01/02/2026 03:04"] * 200 + ["01/03/2026 03:04"] * 200,
    )
    assert keys(draft, "merchant_category") == {"type": "category"}
    assert keys(draft, "country") == {"type": "category", "nullable": True}
    assert keys(draft, "remark") == keys(draft, "booked") == {"type": "string"}
    assert "'merchant_category', 'country': its texts come again and again" in told(draft)
    assert "'remark': too many different texts to learn from" in told(draft)
    assert "'booked': its texts look like times or dates that may be read in two ways" in told(
        draft
    )
    assert sound(draft).features[-3:] == ("merchant_category", "country", "paid_at_hour")


def test_few_rows_of_many_texts_are_no_leak_by_themselves():
    rows = {name: each[:60] for name, each in SOUND.items()}
    rows["is_fraud"] = np.resize([1, 0, 0], 60)
    draft = drafted(**rows, remark=[f"remark {each}" for each in range(60)])
    assert "alone tells fraud" not in told(draft)


def test_a_category_of_many_levels_is_sorted_into_buckets():
    merchants = [f"m{each % 150}" for each in range(1500)]
    columns: dict[str, Any] = {
        "amount": np.arange(1500) % 50 + 1.5,
        "paid_at": [BEGIN + dt.timedelta(minutes=each) for each in range(1500)],
        "is_fraud": np.resize(IS_FRAUD, 1500).astype(int),
    }
    draft = drafted(**columns, speed=None, merchant=merchants)
    assert keys(draft, "merchant") == {"type": "category", "buckets": 4096}
    sound(draft)


@pytest.mark.parametrize("as_number", [False, True])
def test_card_numbers_are_never_a_feature_nor_an_id_and_never_written(as_number):
    cards = [card_number(each) for each in range(ROWS)]
    values = list(map(int, cards)) if as_number else cards
    draft = drafted(payment_id=values)
    assert "id" not in draft.roles
    assert "payment_id" not in sound(draft).features
    assert "'payment_id': its values look like card numbers" in told(draft)
    assert cards[0] not in contract_text(draft) + told(draft)
    assert (
        "looks like card numbers"
        in asked(Answers(id=("payment_id",)), payment_id=values)["id"].text
    )


def test_a_column_that_names_each_payment_is_the_id():
    assert drafted(tx_id=[f"t{each}" for each in range(ROWS)]).roles["id"] == "tx_id"
    assert "id" not in drafted(tx_id=[f"t{each % 9}" for each in range(ROWS)]).roles


def test_the_types_of_a_csv_file_are_those_that_load_reads(tmp_path):
    rows = [
        f"{each}.5,2026-01-01T{each // 60:02}:{each % 60:02}:00Z,{'' if each % 4 else 7},"
        f"00{each % 10},{'true' if each % 3 else 'false'},{'NA' if each == 5 else each % 13},"
        f"{int(each % 10 == 0)}"
        for each in range(ROWS)
    ]
    head = "amount,paid_at,age,code,is_abroad,score_1,fraud"
    draft = draft_contract("x", "x.csv", from_csv(tmp_path, "\n".join([head, *rows])), Answers())
    assert isinstance(draft, Draft)
    types = {each.name: each.keys["type"] for each in draft.columns}
    assert types == {
        "amount": "float64",
        "paid_at": "timestamp",
        "age": "int64",
        "code": "string",
        "is_abroad": "bool",
        "score_1": "int64",
        "fraud": "int64",
    }
    assert keys(draft, "age")["nullable"] is True
    assert "nullable" not in keys(draft, "score_1")
    assert (
        "'score_1': `load` would refuse 1 of the rows (expected int64 or nothing, found 'NA'"
        in told(draft)
    )


def test_a_category_that_a_csv_file_leaves_empty_may_be_null(tmp_path):
    rows = [
        f"{each % 50}.5,2026-01-01T{each // 60:02}:{each % 60:02}:00Z,"
        f"{'' if each == 7 else 'ab'[each % 2]},{'cd'[each % 2]},{int(each % 10 == 0)}"
        for each in range(ROWS)
    ]
    table = from_csv(tmp_path, "\n".join(["amount,paid_at,country,kind,fraud", *rows]))
    draft = draft_contract("x", "x.csv", table, Answers())
    assert isinstance(draft, Draft)
    assert keys(draft, "country") == {"type": "category", "nullable": True}
    assert keys(draft, "kind") == {"type": "category"}


def test_the_same_table_gives_the_same_file(tmp_path):
    tables = [read_table(write_card_table(tmp_path / "a.csv"), (), quoted_newlines=False)[0]] * 2
    texts = [
        contract_text(draft)
        for table in tables
        if isinstance(draft := draft_contract("a", "a", table, Answers("is_fraud")), Draft)
    ]
    assert texts[0] == texts[1]
    assert tomllib.loads(texts[0])["columns"]["distance_km"] == {
        "type": "float64",
        "min": 0,
        "nullable": True,
    }


def test_names_that_no_table_can_have_are_read_under_others():
    theirs = {"TRANSACTION_ID": np.arange(ROWS), "Card Limit (EUR)": NUMBERS.normal(size=ROWS)}
    draft = drafted(**theirs)
    assert draft.roles["id"] == "own_TRANSACTION_ID"
    assert keys(draft, "own_TRANSACTION_ID") == {"type": "int64", "from": "TRANSACTION_ID"}
    assert keys(draft, "Card_Limit_EUR") == {"type": "float64", "from": "Card Limit (EUR)"}
    assert "'own_TRANSACTION_ID' from 'TRANSACTION_ID'" in told(draft)
    assert sound(draft).column("Card_Limit_EUR").source == "Card Limit (EUR)"
    assert sound(drafted(Answers(id=("TRANSACTION_ID",)), **theirs)).id == "own_TRANSACTION_ID"


def test_names_without_a_way_on_are_refused_all_at_once():
    with pytest.raises(InputError) as caught:
        guess(**{"Zeit": 1, "zeit.": np.arange(ROWS), "%": np.arange(ROWS)} | {"Zeit": None})
    assert "'zeit.' is not a BigQuery column name" in str(caught.value)
    assert "'%' is not a BigQuery column name" in str(caught.value)


def test_a_column_of_lists_is_refused_by_name():
    with pytest.raises(InputError, match=r"'tags': it is a list, which no column of a contract"):
        guess(tags=[["a"]] * ROWS)


def test_an_answer_that_names_no_column_is_refused_with_the_one_that_was_meant():
    with pytest.raises(InputError, match=r"--label is_frau: .* Did you mean 'is_fraud'\?"):
        guess(Answers(label="is_frau"))


def test_a_column_that_is_called_like_a_role_and_cannot_have_it_is_told_with_the_reason():
    amounts = ["1,50"] * ROWS
    times = [None, *SOUND["paid_at"][1:]]
    questions = asked(amount=amounts, paid_at=pa.array(times, pa.timestamp("us", "UTC")))
    assert "'amount' cannot be it: its texts look like numbers" in questions["amount"].text
    assert "'paid_at' cannot be it: it is null in 1 rows" in questions["event time"].text


def test_a_column_that_was_answered_for_one_role_is_not_guessed_for_another():
    draft = drafted(Answers(id=("is_fraud",)), flagged_fraud=IS_FRAUD)
    assert draft.roles["label"] == "flagged_fraud"


def test_a_unit_of_a_time_that_needs_none_is_refused_and_not_ignored():
    with pytest.raises(InputError, match="'paid_at' is a timestamp, which needs no unit"):
        guess(Answers(time_unit="s"))


def test_two_roles_for_one_column_are_refused():
    with pytest.raises(InputError, match="'amount' cannot have two roles"):
        guess(Answers(amount="amount", event_time="amount"))


COLUMNS = st.sampled_from(["amount", "fraud", "time", "id", "a_ts", "x", "lat", "zip"])
CELLS = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6),
    st.lists(st.none() | st.floats(), min_size=6, max_size=6),
    st.lists(st.none() | st.booleans(), min_size=6, max_size=6),
    st.lists(st.none() | st.text(max_size=4), min_size=6, max_size=6),
    st.lists(st.sampled_from([0, 1]), min_size=6, max_size=6),
    st.lists(st.none() | st.datetimes(), min_size=6, max_size=6),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(COLUMNS, CELLS, min_size=1, max_size=6))
def test_whatever_a_table_holds_it_gives_a_sound_contract_or_says_why_not(columns):
    try:
        found = draft_contract("made_up", "a table", pa.table(columns), Answers())
    except InputError:
        return
    if isinstance(found, Draft):
        examined = examine_text(contract_text(found).encode())
        faults = [] if isinstance(examined, Contract) else [each.text for each in examined]
        assert all("no column is a feature" in fault for fault in faults)
    else:
        assert all(each.text and each.option for each in found)


def test_who_takes_part_is_known_by_names_and_is_never_learned_as_a_number():
    draft = drafted(
        customer_id=np.arange(ROWS) % 40,
        TERMINAL_ID=[f"t{each % 7}" for each in range(ROWS)],
        merchant=[f"m{each % 90}" for each in range(ROWS)],
        merchant_category=np.arange(ROWS) % 5,
        card_hash=[f"c{each}" for each in range(ROWS)],  # comes once each: it names the payment
        device_id=np.zeros(ROWS, int),
        user_agent=["x", "y"] * (ROWS // 2),
    )
    expected = {"customer": "customer_id", "terminal": "TERMINAL_ID", "merchant": "merchant"}
    assert draft.entities == expected
    contract = sound(draft)
    assert {one.name: one.columns for one in contract.entities} == {
        entity: (name,) for entity, name in expected.items()
    }
    assert "customer_id" not in contract.features
    assert "customer 'customer_id', terminal 'TERMINAL_ID'" in draft.facts["entities"]


def test_two_columns_that_name_a_card_are_two_entities():
    named = {"card_id": np.arange(ROWS) % 9, "card_token": [f"{each % 8}" for each in range(ROWS)]}
    assert drafted(**named).entities == {"card": "card_id", "card_token": "card_token"}


def test_an_id_may_be_answered_by_several_columns_and_its_texts_have_an_end():
    columns = {"acquirer": ["a", "bc"] * (ROWS // 2), "rrn": np.arange(ROWS) // 2}
    draft = drafted(Answers(id=("acquirer", "rrn")), **columns)
    assert draft.facts["id"] == "'acquirer' with 'rrn'"
    assert not any("does not name each payment" in each for each in draft.told)
    contract = sound(draft)
    assert contract.id == ("acquirer", "rrn")
    assert contract.column("acquirer").max_length == 32
    twice = drafted(Answers(id=("acquirer", "rrn")), **columns | {"rrn": np.arange(ROWS) // 3})
    assert "'acquirer' with 'rrn': it does not name each payment alone" in told(twice)
    with pytest.raises(InputError, match=r"--id rnr: there is no such column. Did you mean 'rrn'"):
        guess(Answers(id=("acquirer", "rnr")), **columns)
