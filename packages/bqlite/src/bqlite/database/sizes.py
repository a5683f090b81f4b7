"""How many rows and bytes a table holds, as BigQuery counts and bills them."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

from dataclasses import dataclass

from bqlite.database.duckdb_errors import sql_errors
from bqlite.database.engine import Engine, first
from bqlite.relations import Table, TableName
from bqlite.types import SCALARS, Field, quote

EXACT_ROWS = 100_000  # a table larger than this is not measured after every change


@dataclass(frozen=True)
class _Size:
    """What a table's columns measured at one version of its rows."""

    version: int
    rows: int
    columns: dict[str, int]


class Sizes:
    """Measures tables, and remembers what it measured.

    Args:
        engine: Where the rows are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[TableName, _Size] = {}

    def rows(self, table: Table) -> int:
        """How many rows the table holds."""
        if table.view_sql:
            return 0
        with self._engine.cursor() as cursor, sql_errors():
            return int(first(cursor, f"SELECT count(*) FROM {table.relation}")[0])

    def columns(self, table: Table) -> dict[str, int]:
        """BigQuery's logical size of each column, by lower-case name.

        A small table is measured anew after each change. A large one, which may change many times
        a second, is taken to grow in proportion to its rows until it is a quarter larger.
        """
        if table.view_sql:
            return {}
        known = self._known.get(table.name)
        if known is not None and known.version == table.version:
            return known.columns
        rows = self.rows(table)
        if known is not None and known.rows > EXACT_ROWS and rows < known.rows * 5 // 4:
            return {name: size * rows // known.rows for name, size in known.columns.items()}
        sums = ", ".join(_size_sql(one) for one in table.fields)
        with self._engine.cursor() as cursor, sql_errors():
            row = first(cursor, f"SELECT {sums} FROM {table.relation}")
        sizes = {f.name.lower(): int(n or 0) for f, n in zip(table.fields, row, strict=True)}
        self._known[table.name] = _Size(table.version, rows, sizes)
        return sizes

    def forget(self, name: TableName) -> None:
        """Forgets what was measured of a table that changed its columns or is gone."""
        self._known.pop(name, None)


def _size_sql(one: Field) -> str:
    column = quote(one.name)
    if one.mode == "REPEATED":
        return f"sum(CASE WHEN len({column}) > 0 THEN strlen({column}::VARCHAR) END)"
    if one.type in {"RECORD", "JSON"}:
        return f"sum(strlen({column}::VARCHAR))"
    fixed = SCALARS[one.type].size_bytes
    length = {"STRING": "strlen", "BYTES": "octet_length"}.get(one.type)
    return f"sum({fixed} + {length}({column}))" if length else f"count({column}) * {fixed}"
