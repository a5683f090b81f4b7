"""Of the labelled history what stands beside the stream where that has few frauds yet."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract import Contract
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.history_sample import is_drawn_sql
from fraudline.warehouse.history_source import find_history
from fraudline.warehouse.learning_tables import is_there
from fraudline.warehouse.query import query, sql_literal

_SEED = "fraudline known"


def drawn_sql(hashed: str, share: float) -> str:
    """The condition that a row is among a share of them; among a larger share it is, too.

    Args:
        hashed: An expression that tells one row from others.
        share: Which share; 1 or more is all.
    """
    return is_drawn_sql(_SEED, hashed, share)


def known_history(
    warehouse: Warehouse,
    contract: Contract,
    most_frauds: int,
    legitimate_per_fraud: int,
    end: float | dt.datetime,
) -> pa.Table:
    """The newest frauds of the labelled history, and a draw of what is legitimate since.

    Only of what happened before the payments that judge: somebody may have loaded those, too.

    Args:
        warehouse: Its history is read.
        contract: What a transaction looks like.
        most_frauds: How many frauds are wanted; nothing is read for none.
        legitimate_per_fraud: About how many legitimate payments are drawn for each.
        end: Event time of the oldest payment that judges.

    Raises:
        WarehouseError: it cannot be queried, or is not of this contract.
    """
    settings = warehouse.settings
    nothing = contract.history_schema.empty_table()
    if most_frauds <= 0 or not (settings.history or is_there(warehouse, settings.table_history)):
        return nothing
    source = find_history(warehouse, contract).sql
    is_fraud = f"CAST(`{contract.label}` AS INT64) = 1"
    at = f"`{contract.event_time}`"
    is_before = f"{at} < {sql_literal(end)}"
    newest = query(
        warehouse,
        f"SELECT {at} AS at FROM {source} WHERE {is_fraud} AND {is_before} ORDER BY {at} DESC "  # noqa: S608 - names come from settings and a checked contract
        f"LIMIT {most_frauds:d}",
    ).column("at")
    if not len(newest):
        return nothing
    since = sql_literal(pc.min(newest).as_py())
    counted = query(
        warehouse,
        f"SELECT COUNTIF(NOT ({is_fraud})) AS legitimate FROM {source} "  # noqa: S608 - names come from settings and a checked contract
        f"WHERE {at} >= {since} AND {is_before}",
    )
    legitimate = counted.column("legitimate")[0].as_py()
    names = ", ".join(f"`{column.name}`" for column in contract.columns)
    # Rows of one time and amount are drawn together. All columns would take ten times as long.
    roles = filter(None, (contract.event_time, contract.amount))
    telling = dict.fromkeys((*contract.id_columns, *roles))
    hashed = ", ".join(f"CAST(`{name}` AS STRING)" for name in telling)
    drawn = drawn_sql(hashed, legitimate_per_fraud * len(newest) / max(legitimate, 1))
    rows = query(
        warehouse,
        f"SELECT {names} FROM {source} "  # noqa: S608 - names come from settings and a checked contract
        f"WHERE {at} >= {since} AND {is_before} AND ({is_fraud} OR {drawn})",
    ).cast(contract.history_schema)
    return rows.sort_by([(column.name, "ascending") for column in contract.columns])
