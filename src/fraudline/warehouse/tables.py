"""The data set, its tables and its view: created where missing, otherwise checked."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Sequence
from functools import partial

import pyarrow as pa
from google.api_core import exceptions as google_errors
from google.api_core.retry import Retry
from google.cloud import bigquery

from fraudline import flows
from fraudline.contract import Contract, arrow_schema
from fraudline.errors import WarehouseError
from fraudline.warehouse.client import CALL_TIMEOUT_S, RETRY, Warehouse, translated
from fraudline.warehouse.schema import table_schema
from fraudline.warehouse.table_fit import column_differences, told

_LOG = logging.getLogger(__name__)


def create_dataset(warehouse: Warehouse) -> None:
    """Create the data set if it does not exist."""
    name = f"{warehouse.settings.project}.{warehouse.settings.dataset}"
    with translated(f"creating data set {name}"):
        dataset = bigquery.Dataset(name)
        dataset.location = warehouse.settings.location
        warehouse.client.create_dataset(dataset, exists_ok=True, retry=RETRY)


def create_table(
    warehouse: Warehouse,
    name: str,
    schema: pa.Schema,
    *,
    description: str,
    partition_by: str | None,
    cluster_by: Sequence[str],
    may_grow: bool = False,
    on_created: Callable[[], None] = lambda: None,
) -> bigquery.Table:
    """Create a table, or check that the one that exists can hold these rows.

    Args:
        warehouse: The data set.
        name: Name of the table in it.
        schema: Arrow schema of its rows.
        description: For people who look at it.
        partition_by: Timestamp column by whose day it is partitioned, if any.
        cluster_by: Columns by which rows are kept together.
        may_grow: Whether a table that exists is given the nullable columns that it lacks.
        on_created: Called if it did not exist.

    Returns:
        The table as BigQuery has it.

    Raises:
        WarehouseError: the table exists with other columns.
    """
    table = bigquery.Table(warehouse.table(name), schema=table_schema(schema))
    table.description = description
    if partition_by is not None:
        table.time_partitioning = bigquery.TimePartitioning(field=partition_by)
    table.clustering_fields = list(cluster_by) or None
    with translated(f"creating table {warehouse.table(name)}"):
        try:
            found = warehouse.client.create_table(table, retry=RETRY)
        except google_errors.Conflict:
            found = warehouse.client.get_table(table.reference, retry=RETRY)
        else:
            on_created()
    if may_grow:
        found = grow_table(warehouse, name, schema)
    require_writable(found, schema)
    return found


def require_writable(found: bigquery.Table, schema: pa.Schema) -> None:
    """Refuse a table that cannot hold these rows.

    Raises:
        WarehouseError: it lacks a column, has one of another type, or one that must be set.
    """
    differences = [
        each for each in column_differences(found.schema, schema) if each.prevents_writing
    ]
    if differences:
        raise WarehouseError(
            f"table {found.reference} exists with other columns than expected: "
            f"{told(differences)}. Rename or drop it, or choose another name or data set in the "
            "settings."
        )


def create_stream_tables(
    warehouse: Warehouse, contract: Contract, on_change: Callable[[str], None] = lambda _: None
) -> list[flows.Flow]:
    """Create what the stream needs: the table of each flow that is stored, and a view.

    The view shows decided transactions in the history's own columns, with label 1 where a
    transaction was not approved, so that queries written for the history run on it unchanged.
    That of an earlier contract is brought up to date.

    Args:
        warehouse: The data set.
        contract: What a transaction looks like.
        on_change: Told, in a sentence, what was changed in a table of an earlier release, and
            where a table is laid out in another way than ours.

    Returns:
        The flows whose table did not exist.
    """
    create_dataset(warehouse)
    created: list[flows.Flow] = []
    for flow, table in flows.stored_flows():
        found = create_table(
            warehouse,
            warehouse.settings.table(flow),
            arrow_schema(flow.row_columns(contract)),
            description=table.description.format(contract=contract.name),
            partition_by=table.partition_by,
            cluster_by=table.cluster_by,
            may_grow=True,
            on_created=partial(created.append, flow),
        )
        _lay_out(warehouse, found, table, on_change)
    _create_view(warehouse, contract)
    bring_view_up_to_date(warehouse, contract, on_change)
    return created


def _lay_out(
    warehouse: Warehouse,
    found: bigquery.Table,
    table: flows.FlowTable,
    on_change: Callable[[str], None],
) -> None:
    """Cluster a table of an earlier release as today's; say where a layout is somebody's own."""
    partitioned_by = found.time_partitioning.field if found.time_partitioning else None
    if partitioned_by != table.partition_by:
        on_change(
            f"table {found.reference} is partitioned by {partitioned_by or 'nothing'} instead of "
            f"{table.partition_by or 'nothing'}, which BigQuery cannot change: `fraudline "
            "reconcile` reads more of it than it needs. Nothing else depends on it."
        )
    clustered_by = tuple(found.clustering_fields or ())
    if clustered_by == table.cluster_by:
        return
    if clustered_by != table.formerly_clustered_by:
        on_change(
            f"table {found.reference} is clustered by {', '.join(clustered_by) or 'nothing'} "
            f"instead of {', '.join(table.cluster_by) or 'nothing'}: `fraudline reconcile` reads "
            "more of it than it needs. It was left as it is, since that layout is not ours."
        )
        return
    found.clustering_fields = list(table.cluster_by)
    with translated(f"clustering table {found.reference}"):
        warehouse.client.update_table(found, ["clustering_fields"], retry=RETRY)
    on_change(
        f"table {found.reference} is clustered by {', '.join(table.cluster_by)} from now on. Rows "
        "that it holds stay as they are; docs/guides/bigquery.md says how to sort them, too."
    )


def grow_stream_tables(warehouse: Warehouse, contract: Contract) -> None:
    """Give the tables of the stream, which exist, the nullable columns that they lack.

    The view shows them, too; where it may not be altered, that is told in the log.

    Raises:
        WarehouseError: a table does not exist, or may not be altered.
    """
    for flow, _ in flows.stored_flows():
        columns = flow.row_columns(contract)
        grow_table(warehouse, warehouse.settings.table(flow), arrow_schema(columns))
    try:
        bring_view_up_to_date(warehouse, contract, lambda told: _LOG.warning("%s", told))
    except WarehouseError as error:  # nothing is stored in it
        _LOG.warning("the view of decided transactions may be out of date: %s", error)


def grow_table(warehouse: Warehouse, name: str, schema: pa.Schema) -> bigquery.Table:
    """Give a table the nullable columns that it lacks; each one is told in the log.

    A table that could not take the rows even so is left as it is: it was made for something else.

    Returns:
        The table as it is then. Rows that it holds are null there.

    Raises:
        WarehouseError: it does not exist, or may not be altered.
    """
    expected = {field.name: field for field in table_schema(schema)}
    while True:
        table = require_table(warehouse, name)
        differences = [
            each for each in column_differences(table.schema, schema) if each.prevents_writing
        ]
        missing = [
            expected[each.name]
            for each in differences
            if each.kind == "missing" and expected[each.name].mode == "NULLABLE"
        ]
        if len(missing) < len(differences):
            return table
        if not missing:
            return table
        table.schema = [*table.schema, *missing]
        names = ", ".join(f"{field.name} ({field.field_type})" for field in missing)
        with translated(f"adding columns {names} to table {warehouse.table(name)}"):
            try:
                warehouse.client.update_table(table, ["schema"], retry=RETRY)
            except google_errors.PreconditionFailed:
                continue  # another process has altered it in the meantime
        _LOG.warning("table %s had no column %s: added, null in its rows so far", name, names)


def _create_view(warehouse: Warehouse, contract: Contract) -> None:
    view = bigquery.Table(warehouse.table(warehouse.settings.view_decided))
    view.view_query = _view_query(warehouse, contract)
    view.description = (
        "Decided transactions in the history's columns; the label marks what was not approved."
    )
    with translated(f"creating view {view.reference}"):
        warehouse.client.create_table(view, exists_ok=True, retry=RETRY)


def bring_view_up_to_date(
    warehouse: Warehouse, contract: Contract, on_change: Callable[[str], None]
) -> None:
    """Make the view of decided transactions show the contract's columns as they are now.

    One that was altered by somebody, or shows another table, stays as it is.

    Args:
        warehouse: The data set.
        contract: What a transaction looks like.
        on_change: Told in a sentence what was changed, or that the view is somebody's own.

    Raises:
        WarehouseError: it does not exist, or may not be altered.
    """
    view = require_table(warehouse, warehouse.settings.view_decided)
    expected, found = _view_query(warehouse, contract), view.view_query or ""
    if found == expected:
        return
    decisions = warehouse.table(warehouse.settings.table(flows.DECISIONS))
    shown = _OUR_VIEW.fullmatch(found)
    if shown is None or shown["table"] != decisions:
        on_change(
            f"view {view.reference} is not the one that `fraudline setup` creates for "
            f"{decisions}, so it was left as it is and may lack columns of contract "
            f"'{contract.name}'. Drop it to have it made anew, or name another one in "
            "`bigquery.view_decided`."
        )
        return
    before = {one["name"] for one in _OUR_COLUMN.finditer(shown["columns"])}
    now = [column.name for column in contract.columns]
    view.view_query = expected
    with translated(f"bringing view {view.reference} up to date"):
        warehouse.client.update_table(view, ["view_query"], retry=RETRY)
    changes = [
        f"{what} {', '.join(names)}"
        for what, names in (
            ("shows also", [name for name in now if name not in before]),
            ("no longer shows", sorted(before - set(now))),
        )
        if names
    ]
    on_change(
        f"view {view.reference} {' and '.join(changes) or 'has its columns in another order'}, "
        f"as contract '{contract.name}' has it now."
    )


def _view_query(warehouse: Warehouse, contract: Contract) -> str:
    label = contract.column(contract.label)
    columns = ", ".join(
        f"decision != 'approve' AS `{label.name}`"
        if column == label and label.type == "bool"
        else f"IF(decision != 'approve', 1, 0) AS `{label.name}`"
        if column == label
        else f"`{column.name}`"
        for column in contract.columns
    )
    decisions = warehouse.table(warehouse.settings.table(flows.DECISIONS))
    return f"SELECT {columns} FROM `{decisions}`"  # noqa: S608 - names come from settings and a checked contract


# What `_view_query` makes, and nothing that a person has put beside it.
_COLUMN = r"(?:decision != 'approve' AS |IF\(decision != 'approve', 1, 0\) AS )?`{}`"
_OUR_COLUMN = re.compile(_COLUMN.format(r"(?P<name>\w+)"))
_ONE = _COLUMN.format(r"\w+")
_OUR_VIEW = re.compile(rf"SELECT (?P<columns>{_ONE}(?:, {_ONE})*) FROM `(?P<table>[^`]+)`")  # noqa: S608 - it only reads SQL


def require_table(
    warehouse: Warehouse, name: str, *, retry: Retry | None = RETRY, timeout_s: float | None = None
) -> bigquery.Table:
    """Look a table up.

    Args:
        warehouse: The data set.
        name: Name of the table in it.
        retry: How often to ask; None is once.
        timeout_s: How long to wait for an answer; None is as long as for any.

    Raises:
        WarehouseError: it does not exist, or BigQuery cannot be reached.
    """
    with translated(f"looking for table {warehouse.table(name)}"):
        try:
            return warehouse.client.get_table(
                warehouse.table(name),
                retry=retry,  # type: ignore[arg-type]  # None is once, by the documentation
                timeout=timeout_s,
            )
        except google_errors.NotFound:
            raise WarehouseError(
                f"table {warehouse.table(name)} does not exist. `fraudline setup` creates "
                "the stream's tables, `fraudline load FILE` the history's."
            ) from None


def table_made_at(warehouse: Warehouse, name: str) -> str:
    """When BigQuery made a table, UTC to the millisecond: one made anew has another time.

    It asks once and waits briefly, as a loop needs it.

    Returns:
        Such as `2026-11-30T12:00:00.123Z`; empty if BigQuery does not tell.

    Raises:
        WarehouseAwayError: BigQuery does not answer now.
        WarehouseError: there is no such table, or it may not be looked at.
    """
    table = require_table(warehouse, name, retry=None, timeout_s=CALL_TIMEOUT_S)
    made_at: dt.datetime | None = table.created
    if made_at is None:
        return ""
    return made_at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
