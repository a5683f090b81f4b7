"""`contract init`, `check`, `export`: what a transaction looks like, guessed, seen, passed on."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.contract_option import ContractName, choose
from fraudline.cli.file_options import QuotedNewlines
from fraudline.cli.screen import OUT, printable, say, show_facts, show_table
from fraudline.use_cases.project import Project, every_project, shared_project

if TYPE_CHECKING:
    from fraudline.contract import Column, Contract
    from fraudline.drafts import Question
    from fraudline.use_cases.write_contract import WrittenContract

_MOST_CANDIDATES = 12
_ALONE = (
    " It names one contract alone. For both, give that one a table [contract.NAME], too: "
    "docs/guides/several-contracts.md says how it keeps its topics and tables."
)

contract = typer.Typer(
    help="What a transaction looks like: the contract file.", no_args_is_help=True
)


@contract.command("init")
def init_contract(
    table: Annotated[
        str,
        typer.Argument(
            help="CSV or Parquet, also as .gz; or a table or view in BigQuery, "
            "project.data_set.name.",
            metavar="FILE|TABLE",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="What to call the contract; else as the file is called."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column that is 1 or true where a payment was a fraud.")
    ] = None,
    amount: Annotated[
        str | None,
        typer.Option(help="Column that says what a payment is worth; `none`: no column does."),
    ] = None,
    event_time: Annotated[
        str | None, typer.Option(help="Column that says when it was made.")
    ] = None,
    identity: Annotated[
        list[str] | None,
        typer.Option(
            "--id",
            help="Column that names it; given several times, those that do so together.",
            show_default=False,
        ),
    ] = None,
    time_unit: Annotated[
        str | None,
        typer.Option(
            help="What an event time that is a number counts: s, ms, us, ns, min, h, day."
        ),
    ] = None,
    payments_a_day: Annotated[
        float | None,
        typer.Option(
            help="How many payments come in a day, of a table in which no column says when one "
            "was made.",
            show_default=False,
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            help="Whose clock tells times that have no offset from UTC, such as Europe/Vienna.",
            show_default=False,
        ),
    ] = None,
    quoted_newlines: QuotedNewlines = False,
) -> None:
    """Guess the contract of a table, and write it with the settings that it needs.

    NAME.toml and fraudline.toml are written into this directory, over no file that is there. The
    same table and answers give the same contract. Exit code 1 where something must be known that
    only you can say: it tells what, and the option that answers it.
    """
    from fraudline.drafts import Answers
    from fraudline.use_cases.write_contract import write_contract

    answers = Answers(
        *(label, amount, event_time, tuple(identity or ()), time_unit, payments_a_day, timezone)
    )
    written = write_contract(
        shared_project(), table, answers, name=name, quoted_newlines=quoted_newlines
    )
    if isinstance(written, list):
        _ask(written)
        raise typer.Exit(1)
    _show_written(written, table)


def _ask(questions: list[Question]) -> None:
    for question in questions:
        OUT.print(printable(f"{question.role}: {question.text}"), markup=False)
        shown = question.candidates[:_MOST_CANDIDATES]
        show_facts((f"  {question.option} {answer}", known) for answer, known in shown)
        if more := len(question.candidates) - len(shown):
            OUT.print(f"  and {more:,} columns more")
    given = shlex.join(sys.argv[1:])
    say(
        "Nothing was written. Run the same command again with your answer at its end: "
        f"fraudline {given} {questions[0].option} …"
    )


def _show_written(written: WrittenContract, table: str) -> None:
    draft = written.draft
    seen = len(written.contract.features)
    is_all = draft.looked_at == draft.rows
    looked_at = "" if is_all else f", of which {draft.looked_at:,} were looked at"
    show_facts(
        [
            ("contract", f"{written.file}: {len(draft.columns):,} columns, {seen:,} features"),
            ("from", f"{draft.source}, {draft.rows:,} rows{looked_at}"),
            *draft.facts.items(),
        ]
    )
    for sentence in (*written.left_out, *draft.told):
        say(f"LOOK {sentence}")
    scale = "brought to the scale of these amounts" if draft.has_amount else "which know no amount"
    say(
        f"LOOK what decisions cost ([policy]) are fraudline's round figures, {scale}: put in your "
        "own."
    )
    if written.settings_file is None:
        OUT.print(printable(written.settings), markup=False)
        say(
            "There is a fraudline.toml already, and it was left as it is: these lines belong there."
            + ("" if written.is_beside else _ALONE)
        )
    else:
        say(f"The settings that it needs are in {written.settings_file}.")
    load = "" if written.is_table else f"load {shlex.quote(table)}, "
    say(f"Then: fraudline up, {load}check, train --promote.")


@contract.command("check")
def check_contract(
    file: Annotated[
        str | None,
        typer.Argument(
            help="A contract's file, or the name of one that fraudline brings; without it, the one "
            "of the settings, or each of several.",
            show_default=False,
        ),
    ] = None,
    contract: ContractName = None,
) -> None:
    """Show what a contract says, or all that is wrong with it, each with its line.

    Exit code 1 if there is a fault.
    """
    files: dict[str, str | None]
    if file is not None:
        files = {file: None}
    elif contract is not None:
        choose(contract)
        files = {Project().settings.contract: contract}
    else:
        files = {each.settings.contract: each.settings.named for each in every_project()}
    are_sound = [_is_sound(name, named) for name, named in files.items()]
    if not all(are_sound):
        raise typer.Exit(1)


def _is_sound(name: str, named: str | None) -> bool:
    """Show a contract, or what is wrong with it."""
    from fraudline.contract import Contract, examine_contract

    examined = examine_contract(name)
    if not isinstance(examined, Contract):
        for fault in examined:
            OUT.print(
                printable(f"{name}, {fault}" if fault.where else f"{name}: {fault}"), markup=False
            )
        number = "One fault" if len(examined) == 1 else f"{len(examined):,} faults"
        say(f"{number} in {name}: mend what is named, and check it again.")
        return False
    _show(name, examined)
    if named not in (None, examined.name):
        say(
            f"One fault in fraudline.toml: [contract.{named}] is of a contract that calls itself "
            f"'{examined.name}'; both must be one name."
        )
        return False
    return True


@contract.command("sql")
def show_sql(
    file: Annotated[
        str | None,
        typer.Argument(
            help="A contract's file, or the name of one that fraudline brings; without it, the one "
            "of the settings.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            help="Table or view with the columns of a transaction; without it, the decisions."
        ),
    ] = None,
) -> None:
    """Print a query of a table with the derived columns of a contract beside its own."""
    from fraudline.use_cases.derived_query import derived_query

    OUT.print(derived_query(Project(), file, table), markup=False, highlight=False, soft_wrap=True)


@contract.command("export")
def write_schema(
    as_avro: Annotated[bool, typer.Option("--avro", help="As an Avro schema.")] = False,
    as_json_schema: Annotated[
        bool, typer.Option("--json-schema", help="As a JSON Schema, draft 07.")
    ] = False,
    as_protobuf: Annotated[
        bool, typer.Option("--protobuf", help="As a .proto file of Protobuf.")
    ] = False,
    as_odcs: Annotated[
        bool, typer.Option("--odcs", help="In the Open Data Contract Standard, as YAML.")
    ] = False,
) -> None:
    """Print the contract of the settings in a form that other tools read.

    Avro, JSON Schema and Protobuf are of a transaction in flight, for a producer or a schema
    registry; an Open Data Contract is of the topic and of the history's table, for a catalogue.
    """
    from fraudline.use_cases.export_contract import Form, export_contract

    asked: dict[Form, bool] = {
        "avro": as_avro,
        "json-schema": as_json_schema,
        "protobuf": as_protobuf,
        "odcs": as_odcs,
    }
    forms = [form for form, is_asked in asked.items() if is_asked]
    if len(forms) != 1:
        raise typer.BadParameter("give one of --avro, --json-schema, --protobuf and --odcs.")
    sys.stdout.buffer.write(export_contract(Project(), forms[0]).encode() + b"\n")


def _show(name: str, contract: Contract) -> None:
    from fraudline.contract.role_words import role_words
    from fraudline.contract.seen_words import seen_words

    derived = {each.name: each.words for each in contract.derivations}
    show_table(
        ("column", "type", "unit", "role", "may be", "network sees"),
        (
            (
                column.name,
                _type_words(column, derived),
                column.unit,
                role_words(contract, column.name),
                _limits(column),
                seen_words(column, is_circle=column.name in contract.turns),
            )
            for column in (*contract.columns, *(each.column for each in contract.derivations))
        ),
        title=f"contract {contract.name}: {len(contract.features):,} features",
    )
    show_facts(
        [
            ("file", name),
            ("fingerprint", contract.fingerprint),
            *_absent_roles(contract),
            ("without a label", f"legitimate after {contract.maturity_days:g} days"),
        ]
    )


def _type_words(column: Column, derived: dict[str, str]) -> str:
    if column.name in derived:
        return f"derived: {derived[column.name]}"
    return column.type if column.category is None else f"category of {column.type}"


def _absent_roles(contract: Contract) -> list[tuple[str, str]]:
    found = []
    if contract.amount is None:
        found.append(("amount", "none: each missed fraud costs the same, policy.fraud_cost"))
    if contract.event_time is None:
        found.append(
            (
                "event time",
                f"none: {contract.payments_a_day:,.15g} rows of the history count as a day, and in "
                "flight a payment is from when its message was sent",
            )
        )
    return found


def _limits(column: Column) -> str:
    """What its values may be, as far as its file says so."""
    from fraudline.contract.columns import FLOAT32_MAX
    from fraudline.contract.number_words import number_words

    words = []
    for word, limit in (("from", column.min), ("to", column.max)):
        if limit is not None and abs(limit) < FLOAT32_MAX:
            words.append(f"{word} {number_words(limit)}")
    if column.type == "string":
        words.append(f"{column.max_length:,} characters")
    if column.format:
        words.append(column.format)
    if column.timezone:
        words.append(f"of clocks in {column.timezone}")
    if column.is_nullable:
        words.append("null")
    return ", ".join(words)
