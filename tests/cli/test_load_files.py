"""Several files are one history, and what is added to it is there once, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.cli.wallet_lines import line, stored, written
from tests.transactions import WALLET

from fraudline.cli.history_commands import load_file
from fraudline.datasets.files import read_transactions
from fraudline.errors import InputError, RefusedRowsError, WarehouseError
from fraudline.use_cases.check_history import check_history
from fraudline.use_cases.load_history import load_history
from fraudline.use_cases.project import Project
from fraudline.warehouse import client
from fraudline.warehouse.query import change, query


def month(path: Path, first: int, count: int = 20, **changes: str) -> Path:
    rows = [line(first + n, is_fraud=n % 5 == 0, **changes) for n in range(count)]
    return written(path, rows)


def as_parquet(file: Path) -> Path:
    made = file.with_suffix(".parquet")
    pq.write_table(read_transactions(file, WALLET).rows, made)
    file.unlink()
    return made


def ids(project: Project) -> list[str]:
    return sorted(query(project.warehouse, "SELECT payment_id FROM history")[0].to_pylist())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two months, one of them as Parquet, beside what is none."""
    made = tmp_path / "months"
    made.mkdir()
    month(made / "2026-01.csv", 100)
    as_parquet(month(made / "2026-02.csv", 200))
    (made / "_SUCCESS").touch()
    (made / "more").mkdir()
    month(made / "more" / "2025-12.csv", 0)
    return made


@pytest.mark.parametrize(
    "given", [["."], ["2026-*"], ["2026-01.csv", "2026-02.parquet"], ["2026-01.csv", "2026-*"]]
)
def test_a_folder_a_pattern_and_several_files_are_one_history(
    make, folder, monkeypatch, capsys, given
):
    monkeypatch.chdir(folder)
    project = make()
    load_file(project, [Path(each) for each in given])
    assert ids(project) == sorted(f"p-{first + n}" for first in (100, 200) for n in range(20))
    told = capsys.readouterr().err
    assert "holds 40 rows of 2 files." in told
    assert ("_SUCCESS, more left out" in told) == (given == ["."])
    assert ("was named twice" in told) == (given[-1:] == ["2026-*"] and len(given) == 2)
    load_file(project, [folder / "2026-02.parquet", folder / "2026-01.csv"])
    assert "loaded before, nothing to do" in capsys.readouterr().err


def test_where_some_files_are_missing_all_of_them_are_told_and_nothing_is_loaded(make, folder):
    project = make()
    load_history(project, month(folder / "old.csv", 1))
    (folder / "empty").mkdir()
    given = [folder / name for name in ("2026-01.csv", "2026-03.csv", "2027-*.csv", "empty")]
    with pytest.raises(InputError) as caught:
        load_history(project, given, append=True)
    for missing in ("no file .*2026-03.csv", "called like .*2027-", "folder .*empty holds no file"):
        assert caught.match(missing)
    assert stored(project) == 20


def test_a_copy_of_a_file_is_taken_once_and_told(make, folder, capsys):
    (folder / "copy.csv").write_bytes((folder / "2026-01.csv").read_bytes())
    load_file(make(), folder)
    told = capsys.readouterr().err
    assert "copy.csv, and is taken once" in told or "holds the same bytes as" in told
    assert "holds 40 rows of 2 files" in told


def test_refused_rows_are_told_by_file_and_allowed_over_all_files(make, tmp_path, capsys):
    good = month(tmp_path / "good.csv", 1000, 90)
    bad = written(tmp_path / "bad.csv", [line(n, velocity="x" if n < 3 else "1") for n in range(9)])
    project = make()
    with pytest.raises(RefusedRowsError, match=r"3 of 99 rows of 2 files \(3.03 %\)"):
        load_file(project, [good, bad], 3)
    refused = json.loads(project.refused_account.read_text())["files"]
    assert [each["rows_refused"] for each in refused] == [0, 3]
    load_file(project, [good, bad], 4)
    assert "3 of 9 rows of" in capsys.readouterr().err
    told = [each.text for each in check_history(project).report.findings]
    assert any("3 of 99 rows of 2 files were refused" in each and "3 of" in each for each in told)


