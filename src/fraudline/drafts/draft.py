"""A contract guessed from a sample, and what of it only a person can know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract import Column
from fraudline.contract.columns import Category
from fraudline.contract.contract_faults import Faults
from fraudline.contract.contract_file import check_names
from fraudline.contract.local_times import UTC
from fraudline.drafts.derivations import DerivedDraft, guess_derived
from fraudline.drafts.found_roles import FoundRoles, find_roles, role_facts
from fraudline.drafts.name_words import limits_of, money_unit_of
from fraudline.drafts.naming import find_entities, names_each
from fraudline.drafts.own_names import own_names, with_own_names
from fraudline.drafts.profiles import Profile, profile_column
from fraudline.drafts.roles import Answers, Question, fraud_share, other_number_words
from fraudline.drafts.suspects import LEAST_REPEATED, epoch_unit, find_suspects
from fraudline.drafts.time_columns import (
    SEEN_OF_EVENTS,
    SEEN_OF_TIMES,
    ask_zone,
    event_parts,
    time_keys,
)
from fraudline.drafts.told import Told, require_known, tell_roles
from fraudline.errors import InputError

_BUCKETS = 4096  # several thousand are enough for 100,000 levels
MOST_ROWS = 500_000
"""Of more rows every so manyth is looked at; it shows what a contract says."""


@dataclass(frozen=True)
class ColumnDraft:
    """A column as the file is to have it.

    Attributes:
        name: Its name.
        keys: What its table says, in order.
        note: What a person should know of it, a sentence without a full stop; else empty.
    """

    name: str
    keys: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True)
class Draft:
    """A contract that can be written.

    Attributes:
        name: Its name.
        source: What it was guessed from, in words.
        rows: How many rows there are.
        looked_at: How many of them were looked at.
        columns: In the order of the table.
        roles: By role, its column; the id may have several.
        entities: By what takes part, the column that names it.
        derived: Columns that follow from these.
        facts: By role, what was found of it.
        told: What a person must look at, each in sentences.
        median_amount: Of the amounts above 0; None if there are none.
        payments_a_day: How many rows count as a day, of a table that tells no time.
    """

    name: str
    source: str
    rows: int
    looked_at: int
    columns: tuple[ColumnDraft, ...]
    roles: Mapping[str, str | tuple[str, ...]]
    entities: Mapping[str, str]
    derived: tuple[DerivedDraft, ...]
    facts: Mapping[str, str]
    told: tuple[str, ...]
    median_amount: float | None
    payments_a_day: float | None = None

    @property
    def has_amount(self) -> bool:
        """Whether a column is the amount."""
        return "amount" in self.roles


@dataclass(frozen=True)
class Whole:
    """A table in BigQuery, of which a sample was read.

    Attributes:
        rows: How many rows it has.
        nulls: By column, in how many of them it is null.
    """

    rows: int
    nulls: Mapping[str, int]


def draft_contract(
    name: str, source: str, table: pa.Table, answers: Answers, whole: Whole | None = None
) -> Draft | list[Question]:
    """Guess what a table's transactions look like.

    Args:
        name: What the contract is to be called.
        source: What the table is, in words, for the head of the file.
        table: Its rows; values of a CSV file as bytes.
        answers: What a person has said.
        whole: What `table` is a sample of; None: it is all there is.

    Returns:
        The draft, or all that only a person can say.

    Raises:
        InputError: no contract can have such a table, whatever a person says.
    """
    names = own_names(table.column_names)
    table = table.rename_columns([names.get(each, each) for each in table.column_names])
    answers = with_own_names(answers, names)
    _require_usable(source, table)
    step = -(-table.num_rows // MOST_ROWS)
    profiles = {
        column: profile_column(column, table.column(column), step, are_texts_read=whole is None)
        for column in table.column_names
    }
    of = {new: name for name, new in names.items()}
    if whole is not None:
        profiles = {
            column: replace(profile, nulls=whole.nulls[of.get(column, column)])
            for column, profile in profiles.items()
        }
    require_known(answers, profiles)
    roles = find_roles(profiles, answers)
    of_zone = ask_zone(profiles, answers.timezone)
    if not isinstance(roles, FoundRoles):
        return [*roles, *of_zone]
    if of_zone:
        return of_zone
    told = Told()
    zone = answers.timezone or UTC
    columns = tuple(_read_from(each, of) for each in _columns(profiles, roles, zone, told))
    if of:
        read = ", ".join(f"'{own}' from '{theirs}'" for own, theirs in of.items())
        told.others.append(
            "Columns whose names no table can have are called otherwise here, and read by their "
            f"own (from): {read}."
        )
    limits = {each.name: each.keys for each in columns}
    derived = guess_derived(profiles, roles.event_time, limits)
    for each in derived:
        told.of(each.name, f"derived: {each.note}")
    plain = {name: each for name, each in profiles.items() if name not in roles.columns}
    entities = find_entities(plain)
    amounts = np.empty(0) if roles.amount is None else profiles[roles.amount].numbers
    positive = amounts[amounts > 0]
    is_sure = not answers.id or names_each(table, roles.id)
    tell_roles(profiles, roles, answers, told, is_sure=is_sure)
    return Draft(
        name=name,
        source=source,
        rows=table.num_rows if whole is None else whole.rows,
        looked_at=len(profiles[roles.label].values),
        columns=columns,
        roles=roles.named,
        entities=entities,
        derived=derived,
        facts=role_facts(profiles, roles, entities, answers.timezone or UTC),
        told=told.sentences,
        median_amount=float(np.median(positive)) if len(positive) else None,
        payments_a_day=roles.payments_a_day,
    )


def _require_usable(source: str, table: pa.Table) -> None:
    """Refuse a table that no answer makes usable.

    Raises:
        InputError: it has no rows, or columns that no contract can have; all are told.
    """
    if not table.num_rows:
        raise InputError(f"{source} has no rows, so nothing can be guessed of it.")
    faults = Faults()
    check_names(table.column_names, faults)
    told = [each.text for each in faults.listed("")]
    twice = sorted({each for each in table.column_names if table.column_names.count(each) > 1})
    told += [f"the column name '{each}' is there twice." for each in twice]
    if {"", "__index_level_0__"} & set(table.column_names):
        told.append("One is the index that pandas writes unless it is told index=False.")
    if told:
        raise InputError(
            f"{source} has columns that no table of BigQuery can have: {' '.join(told)} Give them "
            "other names in the file, or by a view, and in what sends the messages."
        )


def _read_from(column: ColumnDraft, of: Mapping[str, str]) -> ColumnDraft:
    if column.name not in of:
        return column
    return replace(column, keys={**column.keys, "from": of[column.name]})


def _columns(
    profiles: Mapping[str, Profile], roles: FoundRoles, zone: str, told: Told
) -> tuple[ColumnDraft, ...]:
    plain = {name: each for name, each in profiles.items() if name not in roles.columns}
    is_fraud = profiles[roles.label].numbers == 1
    times = None if roles.event_time is None else profiles[roles.event_time].numbers
    suspects = find_suspects(plain, is_fraud, times)
    found = []
    for name, profile in profiles.items():
        if profile.unreadable:
            told.of(
                name,
                f"`load` would refuse {profile.unreadable:,} of the rows ({profile.fault})",
            )
        if profile.format:
            told.of(name, f"its texts are read as {profile.type}s written as {profile.format}")
        if name in plain:
            found.append(_plain_column(profile, suspects.get(name, ""), told))
        else:
            found.append(_role_column(profile, roles, told))
        found[-1] = replace(found[-1], keys=time_keys(profile, zone, found[-1].keys))
    return tuple(found)


def _plain_column(profile: Profile, suspicion: str, told: Told) -> ColumnDraft:
    keys = _keys(profile)
    note = suspicion
    if profile.is_number and profile.distinct:
        (low, high), (least, most) = limits_of(profile.name), profile.spread
        if low is not None and least >= low:
            keys["min"] = low
        if high is not None and most <= high:
            keys["max"] = high
    if suspicion:
        told.of(profile.name, suspicion)
        if profile.type not in {"string", "timestamp", "date"}:
            keys["feature"] = False
    elif profile.type == "string":
        note = _see_levels(profile, keys, told)
    elif profile.type in {"timestamp", "date"}:
        note = SEEN_OF_TIMES[profile.type]
    return ColumnDraft(profile.name, keys, note)


def _see_levels(profile: Profile, keys: dict[str, Any], told: Told) -> str:
    """Make a text a category where its values come again and again; what a person should know."""
    levels = f"{profile.distinct:,} different texts"
    if profile.local_time:
        told.of(
            profile.name,
            "its texts look like times or dates that may be read in two ways, so nothing is "
            "learned of them; say which with format",
        )
        return "times or dates that may be read in two ways; a network sees nothing of them"
    if profile.other_number:
        told.of(profile.name, other_number_words(profile.other_number))
        return "numbers in a writing that is not read; a network sees nothing of them"
    if profile.distinct * LEAST_REPEATED > len(profile.values):
        told.of(profile.name, "too many different texts to learn from; no network sees them")
        return f"{levels}, too many to learn from; no network sees them"
    keys["type"] = "category"
    if profile.empty:  # `load` takes them as null then, as a message says it
        keys["nullable"] = True
    if profile.distinct > Category.max_levels:
        keys["buckets"] = _BUCKETS
    told.of(
        profile.name,
        "its texts come again and again and are learned, as a category; write feature = false "
        "where a model must not decide by them",
    )
    return levels


def _role_column(profile: Profile, roles: FoundRoles, told: Told) -> ColumnDraft:
    keys = _keys(profile)
    keys.pop("nullable", None)
    if profile.name == roles.label:
        return _label_column(profile, keys)
    if profile.name == roles.amount:
        return _amount_column(profile, keys, told)
    if profile.name == roles.event_time:
        return _time_column(profile, keys, roles.unit)
    if len(roles.id) > 1 and profile.type == "string":  # what is made of them has an end
        longest = pc.max(pc.utf8_length(profile.values)).as_py() or 0
        keys["max_length"] = max(32, 1 << (2 * longest - 1).bit_length())
    return ColumnDraft(profile.name, keys)


def _label_column(profile: Profile, keys: dict[str, Any]) -> ColumnDraft:
    note = f"is fraud, as {100 * fraud_share(profile):.3g} % of the rows are"
    if profile.type == "bool":
        return ColumnDraft(profile.name, keys, f"true {note}")
    return ColumnDraft(profile.name, {"type": "int64", "min": 0, "max": 1}, f"1 {note}")


def _amount_column(profile: Profile, keys: dict[str, Any], told: Told) -> ColumnDraft:
    unit = money_unit_of(profile.name)
    if unit:
        keys["unit"] = unit
    if profile.spread[0] >= 0:
        keys["min"] = 0
    else:
        told.of(
            profile.name,
            f"{int((profile.numbers < 0).sum()):,} amounts are below 0; a refund is no payment, "
            "and what a fraud costs is not below 0. Leave such rows out, or write min = 0, and "
            "`load` refuses them",
        )
    note = "" if unit else 'its unit may be added, for people, such as unit = "EUR"'
    return ColumnDraft(profile.name, keys, note)


def _time_column(profile: Profile, keys: dict[str, Any], unit: str) -> ColumnDraft:
    if profile.type == "timestamp":
        return ColumnDraft(profile.name, keys | {"parts": event_parts(profile)}, SEEN_OF_EVENTS)
    keys["unit"] = unit
    if not epoch_unit(profile):
        return ColumnDraft(profile.name, keys)
    note = "a network would see such large numbers too coarsely"
    return ColumnDraft(profile.name, keys | {"feature": False}, note)


def _keys(profile: Profile) -> dict[str, Any]:
    keys: dict[str, Any] = {"type": profile.type}
    if profile.type == "string":
        longest = pc.max(pc.utf8_length(profile.values)).as_py() or 0
        if 2 * longest > Column.max_length:
            keys["max_length"] = 1 << (2 * longest).bit_length()
    if profile.nulls:
        keys["nullable"] = True
    return keys
