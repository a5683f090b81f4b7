"""A command says which of several contracts it is about, and does nothing without one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import SCREEN, Answer, typed
from tests.transactions import WALLET_FILE
from typer.main import get_command

from fraudline.cli.app import OF_NO_ONE_CONTRACT, app


class Typing:
    """Commands typed in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = directory / "fraudline.toml"

    def run(self, *arguments: str, **environment: str) -> Answer:
        return typed(arguments, {**os.environ, **SCREEN, **environment}, self.directory)


@pytest.fixture
def one(tmp_path: Path) -> Typing:
    return Typing(tmp_path)


@pytest.fixture
def two(one: Typing) -> Typing:
    shutil.copy(WALLET_FILE, one.directory)
    one.settings.write_text("[contract.creditcard]\n[contract.wallet]\n")
    return one


def commands(group: object, path: str = "") -> Iterator[tuple[str, object]]:
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{path} {name}")
        if not hasattr(command, "commands"):
            yield f"{path} {name}".strip(), command


def test_every_command_takes_a_contract_but_those_that_are_about_none():
    found = dict(commands(get_command(app)))
    without = {
        name
        for name, command in found.items()
        if not any("--contract" in each.opts for each in command.params)
    }
    of_all = {"keys create", "keys list", "keys revoke"}  # one home, whatever the contract
    assert without == {"contract init", "dataset", "demo", "down", "status", "up"} | of_all
    assert len(without) + 3 == len(OF_NO_ONE_CONTRACT)
    assert len(found) > 40


@pytest.mark.parametrize(
    "command", [("score",), ("sink",), ("learn",), ("check",), ("settings",), ("models", "changes")]
)
def test_none_of_several_is_chosen(two: Typing, command: tuple[str, ...]) -> None:
    answer = two.run(*command)
    assert answer.code == 2
    assert "several contracts: creditcard, wallet. Say which one is meant" in answer.said


def test_the_contract_is_told_beside_what_a_program_may_read(two: Typing) -> None:
    answer = two.run("settings", "--contract", "wallet")
    assert b"contract = wallet.toml" in answer.out
    assert "contract wallet" in answer.said.splitlines()
    assert "contract wallet" not in answer.out.decode().splitlines()
    assert "under [contract.wallet.kafka]." in answer.said
    by_variable = two.run("settings", FRAUDLINE_CONTRACT="creditcard")
    assert b"kafka.topic_labels = creditcard.labels" in by_variable.out
    assert two.run("settings", "--contract", "purse").code == 2


def test_a_project_with_one_contract_takes_its_name_and_no_other(one: Typing) -> None:
    assert one.run("settings", "--contract", "creditcard").code == 0
    other = one.run("settings", "--contract", "wallet")
    assert other.code == 2
    assert "no contract 'wallet' here: this project has one, 'creditcard'" in other.said


def test_every_contract_is_checked_where_none_is_named(two: Typing) -> None:
    both = two.run("contract", "check")
    assert both.code == 0
    assert "contract creditcard: 30 features" in both.said
    assert "contract wallet: " in both.said
    alone = two.run("contract", "check", "--contract", "wallet")
    assert "contract creditcard: " not in alone.said
    two.settings.write_text('[contract.x]\nfile = "wallet.toml"\n')
    named = two.run("contract", "check")
    assert named.code == 1
    assert "[contract.x] is of a contract that calls itself 'wallet'" in named.said


def test_the_lines_of_a_guessed_contract_are_those_of_one_beside_others(two: Typing) -> None:
    rows = [
        f"{n % 9 + 0.5},2026-01-01T00:{n:02}:00Z,{int(n % 7 == 0)},{n * 0.1}" for n in range(60)
    ]
    (two.directory / "shop.csv").write_text("\n".join(["amount,paid_at,is_fraud,speed", *rows]))
    answer = two.run("contract", "init", "shop.csv")
    assert answer.code == 0, answer.said
    assert '[contract.shop]\nfile = "shop.toml"' in answer.out.decode()
    assert "[contract.shop.policy]" in answer.said
    assert "topic_labels" not in answer.said
    with two.settings.open("a") as file:
        file.write(answer.out.decode().partition("[contract.shop]")[1])
    assert two.run("contract", "check", "--contract", "shop").code == 0
