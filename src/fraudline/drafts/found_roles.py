"""Every role of a table with the column that has it, or all that has to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fraudline.contract.number_words import number_words
from fraudline.contract.role_words import together
from fraudline.drafts.naming import find_id
from fraudline.drafts.profiles import Profile
from fraudline.drafts.roles import (
    Answers,
    Question,
    find_amount,
    find_event_time,
    find_label,
    fraud_share,
)
from fraudline.errors import InputError


@dataclass(frozen=True)
class FoundRoles:
    """Which column has which role.

    Attributes:
        label: And so on, as a contract has them.
        amount, event_time: None where the table has none.
        unit: What an event time that is a number counts; empty of a timestamp.
        id: The columns that name a payment together; none: topic and position do.
        payments_a_day: How many rows count as a day; None where there is an event time.
    """

    label: str
    amount: str | None
    event_time: str | None
    unit: str
    id: tuple[str, ...]
    payments_a_day: float | None

    @property
    def named(self) -> dict[str, str | tuple[str, ...]]:
        """By role, its column."""
        its = self.id[0] if len(self.id) == 1 else self.id
        found = {"label": self.label, "amount": self.amount, "event_time": self.event_time}
        return {role: name for role, name in (found | {"id": its}).items() if name}

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        roles = (self.label, self.amount, self.event_time)
        return (*(each for each in roles if each is not None), *self.id)


def find_roles(profiles: Mapping[str, Profile], answers: Answers) -> FoundRoles | list[Question]:
    """The columns with a role, or all questions that there are.

    Args:
        profiles: Every column.
        answers: What a person has said, of columns that there are.

    Raises:
        InputError: a column was given two roles.
    """
    given = [answers.label, answers.amount, answers.event_time, *answers.id]
    if twice := [each for each in given if each is not None and given.count(each) > 1]:
        raise InputError(f"column '{twice[0]}' cannot have two roles; each needs its own.")
    taken = {each for each in given if each is not None}

    def left(*answer: str | None) -> dict[str, Profile]:
        return {
            name: each for name, each in profiles.items() if name in answer or name not in taken
        }

    label = find_label(left(answers.label), answers.label)
    taken |= {label} if isinstance(label, str) else set()
    amount = find_amount(left(answers.amount), answers.amount)
    taken |= {amount} if isinstance(amount, str) else set()
    event_time: tuple[str | None, str] | Question = (None, "")
    if answers.payments_a_day is None:
        event_time = find_event_time(
            left(answers.event_time), answers.event_time, answers.time_unit
        )
    taken |= {event_time[0]} if isinstance(event_time, tuple) and event_time[0] else set()
    identity = find_id(left(*answers.id), answers.id)
    found = (label, amount, event_time, identity)
    if questions := [each for each in found if isinstance(each, Question)]:
        return questions
    assert isinstance(label, str)
    assert not isinstance(amount, Question)
    assert isinstance(event_time, tuple)
    assert not isinstance(identity, Question)
    return FoundRoles(label, amount, *event_time, identity, answers.payments_a_day)


def role_facts(
    profiles: Mapping[str, Profile], roles: FoundRoles, entities: Mapping[str, str], zone: str
) -> dict[str, str]:
    """What was found of each role, in words.

    Args:
        profiles: Every column.
        roles: Which has which.
        entities: By what takes part, the column that names it.
        zone: Whose clock tells times without an offset.
    """
    label = profiles[roles.label]
    frauds = int(label.numbers.sum())
    identity = "none: topic, partition and offset name a payment"
    named = ", ".join(f"{entity} '{name}'" for entity, name in entities.items())
    return {
        "label": f"'{roles.label}', fraud where it is {'true' if label.type == 'bool' else 1}: "
        f"{frauds:,} of {len(label.values):,} rows ({100 * fraud_share(label):.3g} %)",
        "amount": _amount_fact(profiles, roles.amount),
        "event time": _time_fact(profiles, roles, zone),
        "id": together(roles.id) or identity,
    } | ({"entities": named} if named else {})


def _amount_fact(profiles: Mapping[str, Profile], amount: str | None) -> str:
    if amount is None:
        return "none: each missed fraud costs the same"
    low, high = profiles[amount].spread
    return f"'{amount}', from {number_words(low)} to {number_words(high)}"


def _time_fact(profiles: Mapping[str, Profile], roles: FoundRoles, zone: str) -> str:
    if roles.event_time is None:
        return f"none: {roles.payments_a_day:,.15g} payments count as a day, as you said"
    begin, end = profiles[roles.event_time].spread
    if profiles[roles.event_time].type != "timestamp":
        begin, end = (f"{number_words(each)} {roles.unit}" for each in (begin, end))
    else:
        clock = zone if profiles[roles.event_time].is_naive else "UTC"
        begin, end = (f"{each:%Y-%m-%d %H:%M:%S} {clock}" for each in (begin, end))
    return f"'{roles.event_time}', from {begin} to {end}"
