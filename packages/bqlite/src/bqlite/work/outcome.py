"""What a statement or load did, and how it is written down with the rows it wrote."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bqlite.database.engine import Transaction
from bqlite.relations import Table


@dataclass
class Outcome:
    """What a statement did.

    Attributes:
        table: Where a query's rows are.
        rows: How many rows it yields.
        affected: How many rows DML changed, or None.
        statistics: What else BigQuery reports of such a statement.
    """

    table: Table | None = None
    rows: int = 0
    affected: int | None = None
    statistics: dict[str, Any] = field(default_factory=dict)


# Writes a job down in the transaction of the rows it wrote.
Store = Callable[[Transaction, Outcome], None]
