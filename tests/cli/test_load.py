"""What becomes of the rows of a file is told, and no more than a few are left out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Shell
from tests.cli.wallet_lines import line, stored, written
from tests.harness import SAMPLE
from tests.models import write_tiny_bundle, write_tiny_metrics
from tests.transactions import CREDITCARD, WALLET_FILE

from fraudline.cli.history_commands import load_file
from fraudline.errors import InputError, RefusedRowsError
from fraudline.registry import Registry
from fraudline.use_cases.check_history import check_history
from fraudline.use_cases.load_history import Loaded, load_history
from fraudline.use_cases.predict_file import predict_file
from fraudline.use_cases.send_file import read_messages
from fraudline.use_cases.verify_file import verify_file


def frauds_alone_have_a_null(path: Path) -> Path:
    rows = [line(number) for number in range(2000)]
    rows += [line(9000 + number, is_fraud=True, velocity="") for number in range(56)]
    return written(path, rows)


def test_a_file_that_would_lose_all_its_frauds_is_refused_and_replaces_nothing(make, tmp_path):
    project = make()
    load_history(project, written(tmp_path / "good.csv", [line(1), line(2, is_fraud=True)]))
    file = frauds_alone_have_a_null(tmp_path / "bad.csv")
    with pytest.raises(RefusedRowsError, match=r"56 of 2,056 rows .* 56 of them labelled fraud"):
        load_history(project, file)
    assert stored(project) == 2
    listed = json.loads(project.refused_account.read_text())
    assert listed["rows_loaded"] == 0
    (bad,) = listed["files"]
    assert listed["frauds_refused"] == len(bad["refusals"]) == 56
    assert {each["reason"] for each in bad["refusals"]} == {"null_value"}
    (good,) = json.loads(project.load_account.read_text())["files"]
    assert good["file"].endswith("good.csv")


def test_refused_rows_are_told_by_reason_and_column_with_the_frauds_among_them(
    make, tmp_path, capsys
):
    rows = [line(number, is_fraud=number == 7) for number in range(1, 101)]
    rows[3] = line(4, is_fraud=True, velocity="")
    rows[4] = line(5, velocity="")
    rows[6] = line(7, amount_minor="-1", is_fraud=True)
    rows[8] = line(9, velocity="").replace(",0,shop", ",x,shop")
    rows[9] = "p-10,cut"
    file = written(tmp_path / "some.csv", rows)
    with pytest.raises(RefusedRowsError, match="at most 1 % may be") as caught:
        load_file(make(), file)
    assert caught.value.exit_code == 1
    told = capsys.readouterr().err
    assert "5 of 100 rows of" in told
    assert (
        "2 (2 %) null_value, 1 of them labelled fraud; the first is row 4: column 'velocity': "
        "expected a value, found nothing"
    ) in told
    assert "1 (1 %) wrong_type, 0 of them labelled fraud, 1 without a label that can be" in told
    assert "1 (1 %) out_of_range, 1 of them labelled fraud; the first is row 7" in told
    assert "1 (1 %) missing_column, 0 of them labelled fraud, 1 without a label" in told
    load_file(make(), file, 5)
    assert "holds 95 rows" in capsys.readouterr().err


def test_one_in_a_hundred_may_be_refused_and_one_more_may_not(make, tmp_path):
    project = make()
    rows = [line(number, is_fraud=number < 9) for number in range(198)]
    bad = [line(1000 + number, velocity="x") for number in range(3)]
    loaded = load_history(project, written(tmp_path / "few.csv", rows + bad[:2]))
    assert (loaded.rows, len(loaded.refusals)) == (198, 2)
    with pytest.raises(RefusedRowsError, match=r"1\.49 %.* at most 1 % may be"):
        load_history(project, written(tmp_path / "more.csv", rows + bad))


def test_what_is_not_sent_and_not_scored_is_held_to_the_same_share(make, tmp_path):
    file = frauds_alone_have_a_null(tmp_path / "bad.csv")
    with pytest.raises(RefusedRowsError, match=r"56 of 2,056 .*Nothing was sent"):
        read_messages(make(), file)
    with pytest.raises(RefusedRowsError, match=r"56 of 2,056 .*Nothing was written"):
        predict_file(make(), file, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    assert len(read_messages(make(), file, max_refused=0.05).lines) == 2000


def test_messages_that_cannot_be_printed_are_told_and_the_others_are_not(
    shell: Shell, tmp_path: Path
) -> None:
    file = frauds_alone_have_a_null(tmp_path / "bad.csv")
    shell.set(FRAUDLINE_CONTRACT=str(WALLET_FILE))
    code, said = shell("replay", str(file), "--stdout")
    assert code == 1
    assert '{"payment_id"' not in said
    assert "56 of 2,056 rows" in said


def test_ids_that_identify_nothing_are_told(make, tmp_path):
    def told(rows: list[str]) -> str | None:
        loaded: Loaded = load_history(make(), written(tmp_path / "ids.csv", rows))
        assert loaded.rows == len(rows)
        return loaded.warning

    good = [line(number, is_fraud=number == 3) for number in range(9)]
    assert told(good) is None
    assert "rows that repeat an earlier one, id and all: 1" in told([*good, line(4)])
    reused = told([*good, line(14, payment_id="p-4"), line(15, payment_id="p-4"), line(4)])
    assert "rows whose id an earlier row with other values has: 2, 'p-4'" in reused
    assert "rows that repeat an earlier one, id and all: 1" in reused


def test_a_row_whose_id_is_empty_is_refused_as_such_a_message_is(make, tmp_path):
    good = [line(number, is_fraud=number == 3) for number in range(9)]
    file = written(tmp_path / "ids.csv", [*good, line(10, payment_id=""), line(11, payment_id=" ")])
    loaded = load_history(make(), file, max_refused=0.5)
    assert loaded.rows == len(good)
    assert [each.message for each in loaded.refusals] == [
        f"column 'payment_id': expected an id that is not empty, found {found!r}"
        for found in ("", " ")
    ]


def test_two_contracts_of_one_home_do_not_answer_for_each_other(make, tmp_path):
    wallet, card = make(), make("creditcard", "cards")
    rows = [line(number, is_fraud=number == 3) for number in range(99)]
    load_history(wallet, written(tmp_path / "w.csv", [*rows, line(100, velocity="x")]))
    load_history(card, SAMPLE)
    told = [finding.text for finding in check_history(wallet).report.findings]
    assert any("1 of 100 rows of" in text and "w.csv were refused" in text for text in told), told
    told = [finding.text for finding in check_history(card).report.findings]
    assert any("no row of" in text and SAMPLE.name in text for text in told), told


def test_an_account_of_the_last_release_is_believed_for_its_own_table_only(make, tmp_path):
    card, other = make("creditcard", "cards"), make("creditcard", "others")
    for project in (card, other):
        load_history(project, SAMPLE)
        project.load_account.unlink(missing_ok=True)
    before = {
        "file": "before.csv",
        "sha256": "0",
        "table": card.warehouse.table("cards"),
        "rows_loaded": 4,
        "rows_refused": 1,
        "refusals": [{"row": 2, "reason": "missing_column", "message": "column 'V1': nothing"}],
    }
    (tmp_path / "reports" / "load.json").write_text(json.dumps(before))
    told = [finding.text for finding in check_history(card).report.findings]
    assert any("1 of 5 rows of before.csv were refused" in text for text in told), told
    told = [finding.text for finding in check_history(other).report.findings]
    assert any("no record of a load" in text for text in told), told


def test_the_same_file_under_a_changed_contract_is_loaded_anew(make, tmp_path):
    file = written(tmp_path / "x.csv", [line(number, is_fraud=number == 3) for number in range(9)])
    assert load_history(make(), file).is_new
    assert not load_history(make(), file).is_new
    changed = tmp_path / "wallet.toml"
    changed.write_text(WALLET_FILE.read_text().replace('unit = "cent", min = 0', 'unit = "cent"'))
    assert load_history(make(str(changed)), file).is_new


@pytest.mark.parametrize("how", ["the same", "another name", "a symbolic link", "a hard link"])
def test_predictions_are_never_written_over_what_is_read(make, tmp_path, monkeypatch, how):
    project = make("creditcard")
    candidate = Registry(tmp_path, lambda: "creditcard").new_directory()
    write_tiny_metrics(candidate)
    write_tiny_bundle(candidate, CREDITCARD)
    file = tmp_path / "in.csv"
    file.write_bytes(SAMPLE.read_bytes())
    out = tmp_path / "out.jsonl"
    if how == "the same":
        out = file
    elif how == "another name":
        monkeypatch.chdir(tmp_path)
        out = Path("in.csv")
    elif how == "a symbolic link":
        out.symlink_to(file)
    else:
        out.hardlink_to(file)
    with pytest.raises(InputError, match=r"which is read: nothing was written"):
        predict_file(project, file, out)
    assert file.read_bytes() == SAMPLE.read_bytes()


def test_predictions_are_verified_by_whatever_name_they_were_written(make, tmp_path):
    file = tmp_path / "predictions.json"
    file.write_bytes(b'{"a": 1}\n')
    with pytest.raises(InputError, match=r"predictions.json.*") as refusal:
        verify_file(make(), file)
    assert "expected a name" not in str(refusal.value)


def test_messages_in_gzip_are_sent_as_they_are(make, tmp_path):
    lines = [b'{"a": 1}', b"broken", b"", b'"\xff"']
    content = b"\n".join(lines)
    for name, packed in (("x.jsonl.gz", gzip.compress(content)), ("X.JSONL", content)):
        (tmp_path / name).write_bytes(packed)
        assert read_messages(make(), tmp_path / name).lines == lines
