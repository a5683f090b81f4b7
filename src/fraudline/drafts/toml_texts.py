"""A draft as the text of its two files."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

from fraudline import flows
from fraudline.drafts.derivations import DerivedDraft
from fraudline.drafts.draft import ColumnDraft, Draft

_ROLE_NOTES = {
    "label": "in the history only; a payment in flight has none",
    "amount": "what is lost if a fraud is approved",
    "event_time": "orders the history",
    "id": "names a payment; one that is sent twice is decided once",
}
_ABSENT = {
    "amount": "none: each missed fraud costs the same, fraud_cost in the settings",
    "event_time": "none: in flight, when the message was sent",
    "id": "no column is known to name a payment",
}


def contract_text(draft: Draft) -> str:
    """The contract file: the same draft gives the same text."""
    looked_at = "" if draft.looked_at == draft.rows else f", {draft.looked_at:,} of them looked at"
    lines = [
        f"# What a transaction looks like, guessed from {_comment(draft.source)} "
        f"({draft.rows:,} rows{looked_at}).",
        "# A guess: read it once. `fraudline contract check` tells what is wrong with a change.",
        "# Limits stand only where the meaning of a column gives them; add your own with min and",
        "# max, and what lies outside is refused.",
        "",
        f"name = {_value(draft.name)}",
        "",
        "[roles]",
        *(f"{role} = {_value(name)}  # {_ROLE_NOTES[role]}" for role, name in draft.roles.items()),
        *(
            f'# {role} = "..."  # {note}'
            for role, note in _ABSENT.items()
            if role not in draft.roles
        ),
        *_history_lines(draft),
        "",
        *_entity_lines(draft.entities),
        "[labels]",
        "maturity_days = 30  # a payment without a label counts as legitimate after so many",
        "",
        "[columns]",
    ]
    for column in draft.columns:
        lines += _column_lines(column)
    if draft.derived:
        lines += ["", "[derived]"]
    for derived in draft.derived:
        lines += _column_lines(derived)
    return "\n".join(lines) + "\n"


def _history_lines(draft: Draft) -> list[str]:
    if draft.payments_a_day is None:
        return []
    return [
        "",
        "[history]",
        f"payments_a_day = {draft.payments_a_day:.15g}  # it tells no time: so many are a day",
    ]


def _entity_lines(entities: Mapping[str, str]) -> list[str]:
    if not entities:
        return []
    lines = [f"{entity} = {_value(name)}" for entity, name in entities.items()]
    return ["[entities]  # who and what takes part, as far as names of columns say it", *lines, ""]


def settings_text(
    draft: Draft, contract_file: str, costs: Mapping[str, str], history: str | None
) -> str:
    """The lines of the settings that a contract of one's own needs.

    Args:
        draft: The contract.
        contract_file: Where it is.
        costs: By setting, what a decision costs, at the scale of the amounts.
        history: A table or view that is the history; None: files are loaded.
    """
    named = [f'topic_{flow.name} = "{draft.name}.{_topic(flow)}"' for flow in flows.FLOWS]
    lines = [
        f"contract = {_value(contract_file)}",
        "",
        "[bigquery]",
        f"dataset = {_value(f'{draft.name}_fraud')}",
        *([] if history is None else [f"history = {_value(history)}"]),
        "",
        "[kafka]",
        f"group = {_value(draft.name)}",
        *named,
        "",
        *_cost_notes(draft),
        "[policy]",
        *(f"{name} = {value}" for name, value in costs.items()),
    ]
    return "\n".join(lines) + "\n"


def settings_beside(
    draft: Draft, contract_file: str, costs: Mapping[str, str], history: str | None
) -> str:
    """The same for a contract beside others, whose names follow from its own."""
    table = f"contract.{draft.name}"
    lines = [
        f"[{table}]",
        f"file = {_value(contract_file)}",
        *([] if history is None else ["", f"[{table}.bigquery]", f"history = {_value(history)}"]),
        "",
        *_cost_notes(draft),
        f"[{table}.policy]",
        *(f"{name} = {value}" for name, value in costs.items()),
    ]
    return "\n".join(lines) + "\n"


def _cost_notes(draft: Draft) -> list[str]:
    if not draft.has_amount:
        return [
            "# What decisions cost; without an amount, fraud_cost is what each missed fraud costs.",
            "# These are fraudline's round figures for card payments in a main unit of money, with",
            "# what such a payment is worth, and know nothing of yours: put in your own.",
        ]
    median = draft.median_amount
    scaled = (
        "their own amounts are 0" if median is None else f"half of them are above {median:,.6g}"
    )
    return [
        "# What decisions cost, in the unit of the amount. These are fraudline's round figures for",
        f"# card payments, brought to the scale of these amounts ({scaled}): put in your own.",
    ]


def _topic(flow: flows.Flow) -> str:
    return flow.topic.rpartition(".")[2]


def _column_lines(column: ColumnDraft | DerivedDraft) -> list[str]:
    keys = ", ".join(f"{key} = {_value(value)}" for key, value in column.keys.items())
    note = column.note[:1].upper() + column.note[1:]
    lines = textwrap.wrap(_comment(f"{note}."), 97, break_long_words=False) if note else []
    return [*(f"# {line}" for line in lines), f"{column.name} = {{ {keys} }}"]


def _value(value: Any) -> str:
    """A text, number, flag or list as TOML has it, which is as JSON has it."""
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
