"""The payments that matured last, read so that no more comes back the longer a stream runs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fraudline import flows
from fraudline.contract import Contract
from fraudline.contract.columns import LATEST
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.counting_labels import HIDDEN, labelled_sql
from fraudline.warehouse.history_table import digest_of
from fraudline.warehouse.known_rows import (
    LEAST_FRAUDS,
    TooFew,
    newest_mature,
    newest_mature_frauds,
)
from fraudline.warehouse.query import query, sql_literal

ENOUGH_FRAUDS = 100
"""Where the time that is asked for has fewer, it reaches back to as many."""
_POSITION = ("source_topic", "source_partition", "source_offset")


@dataclass(frozen=True)
class Matured:
    """Payments that are mature, in the order in which they were decided.

    Attributes:
        rows: With the columns of a transaction, and `is_fraud`.
        since: When the oldest was decided.
        hidden: Those of that time that were blocked, or reviewed in place of it, and never
            labelled; with the columns of a transaction.
        table: Full name of the table of decisions.
        query: What read them.
        sha256: Of the rows' values.
    """

    rows: pa.Table
    since: dt.datetime
    hidden: pa.Table
    table: str
    query: str
    sha256: str


def read_matured(
    warehouse: Warehouse,
    contract: Contract,
    *,
    as_of: dt.datetime,
    since: dt.datetime,
    until: dt.datetime,
    not_before: dt.datetime,
) -> Matured | TooFew:
    """Read the payments that matured last, by the labels that had arrived at a moment.

    Args:
        warehouse: Its tables of decisions and labels are read.
        contract: What a transaction looks like, and when it is mature.
        as_of: The moment.
        since: Decided from this time on; from earlier on, where there are few frauds since.
        until: And before this one.
        not_before: But never before this time.

    Returns:
        At most the newest `known_rows.MOST_JUDGED` of them, and `TooFew` where these have fewer
        than `LEAST_FRAUDS` frauds.

    Raises:
        ContractError: a column of the contract is called like one of its label beside a decision.
        WarehouseError: the tables cannot be queried.
    """
    frauds = newest_mature_frauds(warehouse, contract, as_of, ENOUGH_FRAUDS)
    if len(frauds) < LEAST_FRAUDS:
        return TooFew(len(frauds))
    begin = max(min(since, frauds[-1]), not_before)
    begin = max(begin, newest_mature(warehouse, contract, as_of, begin))
    names = [column.name for column in contract.transaction_columns]
    labelled = labelled_sql(
        warehouse,
        contract,
        [*names, "propensity"],
        moment=sql_literal(as_of),
        since=sql_literal(begin),
        until=sql_literal(min(until, LATEST)),
    )
    wanted = ", ".join(f"`{name}`" for name in names)
    sql = (
        f"SELECT {wanted}, is_fraud, decided_at, {HIDDEN} AS is_hidden FROM ({labelled}) "  # noqa: S608 - names come from settings and a checked contract
        f"WHERE is_mature ORDER BY decided_at, {', '.join(_POSITION)}"
    )
    found = query(warehouse, sql)
    told = found.filter(pc.invert(found.column("is_hidden")))
    known = int(pc.sum(told.column("is_fraud")).as_py() or 0)
    if known < LEAST_FRAUDS:
        return TooFew(known)
    rows = told.select([*names, "is_fraud"])
    return Matured(
        rows,
        told.column("decided_at")[0].as_py(),
        found.filter(found.column("is_hidden")).select(names),
        warehouse.table(warehouse.settings.table(flows.DECISIONS)),
        sql,
        digest_of(rows),
    )