def test_rows_are_added_once_and_what_is_there_is_said(make, folder, tmp_path, capsys):
    project = make()
    load_file(project, folder / "2026-01.csv")
    load_file(project, [folder], append=True)
    told = capsys.readouterr().err
    assert "2026-01.csv is in " in told
    assert "holds 40 rows, 20 of them added now from 1 of 2 files." in told
    load_file(project, [folder], append=True)
    assert "holds 40 rows, 0 of them added now." in capsys.readouterr().err
    account = json.loads(project.load_account.read_text())
    assert account["rows_loaded"] == 40
    assert [Path(each["file"]).name for each in account["files"]] == [
        "2026-01.csv",
        "2026-02.parquet",
    ]
    told = [each.text for each in check_history(project).report.findings]
    assert any("no row of 2 files was refused when they were loaded" in each for each in told), told
    load_file(project, folder / "2026-01.csv")
    load_file(project, folder / "2026-02.parquet", append=True)
    assert stored(project) == 40


def test_ids_that_are_there_already_are_told(make, folder, tmp_path):
    project = make()
    load_history(project, folder)
    overlap = month(tmp_path / "overlap.csv", 215, 20)
    added = load_history(project, overlap, append=True)
    assert "5 of the ids that were added are in the history from before" in added.warning
    assert (added.rows, added.added) == (60, 20)
    assert load_history(project, overlap, append=True).warning is None


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Ends once BigQuery has the n-th request from now on, and before it has answered; 0 is never.

    What it has been told to do may still be going on.
    """
    send = client._Session.request
    left = 0

    def request(self: object, *what: object, **how: object) -> object:
        nonlocal left
        left -= 1
        answer = send(self, *what, **how)
        if left == 0:
            raise Killed
        return answer

    def at(number: int) -> None:
        nonlocal left
        left = number

    monkeypatch.setattr(client._Session, "request", request)
    return at


def test_whenever_an_append_is_killed_doing_it_again_gives_each_row_once(make, tmp_path, kill):
    project = make()
    load_history(project, month(tmp_path / "old.csv", 0, 9))
    for number in range(1, 100):
        files = [
            written(tmp_path / f"{part}.csv", [line(10_000 + 2 * number + part)] * 2)
            for part in (0, 1)
        ]
        kill(number)
        try:
            load_history(project, files, append=True)
        except Killed:
            is_over = False
        else:
            is_over = True
        kill(0)
        assert load_history(project, files[::-1], append=True).rows == 9 + 4 * number
        assert stored(project) == 9 + 4 * number
        if is_over:
            break
    assert 10 < number < 99


def test_nothing_is_added_to_a_load_that_did_not_end(make, tmp_path, kill):
    project = make()
    old, new = month(tmp_path / "old.csv", 0), month(tmp_path / "new.csv", 100)
    load_history(project, old)
    for number in range(1, 100):
        kill(number)
        try:
            load_history(project, new)
        except Killed:
            pass
        else:
            break
        kill(0)
        try:
            added = load_history(project, month(tmp_path / "more.csv", 200), append=True)
        except WarehouseError as error:
            assert "did not end" in str(error)  # noqa: PT017 - either is right, neither is silent
        else:
            assert added.rows == 40
        load_history(project, old)
    kill(0)
    assert number > 5
    assert stored(project) == 20


def test_a_file_that_an_earlier_release_loaded_is_not_added_again(make, tmp_path):
    project = make()
    file = month(tmp_path / "old.csv", 0)
    load_history(project, file)
    table = project.warehouse.client.get_table(project.warehouse.table("history"))
    table.labels = {**table.labels, "fraudline_load": None}
    project.warehouse.client.update_table(table, ["labels"])
    project.warehouse.client.delete_table(project.warehouse.table("history_files"))
    assert load_history(project, file, append=True).added == 0
    assert load_history(project, month(tmp_path / "new.csv", 50), append=True).rows == 40


def test_rows_that_somebody_else_wrote_stay_and_are_told(make, tmp_path):
    project = make()
    load_history(project, month(tmp_path / "old.csv", 0))
    change(project.warehouse, "INSERT INTO history SELECT * FROM history LIMIT 5")
    told = [each.text for each in check_history(project).report.findings]
    assert any("is of 20 rows, and the table holds 25" in each for each in told), told
    assert load_history(project, month(tmp_path / "new.csv", 50), append=True).rows == 45


def test_a_history_begins_with_an_append_too(make, folder):
    added = load_history(make(), folder, append=True)
    assert (added.rows, added.added, added.is_new) == (40, 40, True)


def test_a_name_with_marks_of_a_pattern_is_a_file_where_there_is_one(make, tmp_path):
    file = month(tmp_path / "a[1].csv", 0)
    assert load_history(make(), file).rows == 20
    file.rename(tmp_path / "a1.csv")
    assert not load_history(make(), file).is_new
