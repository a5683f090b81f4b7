"""Labels as they were told: the newest, those of a transaction, and those that name none."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from fraudline import flows
from fraudline.contract import Contract
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.counting_labels import counting_sql, labelled_sql, names_it
from fraudline.warehouse.explored import explored_columns
from fraudline.warehouse.query import query

_POSITION = re.compile(r"(?P<topic>.+):(?P<partition>\d{1,9}):(?P<offset>\d{1,18})", re.ASCII)
_PLACE = ("source_topic_id", "source_partition", "source_offset", "arrived_at")


@dataclass(frozen=True)
class LabelCounts:
    """How many labels arrived in a period.

    Attributes:
        labels: All of them, each as often as it was sent.
        frauds: Of these, how many say fraud,
        legitimate: how many legitimate, and
        withdrawn: how many that a label is taken back.
        unknown: How many name a transaction that has no decision (yet),
        other_message: a position at which another message was decided: its `received_at` differs,
            or the label has none,
        other_contract: a transaction of another contract.
    """

    labels: int
    frauds: int
    legitimate: int
    withdrawn: int
    unknown: int
    other_message: int
    other_contract: int


def count_labels(
    warehouse: Warehouse, contract: Contract, since: dt.datetime, **filters: str | None
) -> LabelCounts:
    """Count the labels that arrived since a time, and those that name no decided transaction.

    Args:
        warehouse: Its tables of labels and decisions are read.
        contract: Of the transactions.
        since: Labels that arrived before are left alone.
        filters: `label` and `source`: only labels with this value.

    Raises:
        WarehouseError: the tables cannot be queried.
    """
    labels, decisions = _tables(warehouse)
    condition, parameters = _filtered(since, filters)
    by_message = "" if contract.id is not None else ", received_at"
    row = query(
        warehouse,
        f"""\
WITH arrived AS (SELECT * FROM `{labels}` WHERE {condition}),
known AS (SELECT DISTINCT transaction_id FROM `{decisions}`),
decided AS (SELECT DISTINCT transaction_id{by_message} FROM `{decisions}`),
looked AS (
  SELECT l.label, l.contract = @contract AS is_ours,
    k.transaction_id IS NOT NULL AS is_known, d.transaction_id IS NOT NULL AS is_matched
  FROM arrived AS l
  LEFT JOIN known AS k ON k.transaction_id = l.transaction_id
  LEFT JOIN decided AS d ON {names_it(contract, "l")}
)
SELECT COUNT(*) AS labels, COUNTIF(label = 'fraud') AS frauds,
  COUNTIF(label = 'legitimate') AS legitimate, COUNTIF(label = 'withdrawn') AS withdrawn,
  COUNTIF(is_ours AND NOT is_known) AS unknown,
  COUNTIF(is_ours AND is_known AND NOT is_matched) AS other_message,
  COUNTIF(NOT is_ours) AS other_contract
FROM looked""",  # noqa: S608 - names come from settings
        [*parameters, ("contract", "STRING", contract.name)],
    ).to_pylist()[0]
    return LabelCounts(**row)


def newest_labels(
    warehouse: Warehouse, since: dt.datetime, most: int, **filters: str | None
) -> list[dict[str, Any]]:
    """The labels that arrived last, the newest first, with the columns of their table.

    Args:
        warehouse: Its table of labels is read.
        since: Labels that arrived before are left alone.
        most: How many at most.
        filters: `label` and `source`: only labels with this value.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    labels, _ = _tables(warehouse)
    condition, parameters = _filtered(since, filters)
    rows: list[dict[str, Any]] = query(
        warehouse,
        f"SELECT * FROM `{labels}` WHERE {condition} "  # noqa: S608 - names come from settings
        "ORDER BY arrived_at DESC, source_partition DESC, source_offset DESC LIMIT @most",
        [*parameters, ("most", "INT64", most)],
    ).to_pylist()
    return rows


