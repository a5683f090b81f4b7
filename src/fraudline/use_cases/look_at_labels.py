"""Labels that were stored: the newest, and all that was told of a transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from fraudline.errors import InputError
from fraudline.use_cases.project import Project
from fraudline.warehouse.counting_labels import decisions_with_labels, labelled_sql_at
from fraudline.warehouse.explored import PROPENSITY
from fraudline.warehouse.label_rows import (
    LabelCounts,
    count_labels,
    decisions_of,
    label_events,
    newest_labels,
)


@dataclass(frozen=True)
class LabelList:
    """The labels that arrived in a period.

    Attributes:
        since: Its begin.
        counts: How many of each kind, and how many name no transaction.
        newest: The last ones, the newest first, by the columns of their table.
    """

    since: dt.datetime
    counts: LabelCounts
    newest: list[dict[str, Any]]


@dataclass(frozen=True)
class LabelHistory:
    """All that was told of a transaction.

    Attributes:
        as_of: The moment at which it is looked at.
        decisions: The decisions on it by then, each with the label that counted, as in
            `decisions_with_labels`; several, where positions are of topics that were made anew.
        events: All labels, in the order of arrival, as `label_events` gives them.
        maturity_days: After which a decision without a label counts as legitimate.
    """

    as_of: dt.datetime
    decisions: list[dict[str, Any]]
    events: list[dict[str, Any]]
    maturity_days: float


def list_labels(
    project: Project,
    days: float,
    *,
    label: str | None = None,
    source: str | None = None,
    most: int = 20,
) -> LabelList:
    """Count the labels of the last days, and give the newest.

    Args:
        project: Whose table.
        days: Look at what arrived in so many days.
        label: Only labels that say this.
        source: Only labels of this source.
        most: How many of the newest to give.

    Raises:
        WarehouseError: the tables cannot be queried.
    """
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    counts = count_labels(project.warehouse, project.contract, since, label=label, source=source)
    newest = newest_labels(project.warehouse, since, most, label=label, source=source)
    return LabelList(since, counts, newest)


def show_labels(
    project: Project, transaction_id: str, as_of: dt.datetime | None = None
) -> LabelHistory:
    """What was decided and told of a transaction, and what counts.

    Args:
        project: Whose tables.
        transaction_id: As a decision names it: the contract's id, or `topic:partition:offset`.
        as_of: The moment at which it is looked at; now without one.

    Raises:
        InputError: it was neither decided nor labelled.
        WarehouseError: the tables cannot be queried.
    """
    at = as_of or dt.datetime.now(dt.UTC)
    decided = decisions_of(project.warehouse, project.contract, transaction_id, at)
    events = label_events(project.warehouse, project.contract, transaction_id, at)
    if not decided and not events:
        its = "|".join(project.contract.id_columns)
        named = f"its id ({its})" if its else "topic:partition:offset"
        raise InputError(
            f"there is neither a decision nor a label for transaction {transaction_id[:200]!r} "
            f"(as of {at:%Y-%m-%d %H:%M:%S} UTC). Give {named}, as `transaction_id` in the table "
            "of decisions. It may still be on its way: check that `fraudline sink` runs."
        )
    return LabelHistory(at, decided, events, project.contract.maturity_days)


def is_explored(decided: Mapping[str, object]) -> bool:
    """Whether a payment would have been blocked, and was reviewed in place of it.

    Args:
        decided: One of what `LabelHistory` has of decisions.
    """
    return decided.get(PROPENSITY) is not None


def labelled_decisions(
    project: Project,
    *,
    as_of: dt.datetime | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    later: dt.datetime | None = None,
    columns: tuple[str, ...] = (),
) -> pa.Table:
    """Each decision with the label that counted at a moment; see `decisions_with_labels`.

    Args:
        project: Whose tables and contract.
        as_of: The moment; now without one.
        since: Only what was decided at this time or later, and
        until: before this time.
        later: A later moment, to see what was corrected until then.
        columns: Columns of the transaction that are wanted, too.

    Raises:
        ContractError: a column is asked for that is called like one of the result.
        InputError: `later` is before `as_of`.
        WarehouseError: the tables cannot be queried.
    """
    return decisions_with_labels(
        project.warehouse,
        project.contract,
        as_of=as_of or dt.datetime.now(dt.UTC),
        since=since,
        until=until,
        later=later,
        columns=columns,
    )


def labels_sql(project: Project, as_of: dt.datetime | None = None) -> str:
    """The SQL that gives decisions with their labels, for BigQuery's own console.

    Args:
        project: Whose tables and contract.
        as_of: The moment; without one, that at which the SQL is run.
    """
    return labelled_sql_at(project.warehouse, project.contract, as_of)
