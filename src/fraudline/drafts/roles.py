"""Which column is the label, the amount and the event time, or what has to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from fraudline.contract.contract_file import ROLE_TYPES
from fraudline.contract.number_words import number_words
from fraudline.contract.time_units import TIME_UNITS, seconds_of
from fraudline.drafts.name_words import (
    is_called_amount,
    is_called_event_time,
    is_called_label,
    is_called_time,
    time_unit_of,
)
from fraudline.drafts.profiles import Profile
from fraudline.drafts.suspects import epoch_unit
from fraudline.errors import InputError

Profiles = Mapping[str, Profile]
NONE = "none"
"""The answer that no column has a role."""


@dataclass(frozen=True)
class Answers:
    """What a person has said of a table; None where nothing was said.

    Attributes:
        label: Which column is the label.
        amount: Which is the amount; `NONE`: no column is.
        event_time: Which is the event time.
        id: Which names a payment, or the several that do so together; none: nothing was said.
        time_unit: What a number that is the event time counts.
        payments_a_day: How many payments come in a day, of a table that tells no time.
        timezone: Whose clock tells the times that have no offset from UTC.
    """

    label: str | None = None
    amount: str | None = None
    event_time: str | None = None
    id: tuple[str, ...] = ()
    time_unit: str | None = None
    payments_a_day: float | None = None
    timezone: str | None = None


@dataclass(frozen=True)
class Question:
    """What only a person can say.

    Attributes:
        role: What it is about.
        text: What is not known, and why it is needed, in sentences.
        candidates: What may be answered, each with what is known of it.
        option: The option of the command line that answers it.
    """

    role: str
    text: str
    candidates: tuple[tuple[str, str], ...]
    option: str


def find_label(profiles: Profiles, answer: str | None) -> str | Question:
    """The column that says which payments were fraud.

    Args:
        profiles: Every column.
        answer: What a person said.
    """
    flags = [name for name, profile in profiles.items() if profile.is_flag]
    if answer is not None:
        if answer in flags:
            return answer
        return Question(
            "label",
            f"Column '{answer}' cannot be the label: {_no_flag(profiles[answer])}. A label is 1 or "
            "true where a payment was a fraud, 0 or false where it was none, and never missing. "
            "Write such a column into the file.",
            _with_shares(profiles, [name for name in flags if name != answer]),
            "--label",
        )
    called = [name for name in flags if is_called_label(name)]
    if len(called) == 1:
        share = fraud_share(profiles[called[0]])
        if share <= 0.5:
            return called[0]
        return Question(
            "label",
            f"Column '{called[0]}' is 1 in {100 * share:.3g} % of the rows, and 1 must be fraud. "
            "If it is 1 where a payment was none, turn it round in the file. If it is right as it "
            "is, say so.",
            _with_shares(profiles, called),
            "--label",
        )
    others = [name for name in profiles if name not in flags and is_called_label(name)]
    hints = [f"'{name}' is called like one, but {_no_flag(profiles[name])}" for name in others]
    text = (
        "Several columns may say which payments were fraud."
        if called
        else "No column is called like one that says which payments were fraud."
    )
    if not flags:
        text += (
            " None holds 0 and 1, or true and false, and nothing else, without a gap: write such a "
            "column into the file, 1 for fraud."
        )
    text = " ".join([text, *(f"{hint}." for hint in hints)])
    return Question("label", text, _with_shares(profiles, called or flags), "--label")


def find_amount(profiles: Profiles, answer: str | None) -> str | Question | None:
    """The column that says what is lost with a fraud, or none; as `find_label`."""
    usable = [
        name
        for name, profile in profiles.items()
        if profile.is_number and not profile.nulls and not profile.are_cards
    ]
    if answer == NONE and NONE not in profiles:
        return None
    if answer is not None:
        if answer in usable:
            return answer
        return Question(
            "amount",
            f"Column '{answer}' cannot be the amount: {no_role(profiles[answer], 'amount')}.",
            _with_spreads(profiles, [name for name in usable if is_called_amount(name)]),
            "--amount",
        )
    called = [name for name in usable if is_called_amount(name)]
    if len(called) == 1:
        return called[0]
    others = [name for name in profiles if name not in usable and is_called_amount(name)]
    if not called and not others:
        return None
    text = (
        "Several columns may be what a payment is worth."
        if called
        else "No column that can be it is called like what a payment is worth."
    )
    text += _but(profiles, "amount", others)
    text += (
        " It decides what is blocked, since that is what a fraud costs. If none of them is it, say "
        f"so: --amount {NONE}, and each missed fraud costs the same."
    )
    return Question("amount", text, _with_spreads(profiles, called or usable), "--amount")


def find_event_time(
    profiles: Profiles, answer: str | None, unit: str | None
) -> tuple[str, str] | Question:
    """The column that says when a payment was made, and what it counts; as `find_label`.

    Args:
        profiles: Every column.
        answer: What a person said.
        unit: Likewise, of a number.

    Returns:
        Name and unit, which is empty of a timestamp.

    Raises:
        InputError: a timestamp was given a unit.
    """
    usable = [
        name
        for name, profile in profiles.items()
        if profile.type in ROLE_TYPES["event_time"] and not profile.nulls and not profile.are_cards
    ]
    if answer is not None and answer not in usable:
        return Question(
            "event time",
            f"Column '{answer}' cannot be the event time: "
            f"{no_role(profiles[answer], 'event_time')}.",
            _with_spreads(profiles, [name for name in usable if is_called_time(name)]),
            "--event-time",
        )
    found = [answer] if answer is not None else _event_times(profiles, usable)
    if len(found) != 1:
        return _which_time(profiles, found or [name for name in usable if is_called_time(name)])
    (name,) = found
    profile = profiles[name]
    if profile.type == "timestamp":
        if unit is not None:
            raise InputError(
                f"--time-unit {unit}: '{name}' is a timestamp, which needs no unit; leave it out."
            )
        return name, ""
    known = unit or epoch_unit(profile) or time_unit_of(name)
    return (name, known) if known else _which_unit(profile)


def fraud_share(profile: Profile) -> float:
    """The share of the rows in which a label is 1."""
    return float(profile.numbers.mean()) if len(profile.values) else 0.0


def _event_times(profiles: Profiles, usable: list[str]) -> list[str]:
    """The likeliest event times: one that is a time, before a number that counts one."""
    times = [name for name in usable if profiles[name].type == "timestamp"]
    for names in (times, [name for name in usable if epoch_unit(profiles[name])]):
        own = [name for name in names if is_called_event_time(name)]
        if own or names:
            return own or names
    counts = [
        name
        for name in usable
        if profiles[name].is_number
        and is_called_time(name)
        and is_called_event_time(name)
        and (profiles[name].numbers[:-1] <= profiles[name].numbers[1:]).all()
    ]
    return counts if len(counts) == 1 else []


def _which_time(profiles: Profiles, names: list[str]) -> Question:
    texts = [
        f"Column '{name}' holds times that may be read in two ways, such as {profile.local_time}: "
        "write them as 2026-01-02T03:04:05Z"
        for name, profile in profiles.items()
        if profile.local_time
    ]
    text = (
        "Several columns may be when a payment was made."
        if len(names) > 1
        else "No column is known to be when a payment was made."
    )
    text = " ".join([text, *(f"{each}." for each in texts)])
    missing = [
        name for name, profile in profiles.items() if profile.type == "timestamp" and profile.nulls
    ]
    text += _but(profiles, "event_time", missing)
    return Question(
        "event time",
        f"{text} It orders the history: a model is judged by what came after all that it learned "
        "from. If the table tells no time, say how many payments come in a day: --payments-a-day, "
        "and parts are drawn at random.",
        _with_spreads(profiles, names),
        "--event-time" if names else "--payments-a-day",
    )


def _which_unit(profile: Profile) -> Question:
    low, high = profile.spread
    spans = []
    for unit in TIME_UNITS:
        days = (high - low) * (seconds_of(unit) or 1.0) / 86400
        if 0.04 < days < 36_500:  # an hour to a century
            words = f"{days:,.0f}" if days >= 10 else f"{days:.3g}"
            spans.append((unit, f"then the table spans {words} days"))
    return Question(
        "time unit",
        f"Column '{profile.name}' is a number from {number_words(low)} to {number_words(high)} and "
        "taken as the event time, but nobody says what it counts.",
        tuple(spans),
        f"--event-time {profile.name} --time-unit",
    )


def _no_flag(profile: Profile) -> str:
    if profile.type is None:
        return profile.fault
    if profile.nulls:
        return f"it is null in {profile.nulls:,} rows"
    if profile.unreadable:
        return f"{profile.unreadable:,} rows cannot be read ({profile.fault})"
    values = f"it is {profile.type} with {profile.distinct:,} values"
    if profile.type != "string" or profile.distinct != 2:
        return values
    its = " and ".join(
        f"'{each}'" for each in sorted(pc.unique(profile.values.drop_null()).to_pylist())
    )
    return f"{values}, {its}; write 1 for fraud and 0 for the others"


def _but(profiles: Profiles, role: str, names: list[str]) -> str:
    """Why columns that are called like a role cannot have it, as sentences to go on with."""
    reasons = (f" '{name}' cannot be it: {no_role(profiles[name], role)}." for name in names)
    return "".join(reasons)


def no_role(profile: Profile, role: str) -> str:
    """Why a column cannot have a role, in words.

    Args:
        profile: The column.
        role: As a contract calls it.
    """
    if profile.are_cards:
        return "it looks like card numbers"
    if profile.local_time and role == "event_time":
        return (
            f"it holds times that may be read in two ways, such as {profile.local_time}; write "
            "them as 2026-01-02T03:04:05Z"
        )
    if profile.other_number and "float64" in ROLE_TYPES[role]:
        return other_number_words(profile.other_number)
    if profile.type not in ROLE_TYPES[role]:
        return f"it is {profile.type}, expected {' or '.join(ROLE_TYPES[role])}"
    return f"it is null in {profile.nulls:,} rows, and must always be there"


def other_number_words(example: str) -> str:
    """What is wrong with numbers in another writing, and what to do.

    Args:
        example: One of them.
    """
    return (
        f"its texts look like numbers that are not read, such as {example}; write them as 1234.50, "
        "with no other mark and no currency, and in Parquet as a number"
    )


def _with_shares(profiles: Profiles, names: list[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"1 in {100 * fraud_share(profiles[name]):.3g} % of the rows")
                 for name in names)  # fmt: skip


def _with_spreads(profiles: Profiles, names: list[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for name in names:
        low, high = profiles[name].spread
        if isinstance(low, int | float) and not isinstance(low, bool):
            middle = number_words(float(np.nanmedian(profiles[name].numbers)))
            low, high = number_words(low), f"{number_words(high)}, half of them above {middle}"
        found.append((name, f"from {low} to {high}"))
    return tuple(found)