def label_events(
    warehouse: Warehouse, contract: Contract, transaction_id: str, as_of: dt.datetime
) -> list[dict[str, Any]]:
    """All labels of a transaction in the order of arrival, with what the rule says of each.

    Those of all transactions that ever were at a position, where the contract has no id.

    Returns:
        The columns of the table, and: `is_there`, whether it exists at the moment; `stands`,
        whether it is what its source says then; `counts`, whether it is the one that counts.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    labels, _ = _tables(warehouse)
    parameters = [("transaction_id", "STRING", transaction_id), ("as_of", "TIMESTAMP", as_of)]
    rows: list[dict[str, Any]] = query(
        warehouse,
        f"SELECT * FROM `{labels}` "  # noqa: S608 - names come from settings and a checked contract
        f"WHERE contract = '{contract.name}' AND transaction_id = @transaction_id "
        "ORDER BY arrived_at, source_partition, source_offset",
        parameters[:1],
    ).to_pylist()
    each = " UNION ALL ".join(
        f"SELECT '{table}' AS of_table, {', '.join(_PLACE)} FROM {table}"  # noqa: S608 - likewise
        for table in ("standing", "counting")
    )
    rule = counting_sql(warehouse, contract, of="@transaction_id")
    ruled = query(warehouse, f"WITH {rule}\n{each}", parameters)
    found = {tuple(row.values()) for row in ruled.to_pylist()}
    for row in rows:
        place = tuple(row[name] for name in _PLACE)
        row["is_there"] = row["arrived_at"] <= as_of and row["known_at"] <= as_of
        row["stands"], row["counts"] = (
            (table, *place) in found for table in ("standing", "counting")
        )
    return rows


def decisions_of(
    warehouse: Warehouse, contract: Contract, transaction_id: str, as_of: dt.datetime
) -> list[dict[str, Any]]:
    """The decisions on a transaction with the label that counted at a moment.

    Those of all transactions that ever were at a position, where the contract has no id. Of other
    decisions little is read: where there is an id, two columns and the days that they tell; else
    what is clustered beside the position.

    Raises:
        WarehouseError: the tables cannot be queried.
    """
    parameters: list[tuple[str, str, Any]] = [
        ("as_of", "TIMESTAMP", as_of),
        ("transaction_id", "STRING", transaction_id),
    ]
    if contract.id is None:
        position = _POSITION.fullmatch(transaction_id)
        if position is None:
            return []
        where = (
            "d.source_topic = @topic AND d.source_partition = @partition "
            "AND d.source_offset = @offset"
        )
        parameters += [
            ("since", "TIMESTAMP", EARLIEST),
            ("until", "TIMESTAMP", LATEST),
            ("topic", "STRING", position["topic"]),
            ("partition", "INT64", int(position["partition"])),
            ("offset", "INT64", int(position["offset"])),
        ]
    else:
        _, decisions = _tables(warehouse)
        (times,) = query(
            warehouse,
            f"SELECT MIN(decided_at) AS since, MAX(decided_at) AS last FROM `{decisions}` "  # noqa: S608 - names come from settings
            "WHERE transaction_id = @transaction_id AND decided_at <= @as_of",
            parameters,
        ).to_pylist()
        if times["since"] is None:
            return []
        where = ""
        parameters += [
            ("since", "TIMESTAMP", times["since"]),
            ("until", "TIMESTAMP", times["last"] + dt.timedelta(microseconds=1)),
        ]
    explored = explored_columns(warehouse)
    sql = labelled_sql(warehouse, contract, explored, of="@transaction_id", where=where)
    rows: list[dict[str, Any]] = query(
        warehouse, f"{sql} ORDER BY decided_at", parameters
    ).to_pylist()
    return rows


def _tables(warehouse: Warehouse) -> tuple[str, str]:
    names = (warehouse.settings.table(flow) for flow in (flows.LABELS, flows.DECISIONS))
    labels, decisions = map(warehouse.table, names)
    return labels, decisions


def _filtered(
    since: dt.datetime, filters: dict[str, str | None]
) -> tuple[str, list[tuple[str, str, Any]]]:
    """The condition on labels, and its parameters."""
    given = {name: value for name, value in filters.items() if value is not None}
    conditions = ["arrived_at >= @since", *(f"{name} = @{name}" for name in given)]
    values = [(name, "STRING", value) for name, value in given.items()]
    return " AND ".join(conditions), [("since", "TIMESTAMP", since), *values]
