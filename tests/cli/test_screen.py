"""What is printed is text, whoever wrote it."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.cli.screen import PrintableFormatter, printable, say, show_table

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
    assert PrintableFormatter("%(message)s").format(record) == f"broker: {printable(text)}"
