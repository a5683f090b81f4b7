"""`contract check`: what a transaction looks like, and whether the file that says so is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import OUT, printable, say, show_facts, show_table
from fraudline.use_cases.project import Project

if TYPE_CHECKING:
    from fraudline.contract import Column, Contract

contract = typer.Typer(
    help="What a transaction looks like: the contract file.", no_args_is_help=True
)


@contract.command("check")
def check_contract(
    file: Annotated[
        str | None,
        typer.Argument(
            help="A contract's file, or the name of one that fraudline brings; without it, the one "
            "of the settings.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what a contract says, or all that is wrong with it, each with its line.

    Exit code 1 if there is a fault.
    """
    from fraudline.contract import Contract, examine_contract

    name = Project().settings.contract if file is None else file
    examined = examine_contract(name)
    if isinstance(examined, Contract):
        _show(name, examined)
        return
    for fault in examined:
        OUT.print(
            printable(f"{name}, {fault}" if fault.where else f"{name}: {fault}"), markup=False
        )
    number = "One fault" if len(examined) == 1 else f"{len(examined):,} faults"
    say(f"{number} in {name}: mend what is named, and check it again.")
    raise typer.Exit(1)


def _show(name: str, contract: Contract) -> None:
    from fraudline.contract.seen_words import seen_words

    roles = {
        getattr(contract, role): role.replace("_", " ")
        for role in ("label", "amount", "event_time", "id")
    }
    show_table(
        ("column", "type", "unit", "role", "may be", "network sees"),
        (
            (
                column.name,
                column.type if column.category is None else f"category of {column.type}",
                column.unit,
                roles.get(column.name, ""),
                _limits(column),
                seen_words(column),
            )
            for column in contract.columns
        ),
        title=f"contract {contract.name}: {len(contract.features):,} features",
    )
    show_facts(
        [
            ("file", name),
            ("fingerprint", contract.fingerprint),
            ("without a label", f"legitimate after {contract.maturity_days:g} days"),
        ]
    )


def _limits(column: Column) -> str:
    """What its values may be, as far as its file says so."""
    from fraudline.contract.column_keys import FLOAT32_MAX
    from fraudline.contract.number_words import number_words

    words = []
    for word, limit in (("from", column.min), ("to", column.max)):
        if limit is not None and abs(limit) < FLOAT32_MAX:
            words.append(f"{word} {number_words(limit)}")
    if column.type == "string":
        words.append(f"{column.max_length:,} characters")
    if column.is_nullable:
        words.append("null")
    return ", ".join(words)
