"""Tables as other programs write them: what cannot be guessed is told, with a way on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.drafts.test_draft import IS_FRAUD, NUMBERS, ROWS, asked, drafted, from_csv, keys, told

from fraudline.datasets.files import read_table
from fraudline.drafts import Answers, Draft, draft_contract
from fraudline.errors import InputError


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_another_separator_is_told_where_nobody_knows_the_columns_yet(
    tmp_path: Path, mark: str, word: str
) -> None:
    rows = [["Nr", "Betrag", "Betrug"], *([f"T{each}", f"{each},50", "0"] for each in range(30))]
    with pytest.raises(InputError, match=f"separated by .*{word}, expected commas") as caught:
        from_csv(tmp_path, "\r\n".join(map(mark.join, rows)) + "\r\n")
    assert "its decimals have commas" in str(caught.value)


def test_a_bar_in_a_name_separates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("key (a|b|c),amount\nx|1|2,5\ny,6\n")
    table, refusals = read_table(path, (), quoted_newlines=False)
    assert (table.column_names, table.num_rows, refusals) == (["key (a|b|c)", "amount"], 2, [])


@pytest.mark.parametrize(
    "written",
    ["1,234.50", "12,50", "1.234,50", "1'234.50", "€ 12.50", "12.50 EUR", "-$1,234", "7.5"],
)
def test_an_amount_in_a_writing_that_is_not_read_is_told_with_the_one_that_is(written: str) -> None:
    amounts = [written, "12,75"] * (ROWS // 2)
    question = asked(amount=amounts)["amount"]
    assert f"look like numbers that are not read, such as {written}" in question.text
    assert "write them as 1234.50, with no other mark and no currency" in question.text
    assert "look like numbers that are not read" in told(drafted(surplus=amounts))


@pytest.mark.parametrize("written", ["01234", "664 123 456", "10.0.0.1", "T1,234", "AT12 3456"])
def test_a_code_is_not_taken_for_a_number_in_another_writing(written: str) -> None:
    assert "look like numbers" not in told(drafted(code=[written] * ROWS))


def test_a_label_in_words_is_told_with_its_words_and_what_to_write() -> None:
    words = ["Y" if each else "N" for each in IS_FRAUD]
    question = asked(is_fraud=words, is_abroad=IS_FRAUD)["label"]
    assert "string with 2 values, 'N' and 'Y'; write 1 for fraud and 0 for the" in question.text


def test_letters_with_marks_are_written_in_those_that_a_table_can_have() -> None:
    draft = drafted(**{"Größe": NUMBERS.normal(size=ROWS), "Montant payé": range(ROWS)})
    assert keys(draft, "Groesse")["from"] == "Größe"
    assert keys(draft, "Montant_paye")["from"] == "Montant payé"


def test_other_names_are_told_in_one_sentence() -> None:
    theirs = {f"column {each}": NUMBERS.normal(size=ROWS) for each in range(9)}
    named = [each for each in drafted(Answers(), **theirs).told if "no table can have" in each]
    assert len(named) == 1
    assert "'column_8' from 'column 8'" in named[0]


def test_rows_of_a_text_that_is_not_utf_8_are_told(tmp_path: Path) -> None:
    path = tmp_path / "made_up.csv"
    lines = [f"{each}.5,2026-01-01T00:{each % 60:02}:00Z,shop,0" for each in range(300)]
    head = "amount,paid_at,merchant,is_fraud\n"
    path.write_bytes(
        (head + "\n".join(lines)).encode() + b"\n1.5,2026-01-01T06:00:00Z,M\xfcller,1\n"
    )
    table, _ = read_table(path, (), quoted_newlines=False)
    draft = draft_contract("made_up", path.name, table, Answers())
    assert isinstance(draft, Draft)
    assert "'merchant': `load` would refuse 1 of the rows" in told(draft)
