"""`contract init` writes a contract and its settings, or says what only a person can say."""

from __future__ import annotations

import gzip
import tomllib
from pathlib import Path

import pytest
from tests.card_table import write_card_table
from tests.cli.conftest import Shell


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    return write_card_table(tmp_path / "Card Payments.csv", 200)


def test_what_is_not_known_is_asked_with_the_option_that_answers_and_nothing_is_written(
    shell: Shell, cards: Path, tmp_path: Path
) -> None:
    code, said = shell("contract", "init", cards.name)
    assert code == 1
    assert "label: Several columns may say which payments were fraud." in said
    assert "--label chargeback_filed" in said
    assert "--label is_fraud" in said
    assert "fraudline contract init 'Card Payments.csv' --label …" in said
    assert list(tmp_path.glob("*.toml")) == []


def test_a_contract_and_its_settings_are_written_and_both_are_sound(
    shell: Shell, cards: Path, tmp_path: Path
) -> None:
    code, said = shell("contract", "init", cards.name, "--label", "is_fraud")
    assert code == 0
    assert "card_payments.toml: 11 columns, 6 features" in said
    assert "LOOK 'card_number': its values look like card numbers" in said
    assert "LOOK 'chargeback_filed': it alone tells fraud from the rest" in said
    assert "The settings that it needs are in fraudline.toml." in said
    settings = tomllib.loads((tmp_path / "fraudline.toml").read_text())
    assert settings["contract"] == "card_payments.toml"
    assert settings["kafka"]["topic_rejects"] == "card_payments.rejected"
    assert set(settings["policy"]) == {"fraud_cost", "review_cost", "wrong_block_cost"}
    code, said = shell("contract", "check")  # by these settings
    assert code == 0
    assert "contract card_payments: 6 features" in said


def test_a_table_that_says_neither_what_nor_when_gives_settings_that_say_what_a_fraud_costs(
    shell: Shell, tmp_path: Path
) -> None:
    lines = [f"{number},{number % 7},{int(number % 9 == 0)}" for number in range(200)]
    (tmp_path / "bare.csv").write_text("\n".join(["level,items,is_fraud", *lines]) + "\n")
    code, said = shell("contract", "init", "bare.csv")
    assert code == 1
    assert "fraudline contract init bare.csv --payments-a-day …" in said
    code, said = shell("contract", "init", "bare.csv", "--payments-a-day", "50")
    assert code == 0
    assert "[policy]) are fraudline's round figures, which know no amount" in said
    settings = tomllib.loads((tmp_path / "fraudline.toml").read_text())
    assert settings["policy"] == {"fraud_cost": 37, "review_cost": 4, "wrong_block_cost": 25}
    code, said = shell("contract", "check")
    assert code == 0
    assert "none: each missed fraud costs the same, policy.fraud_cost" in said
    assert "none: 50 rows of the history count as a day" in said


def test_no_file_that_is_there_is_written_over(shell: Shell, cards: Path, tmp_path: Path) -> None:
    (tmp_path / "fraudline.toml").write_text('contract = "creditcard"\n')
    (tmp_path / "mine.toml").write_text("mine")
    init = ("contract", "init", cards.name, "--label", "is_fraud")
    code, said = shell(*init, "--name", "mine")
    assert (code, (tmp_path / "mine.toml").read_text()) == (2, "mine")
    assert "mine.toml is there already and was left as it is" in said
    code, said = shell(*init, "--name", "fraudline")
    assert code == 2
    code, said = shell(*init)
    assert code == 0
    assert 'contract = "card_payments.toml"' in said
    assert "There is a fraudline.toml already, and it was left as it is" in said
    assert (tmp_path / "fraudline.toml").read_text() == 'contract = "creditcard"\n'


def test_a_packed_file_gives_what_the_file_gives(shell: Shell, cards: Path, tmp_path: Path) -> None:
    packed = tmp_path / "2026.csv.gz"
    packed.write_bytes(gzip.compress(cards.read_bytes()))
    for file in (packed.name, cards.name):
        assert shell("contract", "init", file, "--label", "is_fraud")[0] == 0
    texts = [(tmp_path / f"{name}.toml").read_text() for name in ("payments_2026", "card_payments")]
    assert texts[0].split("[roles]")[1] == texts[1].split("[roles]")[1]


@pytest.mark.parametrize("name", ["../x", "a b", "", "1st", "é"])
def test_a_name_that_topics_cannot_have_is_refused(shell: Shell, cards: Path, name: str) -> None:
    code, said = shell("contract", "init", cards.name, "--label", "is_fraud", "--name", name)
    assert code == 2
    assert "a contract cannot be called" in said


def test_a_file_that_is_not_there_or_empty_is_refused(shell: Shell, tmp_path: Path) -> None:
    assert shell("contract", "init", "nowhere.csv")[0] == 2
    (tmp_path / "empty.csv").write_text("amount,is_fraud\n")
    code, said = shell("contract", "init", "empty.csv")
    assert code == 2
    assert "empty.csv has no rows, so nothing can be guessed of it" in said


def test_a_file_whose_rows_are_all_cut_short_says_so_and_not_that_it_has_none(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "cut.csv").write_text("amount,is_fraud\n1,2,0\n3,4,1\n")
    code, said = shell("contract", "init", "cut.csv")
    assert code == 2
    assert "cut.csv: all 2 rows are cut short or broken" in said
    assert "Row 1: expected 2 values, found 3." in said
