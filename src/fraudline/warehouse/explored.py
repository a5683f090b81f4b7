"""Whether a table of decisions tells which payments were reviewed in place of being blocked."""

from __future__ import annotations

from weakref import WeakSet

from google.api_core import exceptions as google_errors

from fraudline import flows
from fraudline.warehouse.client import RETRY, Warehouse, translated

PROPENSITY = "propensity"
"""The column: the probability with which such a payment was shown to people; null of others."""
_TELLING: WeakSet[Warehouse] = WeakSet()  # a column that is there stays


def explored_columns(warehouse: Warehouse) -> tuple[str, ...]:
    """The column, where the table has it; else it is of before that, and nothing was explored.

    Args:
        warehouse: Its table of decisions is looked at, once where it has the column.

    Raises:
        WarehouseError: BigQuery cannot be reached.
    """
    if warehouse not in _TELLING:
        table = warehouse.table(warehouse.settings.table(flows.DECISIONS))
        with translated(f"looking for column {PROPENSITY} of {table}"):
            try:
                found = warehouse.client.get_table(table, retry=RETRY)
            except google_errors.NotFound:  # whoever reads it says so
                return ()
        if PROPENSITY not in {field.name for field in found.schema}:
            return ()
        _TELLING.add(warehouse)
    return (PROPENSITY,)
