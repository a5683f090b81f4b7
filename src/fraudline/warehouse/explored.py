"""Whether a table of decisions tells which payments were reviewed in place of being blocked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary, WeakSet

from google.api_core import exceptions as google_errors

from fraudline import flows
from fraudline.warehouse.client import RETRY, Warehouse, translated

PROPENSITY = "propensity"
"""The column: the probability with which such a payment was shown to people; null of others."""
_TELLING: WeakSet[Warehouse] = WeakSet()  # a column that is there stays
_IN_ONE_LOOK: WeakKeyDictionary[Warehouse, bool | None] = WeakKeyDictionary()


def explored_columns(warehouse: Warehouse) -> tuple[str, ...]:
    """The column, where the table has it; else it is of before that, and nothing was explored.

    Args:
        warehouse: Its table of decisions is looked at, once where it has the column; where it has
            not, each time, but within `one_look`.

    Raises:
        WarehouseError: BigQuery cannot be reached.
    """
    if warehouse not in _TELLING:
        is_telling = _IN_ONE_LOOK.get(warehouse)
        if is_telling is None:
            is_telling = _is_telling(warehouse)
        if warehouse in _IN_ONE_LOOK:
            _IN_ONE_LOOK[warehouse] = is_telling
        if not is_telling:
            return ()
        _TELLING.add(warehouse)
    return (PROPENSITY,)


@contextmanager
def one_look(warehouse: Warehouse) -> Iterator[None]:
    """Ask for the column at most once in the `with` block; a column that comes is seen after it.

    Args:
        warehouse: Whose table of decisions.
    """
    _IN_ONE_LOOK[warehouse] = None
    try:
        yield
    finally:
        _IN_ONE_LOOK.pop(warehouse, None)


def _is_telling(warehouse: Warehouse) -> bool:
    table = warehouse.table(warehouse.settings.table(flows.DECISIONS))
    with translated(f"looking for column {PROPENSITY} of {table}"):
        try:
            found = warehouse.client.get_table(table, retry=RETRY)
        except google_errors.NotFound:  # whoever reads it says so
            return False
    return PROPENSITY in {field.name for field in found.schema}
