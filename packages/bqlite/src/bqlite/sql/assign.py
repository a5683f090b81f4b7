"""What UPDATE, MERGE and INSERT store: which column is meant, and an ARRAY that is never NULL."""

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.relations import TableName
from bqlite.sql.nodes import call, refuse
from bqlite.types import Field


def settle_columns(root: exp.Expr, target: TableName, fields: tuple[Field, ...]) -> None:
    """Names each column that is written as DuckDB wants it: `SET t.n =` is `SET n =`.

    Args:
        root: UPDATE, MERGE or INSERT in BigQuery's words.
        target: The table it changes.
        fields: The table's columns.

    Raises:
        InvalidQueryError: The table has no such column, or one is written twice.
        UnsupportedSqlError: A field of a STRUCT is written.
    """
    have = {one.name.lower(): one for one in fields}
    table = root.this.this if isinstance(root.this, exp.Schema) else root.this
    for columns in _written(root):
        met = set()
        for column in columns:
            parts = [part.name.lower() for part in _parts(column)]
            if len(parts) > 1 and parts[0] == table.alias_or_name.lower():
                parts = parts[1:]
            if len(parts) > 1 and parts[0] in have:
                raise refuse(
                    f"writing {column.sql()}, a field of a STRUCT,", f"write all of {parts[0]}"
                )
            if parts[0] not in have:
                raise InvalidQueryError(f"Column {parts[0]} is not present in table {target}")
            if parts[0] in met:
                raise InvalidQueryError(f"Column {parts[0]} is written more than once")
            met.add(parts[0])
            if isinstance(column, exp.Column):
                column.set("table", None)
                column.set("this", exp.to_identifier(have[parts[0]].name, quoted=True))


def guard_arrays(root: exp.Expr, fields: tuple[Field, ...]) -> None:
    """Makes UPDATE and MERGE store an ARRAY that is NULL as an empty one.

    Args:
        root: The statement, already written for DuckDB.
        fields: The columns of its target.
    """
    repeated = {one.name.lower() for one in fields if one.mode == "REPEATED"}
    pairs = [
        (one.this, one.expression)
        for update in root.find_all(exp.Update)
        for one in update.expressions
    ]
    for insert in root.find_all(exp.Insert):
        if isinstance(insert.this, exp.Tuple) and isinstance(insert.expression, exp.Tuple):
            pairs += zip(insert.this.expressions, insert.expression.expressions, strict=False)
    for column, value in pairs:
        if column.name.lower() in repeated:
            value.replace(call("coalesce", value.copy(), exp.Array(expressions=[])))


def _written(root: exp.Expr) -> list[list[exp.Expr]]:
    """The columns each part of the statement writes."""
    found = [[one.this for one in update.expressions] for update in root.find_all(exp.Update)]
    inserts = [one.this for one in root.find_all(exp.Insert)]
    written = [one for one in inserts if isinstance(one, (exp.Tuple, exp.Schema))]
    return found + [list(one.expressions) for one in written]


def _parts(column: exp.Expr) -> list[exp.Expr]:
    if isinstance(column, exp.Dot):
        return [*_parts(column.this), column.expression]
    return list(column.parts) if isinstance(column, exp.Column) else [column]
