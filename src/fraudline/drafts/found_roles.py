"""The roles of a table's columns together, what was found of them, and what must be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fraudline.contract.contract_faults import meant
from fraudline.contract.number_words import number_words
from fraudline.contract.time_units import seconds_of
from fraudline.drafts.profiles import Profile
from fraudline.drafts.roles import (
    NONE,
    Answers,
    Question,
    find_amount,
    find_event_time,
    find_id,
    find_label,
    fraud_share,
)
from fraudline.errors import InputError

_MOST_A_DAY = 1e12


@dataclass(frozen=True)
class Roles:
    """Which column has which role.

    Attributes:
        label: Which one is the label.
        amount: Which is the amount; None: the table has none.
        event_time: Which is the event time; likewise.
        unit: What that counts; empty of a timestamp.
        id: Which names a payment; None: none does.
        payments_a_day: How many rows count as a day; None where there is an event time.
    """

    label: str
    amount: str | None
    event_time: str | None
    unit: str
    id: str | None
    payments_a_day: float | None

    @property
    def named(self) -> dict[str, str]:
        """By role, its column."""
        found = {
            "label": self.label,
            "amount": self.amount,
            "event_time": self.event_time,
            "id": self.id,
        }
        return {role: name for role, name in found.items() if name is not None}


@dataclass
class Told:
    """What a person must look at; one sentence may name ten columns."""

    columns: dict[str, list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def of(self, column: str, text: str) -> None:
        """Note it of a column, a sentence without a full stop."""
        self.columns.setdefault(text, []).append(f"'{column}'")

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it, those of columns first."""
        named = (f"{', '.join(names)}: {text}." for text, names in self.columns.items())
        return (*named, *self.others)


def require_known(answers: Answers, profiles: Mapping[str, Profile]) -> None:
    """Refuse answers that name no column, and a table with a column that has no type.

    Raises:
        InputError: there is one.
    """
    for role in ("label", "amount", "event_time", "id"):
        answer = getattr(answers, role)
        if role == "amount" and answer == NONE:
            continue
        if answer is not None and answer not in profiles:
            option = role.replace("_", "-")
            raise InputError(
                f"--{option} {answer}: there is no such column.{meant(answer, profiles)} There are "
                f"{', '.join(profiles)}."
            )
    if answers.time_unit is not None and seconds_of(answers.time_unit) is None:
        raise InputError(f"--time-unit {answers.time_unit}: expected s, ms, us, ns, min, h or day.")
    a_day = answers.payments_a_day
    if a_day is not None and answers.event_time is not None:
        raise InputError(
            f"--payments-a-day {a_day:g}: it is for a table that tells no time, and "
            f"--event-time {answers.event_time} names one. Give one of the two."
        )
    if a_day is not None and not 0 < a_day <= _MOST_A_DAY:
        raise InputError(f"--payments-a-day {a_day:g}: expected a number above 0.")
    if faulty := [f"'{each.name}': {each.fault}" for each in profiles.values() if not each.type]:
        raise InputError(f"{'; '.join(faulty)}. Leave such a column out, or write it as text.")


def find_roles(profiles: Mapping[str, Profile], answers: Answers) -> Roles | list[Question]:
    """The roles, or all that only a person can say of them."""
    given = [answers.label, answers.amount, answers.event_time, answers.id]
    if twice := [each for each in given if each is not None and given.count(each) > 1]:
        raise InputError(f"column '{twice[0]}' cannot have two roles; each needs its own.")
    taken = {each for each in given if each is not None}

    def left(answer: str | None) -> dict[str, Profile]:
        return {
            name: each for name, each in profiles.items() if name == answer or name not in taken
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
    identity = find_id(left(answers.id), answers.id)
    found = (label, amount, event_time, identity)
    if questions := [each for each in found if isinstance(each, Question)]:
        return questions
    assert isinstance(label, str)
    assert not isinstance(amount, Question)
    assert isinstance(event_time, tuple)
    assert not isinstance(identity, Question)
    return Roles(label, amount, *event_time, identity, answers.payments_a_day)


def tell_roles(profiles: Mapping[str, Profile], roles: Roles, answers: Answers, told: Told) -> None:
    """Say what a person must look at of the roles."""
    share = fraud_share(profiles[roles.label])
    if share in {0, 1}:
        told.of(
            roles.label, f"every row looked at is {share:g}, so nothing can be learned of fraud"
        )
    elif share > 0.5:
        told.of(
            roles.label,
            f"{100 * share:.3g} % of the rows are fraud, as you said; 1 is taken as fraud",
        )
    if roles.amount is None:
        told.others.append(
            "The contract has no amount, so each missed fraud costs the same: fraud_cost under "
            "[policy], which is a guess until you set it."
            + (
                ""
                if answers.amount == NONE
                else " If a column says what a payment is worth, give --amount."
            )
        )
    if roles.event_time is None:
        told.others.append(
            "The contract has no event time: the history is taken in an order that is drawn, no "
            "figure tells how a model ages, and `learn` updates no network from the stream. In "
            "flight a payment is from when its message was sent."
        )
    if roles.id is None:
        told.others.append(
            "No column is known to name a payment, so topic and position do: a payment that is "
            "sent twice is decided twice. If one does, give --id."
        )
    elif answers.id is not None and profiles[roles.id].distinct < len(profiles[roles.id].values):
        told.of(roles.id, "it does not name each payment alone; one that comes again with other "
                "values is rejected")  # fmt: skip


def role_facts(profiles: Mapping[str, Profile], roles: Roles) -> dict[str, str]:
    """By role, what was found of it."""
    label = profiles[roles.label]
    frauds = int(label.numbers.sum())
    identity = "none: topic, partition and offset name a payment"
    return {
        "label": f"'{roles.label}', fraud where it is {'true' if label.type == 'bool' else 1}: "
        f"{frauds:,} of {len(label.values):,} rows ({100 * fraud_share(label):.3g} %)",
        "amount": _amount_fact(profiles, roles.amount),
        "event time": _time_fact(profiles, roles),
        "id": identity if roles.id is None else f"'{roles.id}'",
    }


def _amount_fact(profiles: Mapping[str, Profile], amount: str | None) -> str:
    if amount is None:
        return "none: each missed fraud costs the same"
    low, high = profiles[amount].spread
    return f"'{amount}', from {number_words(low)} to {number_words(high)}"


def _time_fact(profiles: Mapping[str, Profile], roles: Roles) -> str:
    if roles.event_time is None:
        return f"none: {roles.payments_a_day:,.15g} payments count as a day, as you said"
    begin, end = profiles[roles.event_time].spread
    if profiles[roles.event_time].type != "timestamp":
        begin, end = (f"{number_words(each)} {roles.unit}" for each in (begin, end))
    else:
        begin, end = (f"{each:%Y-%m-%d %H:%M:%S} UTC" for each in (begin, end))
    return f"'{roles.event_time}', from {begin} to {end}"
