"""What a person reads when something is wrong: it names the thing, and the way out."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from tests.cli.conftest import Shell
from tests.harness import SAMPLE, Place


@pytest.fixture
def placed(shell: Shell, here: Place) -> Shell:
    """A shell in a project whose services run."""
    return shell.set(
        **{name: value for name, value in here.environment.items() if "FRAUDLINE" in name}
    )


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["replay", "live.csv", "--speed", "3"], ["--speed"]),
        (["replay", "live.csv", "--rate", "fast"], ["--rate"]),
        (["replay", "live.csv"], ["live.csv"]),
        (["lod", "history.csv"], ["lod"]),
        (["dataset", "debitcard"], ["debitcard", "creditcard"]),
        (["dataset", "creditcard", "--from", "absent.csv"], ["absent.csv"]),
        (["predict", "absent.csv", "--out", "out.jsonl"], ["absent.csv"]),
        (["train", "--recipe", "magic"], ["magic", "default", "tutorial"]),
        (["models", "show", "v1"], ["v1", "fraudline train"]),
        (["models", "promote", "../x"], ["../x"]),
        (["verify", "absent.jsonl"], ["absent.jsonl"]),
        (["query", " "], ["SQL"]),
        (["rejects", "list", "--reason", "bad"], ["'bad'", "invalid_json"]),
    ],
)
def test_what_cannot_be_done_as_asked_is_named_with_exit_code_2(
    shell: Shell, arguments: list[str], names: list[str]
) -> None:
    code, said = shell(*arguments)
    assert code == 2, said
    assert all(name in said for name in names), said


def test_a_home_that_cannot_be_written_is_told_and_no_traceback(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, said = shell.set(FRAUDLINE_HOME=str(tmp_path / "file" / "home"))("demo")
    assert code == 1, said
    assert f"{tmp_path / 'file'}" in said
    assert "Not a directory" in said
    assert "set `home` elsewhere" in said


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("FRAUDLINE_KAFKA__GRUOP", "x", "FRAUDLINE_KAFKA__GRUOP"),
        ("FRAUDLINE_SINK__BATCH_ROWS", "many", "sink.batch_rows"),
        ("FRAUDLINE_CONTRACT", "debit", "'debit'"),
        ("FRAUDLINE_KAFKA__SECURITY_PROTOCOL", "SASL_SSL", "sasl_username"),
    ],
)
def test_a_wrong_setting_is_named_with_exit_code_2(
    shell: Shell, name: str, value: str, named: str
) -> None:
    code, said = shell.set(**{name: value})("replay", str(SAMPLE), "--stdout")
    assert code == 2
    assert named in said


def test_a_misspelt_setting_in_the_file_is_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "fraudline.toml").write_text('[kafka]\nbootstrap_server = "a:1"\n')
    code, said = shell("settings")
    assert code == 2
    assert "kafka.bootstrap_server" in said


@pytest.mark.parametrize("command", [["setup"], ["sink"], ["load", str(SAMPLE)], ["check"]])
def test_services_that_do_not_run_are_named_with_the_command_that_starts_them(
    shell: Shell, command: list[str]
) -> None:
    code, said = shell(*command)
    assert code == 1
    assert "fraudline up" in said


def test_without_a_champion_score_says_how_to_get_one(placed: Shell) -> None:
    code, said = placed("score")
    assert code == 1
    assert "fraudline train --promote" in said


def test_a_topic_that_is_not_there_is_named(placed: Shell) -> None:
    code, said = placed("replay", str(SAMPLE), "--topic", "transactoins")
    assert code == 1
    assert "'transactoins'" in said
    assert "fraudline setup" in said


def test_a_history_that_was_never_loaded_is_named(placed: Shell) -> None:
    for command in ("train", "check"):
        code, said = placed(command)
        assert code == 1
        assert "fraud_detection_train" in said
        assert "fraudline load" in said


def test_sql_that_bigquery_refuses_is_explained(placed: Shell) -> None:
    code, said = placed("query", "SELECT nothing FROM nowhere")
    assert code == 1
    assert "nowhere" in said


def test_a_file_with_other_columns_is_refused_by_their_names(placed: Shell, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("Time,V1,Extra\n1,2,3\n")
    code, said = placed("load", str(tmp_path / "other.csv"))
    assert code == 2
    assert "'Extra'" in said
    assert "'V2'" in said


def test_an_unlabelled_file_is_no_history(placed: Shell, tmp_path: Path) -> None:
    lines = SAMPLE.read_text().splitlines()[:3]
    unlabelled = "\n".join(line.rsplit(",", 1)[0] for line in lines) + "\n"
    (tmp_path / "unlabelled.csv").write_text(unlabelled)
    code, said = placed("load", str(tmp_path / "unlabelled.csv"))
    assert code == 2
    assert "'Class'" in said


def test_a_broker_that_is_not_there_is_named(shell: Shell) -> None:
    shell.set(FRAUDLINE_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:9")
    code, said = shell("replay", str(SAMPLE))
    assert code == 1
    assert "127.0.0.1:9" in said


def test_a_key_file_that_is_not_there_is_named(shell: Shell) -> None:
    shell.set(
        FRAUDLINE_BIGQUERY__PROJECT="my-project",
        FRAUDLINE_BIGQUERY__CREDENTIALS_FILE="absent.json",
    )
    code, said = shell("check")
    assert code == 1
    assert "absent.json" in said


def test_a_key_file_that_is_none_is_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"type": "something else"}')
    shell.set(
        FRAUDLINE_BIGQUERY__PROJECT="my-project", FRAUDLINE_BIGQUERY__CREDENTIALS_FILE="key.json"
    )
    code, said = shell("query", "SELECT 1")
    assert code == 1
    assert "key.json is not a service-account key" in said


def test_rows_that_do_not_fit_are_listed_and_the_others_loaded(
    placed: Shell, here: Place, tmp_path: Path
) -> None:
    lines = SAMPLE.read_text().splitlines()[:6]
    lines[2] = lines[2].replace(",", ",x", 1)
    (tmp_path / "bad.csv").write_text("\n".join(lines) + "\n")
    code, said = placed("load", str(tmp_path / "bad.csv"), "--max-refused", "20")
    assert code == 0
    assert "1 of 5 rows" in said
    assert "holds 4 rows" in said
    code, said = placed("check")
    assert "1 of 5 rows of" in said
    assert "wrong_type" in said


def test_a_secret_is_never_shown(shell: Shell) -> None:
    shell.set(FRAUDLINE_KAFKA__SASL_PASSWORD="hunter2")
    code, said = shell("settings")
    assert code == 0
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "command",
    [
        [], ["demo"], ["up"], ["down"], ["status"], ["setup"], ["settings"], ["dataset"], ["load"],
        ["check"], ["train"], ["models"], ["models", "list"], ["models", "show"],
        ["models", "promote"], ["replay"], ["score"], ["sink"], ["predict"], ["verify"],
        ["reconcile"], ["query"], ["rejects"], ["rejects", "list"], ["rejects", "show"],
        ["rejects", "replay"],
    ],
)  # fmt: skip
def test_every_command_has_a_help_that_reads_well(shell: Shell, command: list[str]) -> None:
    code, said = shell(*command, "--help")
    assert code == 0
    assert f"Usage: fraudline {' '.join(command)}".strip() in said
    assert ". " in said  # a whole sentence says what it does


def test_the_version_is_told(shell: Shell) -> None:
    assert shell("--version") == (0, f"fraudline {version('fraudline')}")
