"""A first contract for a file or a table, and the settings that go with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fraudline.contract import Contract
from fraudline.contract.contract_file import examine_text
from fraudline.datasets.files import read_table
from fraudline.drafts import (
    MOST_ROWS,
    Answers,
    Draft,
    Question,
    Whole,
    contract_text,
    draft_contract,
    settings_beside,
    settings_text,
)
from fraudline.errors import InputError
from fraudline.settings import SETTINGS_FILE, contract_names, find_settings_file
from fraudline.use_cases.own_costs import COSTS, costs_without_amount, scaled_costs
from fraudline.use_cases.project import Project

_MOST_NAME = 60  # topics and data sets are named by it
_NO_AMOUNTS = 1.0
# As `bigquery.history` takes it.
_TABLE = re.compile(r"([A-Za-z0-9.:_-]+\.)?[A-Za-z0-9_]+\.[\w-]+")


@dataclass(frozen=True)
class WrittenContract:
    """A contract that was guessed and written.

    Attributes:
        draft: What was found, and what a person must look at.
        contract: What is in it.
        file: Where it is.
        left_out: What of the table was not looked at, and why, in sentences.
        settings: The lines of the settings that it needs.
        settings_file: Where they are; None: there is such a file already, which was left as it is.
        is_table: Whether it was guessed from a table, which is the history then.
        is_beside: Whether these lines are of one of several contracts, as the settings have them.
    """

    draft: Draft
    contract: Contract
    file: Path
    left_out: tuple[str, ...]
    settings: str
    settings_file: Path | None
    is_table: bool
    is_beside: bool


def write_contract(
    project: Project,
    source: str,
    answers: Answers,
    *,
    name: str | None = None,
    quoted_newlines: bool = False,
) -> WrittenContract | list[Question]:
    """Guess the contract of a table, and write it into the working directory.

    Args:
        project: Whose BigQuery has the table, if it is one.
        source: CSV or Parquet, also as gzip; or a table or view, `project.data_set.name`.
        answers: What a person has said of it.
        name: What the contract is to be called; else as its source is.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.

    Returns:
        What was written; or what only a person can say, and then nothing was.

    Raises:
        WarehouseError: there is no such table, or it cannot be read.
        InputError: there is no such file, no contract can have it, or its contract's file is
            there already.
    """
    name = _name_of(source) if name is None else name
    file = Path(f"{name}.toml")
    if not re.fullmatch(r"[A-Za-z_]\w{0,59}", name, re.ASCII):
        raise InputError(
            f"a contract cannot be called {name!r}: expected letters, digits and _, at most "
            f"{_MOST_NAME}; give --name."
        )
    if file.exists() or name == SETTINGS_FILE.stem:
        raise InputError(
            f"{file} is there already and was left as it is. Give another --name, or move it away."
        )
    history = source if is_table(source) else None
    if history is None:
        draft, left_out = _of_file(name, Path(source), answers, quoted_newlines=quoted_newlines)
    else:
        draft, left_out = _of_table(project, name, history, answers)
    if isinstance(draft, list):
        return draft
    text = contract_text(draft)
    contract = _sound(text, source)
    costs = (
        scaled_costs(COSTS, draft.median_amount or _NO_AMOUNTS)
        if draft.has_amount
        else costs_without_amount()
    )
    is_alone = find_settings_file() is None
    is_beside = not is_alone and bool(contract_names())
    of_its_own = settings_beside if is_beside else settings_text
    settings = of_its_own(draft, file.name, costs, history)
    _write_new(file, text)
    settings_file = None
    if is_alone:
        settings_file = SETTINGS_FILE
        _write_new(settings_file, settings)
    return WrittenContract(
        *(draft, contract, file, left_out, settings, settings_file),
        is_table=history is not None,
        is_beside=is_beside,
    )


def is_table(source: str) -> bool:
    """Whether it names a table or view in BigQuery, and no file."""
    names_file = re.search(r"\.(csv|parquet)(\.gz)?$", source, re.IGNORECASE)
    return _TABLE.fullmatch(source) is not None and not names_file and not Path(source).exists()


def _of_file(
    name: str, path: Path, answers: Answers, *, quoted_newlines: bool
) -> tuple[Draft | list[Question], tuple[str, ...]]:
    table, refusals = read_table(path, (), quoted_newlines=quoted_newlines)
    if refusals and not table.num_rows:
        raise InputError(
            f"{path}: all {len(refusals):,} rows are cut short or broken, so nothing can be "
            f"guessed of it. Row {refusals[0].row}: {refusals[0].message}."
        )
    draft = draft_contract(name, path.name, table, answers)
    broken = f"{len(refusals):,} rows are cut short or broken, and were not looked at."
    return draft, (broken,) if refusals else ()


def _of_table(
    project: Project, name: str, source: str, answers: Answers
) -> tuple[Draft | list[Question], tuple[str, ...]]:
    from fraudline.warehouse.table_sample import sample_table

    sample = sample_table(project.warehouse, source, MOST_ROWS)
    whole = Whole(sample.row_count, sample.nulls)
    draft = draft_contract(name, sample.name, sample.rows, answers, whole)
    left_out = (
        f"'{column}' is not in the contract, since no history can be read from it: {why}."
        for column, why in sample.left_out.items()
    )
    return draft, tuple(left_out)


def _name_of(source: str) -> str:
    stem = re.sub(r"(\.(csv|parquet))?(\.gz)?$", "", Path(source).name, flags=re.IGNORECASE)
    if is_table(source):
        stem = source.rpartition(".")[2]
    name = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_").lower()[:_MOST_NAME].strip("_")
    if not name:
        return "payments"
    return f"payments_{name}"[:_MOST_NAME] if name[0].isdigit() else name


def _sound(text: str, source: str) -> Contract:
    """The contract of a file that is to be written.

    Raises:
        InputError: it has faults.
    """
    examined = examine_text(text.encode())
    if isinstance(examined, Contract):
        return examined
    faults = " ".join(each.text for each in examined)
    raise InputError(f"the columns of {source} make no contract: {faults} Nothing was written.")


def _write_new(file: Path, text: str) -> None:
    with file.open("x", encoding="utf-8") as new:
        new.write(text)
