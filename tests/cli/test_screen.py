"""What is printed is text, whoever wrote it."""

from __future__ import annotations

import datetime as dt
import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fraudline.cli import live_ledger, screen
from fraudline.cli.screen import LogFormatter, printable, progress_bar, say, show_table, utc
from fraudline.reconcile.follow import Colour, FollowStatus, PartitionStatus
from fraudline.reconcile.stages import PartitionReach

HOSTILE = [
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnitirw",
    "\ud800",
    "a\rb\x08\x7f\x9b31m",
    "[red]",
    "\\[/red]",
    "[/]",
    "[link=https://example.com]x[/link]",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_neither_escapes_nor_markup_of_a_cell_or_a_line_have_an_effect(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_table(("column",), [(text,)], title="title")
    say(text)
    printed = capsys.readouterr()
    for line in (printed.out + printed.err).split("\n"):
        assert line.isprintable()
    assert printable(text) in printed.out
    assert printable(text) in printed.err


def test_the_lines_of_a_cell_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("column",), [("first\nsecond",)])
    assert "first\\nsecond" not in capsys.readouterr().out


@given(st.text())
def test_no_text_steers_a_terminal_and_plain_text_is_unchanged(text: str) -> None:
    shown = printable(text)
    assert all(line.isprintable() for line in shown.split("\n"))
    if all(line.isprintable() for line in text.split("\n")):
        assert shown == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_log_line_steers_no_terminal(text: str) -> None:
    record = logging.LogRecord("kafka", logging.WARNING, "", 0, "broker: %s", (text,), None)
    assert LogFormatter("%(message)s").format(record) == f"broker: {printable(text)}"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(screen, "OUT", Console(highlight=False, soft_wrap=True, width=80))


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    return lines


def words(lines: list[str]) -> set[str]:
    return set(" ".join(lines).split())


SENTENCE = "column 'card' is unknown; expected exactly: Time, V1, V2, V3, V4, V5, V6, V7, Amount"


@pytest.mark.usefixtures("narrow")
def test_sentences_wrap_between_words_and_nothing_else_wraps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = ("transactions.rejected:11:1234567", SENTENCE, "unknown_column")
    show_table(("position", "message", "reason"), [row])
    lines = printed(capsys)
    assert len(lines) > 3
    assert words(lines) >= {*SENTENCE.split(), row[0], row[2]}


@pytest.mark.usefixtures("narrow")
def test_a_column_that_is_cut_keeps_each_row_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"transactions:0:{number}", SENTENCE) for number in range(3)]
    show_table(("position", "message"), rows, cut="message")
    head, line, *shown = printed(capsys)
    assert head.split() == ["position", "message"]
    assert set(line) == {"─"}
    assert [row.split()[0] for row in shown] == [position for position, _ in rows]
    assert all(row.endswith("…") for row in shown)


@pytest.mark.usefixtures("narrow")
def test_what_is_too_wide_for_the_screen_is_shown_a_column_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = [f"column_{number}" for number in range(30)]
    show_table(columns, [list(range(30)), list(range(30, 60))])
    lines = printed(capsys)
    assert (lines[0], lines[31]) == ("row 1 of 2", "row 2 of 2")
    assert lines[1].split() == ["column_0", "0"]
    assert lines[61].split() == ["column_29", "59"]


@pytest.mark.usefixtures("narrow")
def test_a_wide_result_without_rows_names_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([f"column_{number}" for number in range(10)], [])
    assert words(printed(capsys)) >= {"column_0,", "column_9"}


@pytest.mark.usefixtures("narrow")
def test_the_live_ledger_fits_with_nine_digits(capsys: pytest.CaptureFixture[str]) -> None:
    reach = PartitionReach(123_456_789, 123_450_000, 123_440_000, 0, 12.3, 123.4)
    status = FollowStatus(
        Colour.RED, ["sink: no commit"], {3: PartitionStatus(reach, 123_440_000, 0, 0)}, 9, []
    )
    screen.OUT.print(live_ledger._screen(status))
    assert words(printed(capsys)) >= {"123,456,789", "6,789", "10,000", "123,440,000", "wrong"}


def test_a_pipe_is_given_whole_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    show_table(("position", "message"), [("transactions:0:1", SENTENCE * 3)], cut="message")
    assert SENTENCE * 3 in capsys.readouterr().out


def test_times_are_shown_in_utc_whatever_zone_they_come_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = dt.datetime(2026, 11, 30, 1, 2, 3, 40, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert utc(at) == "2026-11-29 23:02:03 UTC"
    show_table(("at",), [(at,)])
    assert "2026-11-29 23:02:03.000040 UTC" in capsys.readouterr().out


def test_log_lines_tell_the_time_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        record = logging.LogRecord("kafka", logging.WARNING, "", 0, "gone", (), None)
        record.created, record.msecs = 1_764_500_000.25, 250.0
        line = LogFormatter("%(asctime)s %(message)s").format(record)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert line == "2025-11-30 10:53:20.250 UTC gone"


def test_a_bar_of_which_nobody_knows_the_end_tells_a_number_and_never_that_all_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "ERR", Console(stderr=True, width=80))
    with progress_bar("judged") as bar:
        bar("judged", 1500, None)
    shown = capsys.readouterr().err
    assert "judged 1,500" in shown
    assert "100%" not in shown
