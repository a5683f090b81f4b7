"""docs/reference.md says what bqlite does; every construct it names is one a test runs."""

import argparse
import ast
import pathlib
import re

import pytest
from google.api_core.exceptions import GoogleAPICallError

from bqlite import server

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "reference.md").read_text()
TESTED = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


def section(title):
    return re.split(r"\n#+ ", TEXT.split(f"# {title}\n", 1)[1])[0]


def rows(title):
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def code(cell):
    return re.fullmatch(r"(`+)(.*?)\1", cell)[2].strip()


EXAMPLES = [
    (code(row[0]), code(row[column]))
    for title, column in (
        ("Where DuckDB alone would differ, and bqlite does not", 1),
        ("Differs", 2),
    )
    for row in rows(title)
]
REFUSED = [(code(row[0]), row[1]) for row in rows("Refused by name")]


@pytest.mark.parametrize(("expression", "answer"), EXAMPLES)
def test_an_example_of_the_reference_gives_the_answer_beside_it(client, expression, answer):
    (row,) = client.query_and_wait(f"SELECT {expression} AS v")
    assert row.v == ast.literal_eval(answer)
    assert type(row.v) is type(ast.literal_eval(answer))


@pytest.mark.parametrize(("statement", "name"), REFUSED)
def test_a_statement_the_reference_calls_refused_is_refused_by_name(
    client, dataset, statement, name
):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64)")
    with pytest.raises(GoogleAPICallError, match="bqlite") as refusal:
        client.query_and_wait(re.sub(r"\bd\.", f"{dataset}.", statement))
    assert name in refusal.value.message


@pytest.mark.parametrize("area", [row[0] for row in rows("Works")])
def test_every_construct_of_the_reference_is_run_by_a_test(area):
    (cells,) = [row for row in rows("Works") if row[0] == area]
    names = re.findall(r"`([^`]+)`", cells[1])
    assert names
    missing = [name for name in names if not re.search(rf"\b{re.escape(name)}", TESTED)]
    assert not missing


def test_every_option_of_the_command_has_its_row(monkeypatch):
    seen = []
    original = argparse.ArgumentParser.add_argument

    def note(self, *names, **options):
        seen.extend(name for name in names if name.startswith("--"))
        return original(self, *names, **options)

    monkeypatch.setattr(argparse.ArgumentParser, "add_argument", note)
    server.parse(["--data", "x"])
    documented = {row[0].strip("`") for row in rows("The command")}
    assert documented == set(seen) - {"--help"}


def test_the_lines_of_bqlite_are_about_as_many_as_is_said():
    found = sum(len(path.read_text().splitlines()) for path in (ROOT / "src/bqlite").rglob("*.py"))
    (said,) = re.findall(r"bout ([\d,]+) lines", TEXT)
    assert abs(found - int(said.replace(",", ""))) <= 500
