"""`contract check` shows a contract that is sound, and of another all that has to be mended."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Shell
from tests.transactions import SHOP_FILE, TRIP_FILE, WALLET, WALLET_FILE


def test_a_sound_contract_is_shown_with_roles_limits_and_what_a_network_sees(shell: Shell) -> None:
    code, said = shell("contract", "check", str(WALLET_FILE))
    assert code == 0
    assert f"contract wallet: {len(WALLET.features)} features" in said
    assert WALLET.fingerprint in said
    assert "payment_id string id 64 characters nothing" in said
    assert "paid_at timestamp event time" in said
    assert "is_abroad bool 0 or 1" in said


def test_a_category_is_shown_with_its_levels_and_a_role_for_it_is_refused(
    shell: Shell, tmp_path: Path
) -> None:
    code, said = shell("contract", "check", str(SHOP_FILE))
    assert code == 0
    assert "country category of string 12 characters, null which level, of at most 5" in said
    assert "code category of int64 from 0 which level, of at most 100" in said
    assert "merchant category of string 1,024 characters which level, of 32 buckets" in said
    text = SHOP_FILE.read_text().replace('amount = "amount"', 'amount = "code"')
    (tmp_path / "shop.toml").write_text(text.replace("buckets = 32", "buckets = 3, max_level = 2"))
    code, said = shell("contract", "check", "shop.toml")
    assert code == 1
    assert "amount column 'code' must be float64 or int64 and not nullable, found category" in said
    assert "column 'merchant': unknown key max_level" in said
    assert "buckets = 3 must lie in 16 to 65,536" in said


def test_the_contract_of_the_settings_is_meant_without_a_name(shell: Shell) -> None:
    code, said = shell("contract", "check")
    assert code == 0
    assert "contract creditcard: 30 features" in said


def test_every_fault_stands_in_a_line_of_its_own_and_the_exit_code_is_1(
    shell: Shell, tmp_path: Path
) -> None:
    text = WALLET_FILE.read_text()
    (tmp_path / "wallet.toml").write_text(
        text.replace('type = "bool"', 'type = "flag"').replace("event_time =", "event_tim =", 1)
    )
    code, said = shell("contract", "check", "wallet.toml")
    assert code == 1
    assert "[roles]: unknown key event_tim" in said
    assert "[roles]: 'event_time' is missing" in said
    assert "column 'is_abroad': type is 'flag', expected one of" in said
    assert "faults in wallet.toml: mend what is named, and check it again." in said


def test_a_contract_that_is_not_there_is_refused_with_the_known_names(shell: Shell) -> None:
    code, said = shell("contract", "check", "nowhere.toml")
    assert code == 2
    assert "there is no contract 'nowhere.toml'" in said


def test_what_is_derived_is_shown_with_what_it_follows_from_and_as_a_query(shell: Shell) -> None:
    code, said = shell("contract", "check", str(TRIP_FILE))
    assert code == 0
    assert "times derived: amount / usual null the number, and whether it is missing" in said
    assert "paid_at_hour derived: of paid_at, on clocks in Europe/Vienna s the place on a" in said
    code, said = shell("contract", "sql", str(TRIP_FILE), "--table", "bank.payments")
    assert code == 0
    assert said.startswith("SELECT * FROM (SELECT *,")
    assert "FROM `bank.payments`" in said
    assert "ABS(CAST(`more` AS FLOAT64)) AS `off`" in said


def test_a_query_of_nothing_or_of_no_table_is_refused(shell: Shell) -> None:
    code, said = shell("contract", "sql")
    assert code == 2
    assert "contract 'creditcard' has no [derived] column" in said
    code, said = shell("contract", "sql", str(TRIP_FILE), "--table", "a` WHERE true")
    assert code == 2
    assert "expected data_set.table" in said
