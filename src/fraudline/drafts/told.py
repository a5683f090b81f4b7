"""What a person must look at, and which answers are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fraudline.contract.contract_faults import meant
from fraudline.contract.local_times import is_zone, zone_names
from fraudline.contract.role_words import together
from fraudline.contract.time_units import seconds_of
from fraudline.drafts.found_roles import FoundRoles
from fraudline.drafts.profiles import Profile
from fraudline.drafts.roles import NONE, Answers, fraud_share
from fraudline.errors import InputError

_MOST_A_DAY = 1e12


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
    given = [(role, getattr(answers, role)) for role in ("label", "amount", "event_time")]
    for role, answer in (*given, *(("id", name) for name in answers.id)):
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
    if answers.timezone is not None and not is_zone(answers.timezone):
        raise InputError(
            f"--timezone {answers.timezone}: expected the name of a time zone, such as UTC or "
            f"Europe/Vienna.{meant(answers.timezone, zone_names())}"
        )
    if faulty := [f"'{each.name}': {each.fault}" for each in profiles.values() if not each.type]:
        raise InputError(f"{'; '.join(faulty)}. Leave such a column out, or write it as text.")


def tell_roles(
    profiles: Mapping[str, Profile],
    roles: FoundRoles,
    answers: Answers,
    told: Told,
    *,
    is_sure: bool,
) -> None:
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
    if not roles.id:
        told.others.append(
            "No column is known to name a payment, so topic and position do: a payment that is "
            "sent twice is decided twice. If one does, give --id."
        )
    elif not is_sure:
        told.others.append(
            f"{together(roles.id)}: it does not name each payment alone; one that comes again with "
            "other values is rejected."
        )
