"""Guards UPDATE and MERGE: DuckDB would round or print a value that does not fit its column."""

from sqlglot import exp

from bqlite.sql.nodes import call
from bqlite.types import ACCEPTED, Field

_NULL = '"NULL"'


def guard_assignments(root: exp.Expr, fields: tuple[Field, ...]) -> None:
    """Makes UPDATE and MERGE fail on a value of a type its column does not take.

    Args:
        root: The statement, already written for DuckDB.
        fields: The columns of its target.
    """
    by_name = {one.name.lower(): one for one in fields}
    updates = [root] if isinstance(root, exp.Update) else []
    whens = list(root.find_all(exp.When)) if isinstance(root, exp.Merge) else []
    inserts = []
    for when in whens:
        then = when.args.get("then")
        if isinstance(then, exp.Update):
            updates.append(then)
        elif isinstance(then, exp.Insert):
            inserts.append(then)
    for update in updates:
        for assignment in update.expressions:
            _guard(by_name.get(assignment.this.name.lower()), assignment.expression)
    for insert in inserts:
        if not isinstance(insert.this, exp.Tuple) or not isinstance(insert.expression, exp.Tuple):
            continue
        for column, value in zip(
            insert.this.expressions, insert.expression.expressions, strict=False
        ):
            _guard(by_name.get(column.name.lower()), value)


def _guard(one: Field | None, value: exp.Expr) -> None:
    if one is not None and one.mode == "REPEATED":
        value.replace(call("coalesce", value.copy(), exp.Array(expressions=[])))
    if one is None or one.mode == "REPEATED" or one.type not in ACCEPTED:
        return
    value.replace(call("bq_assign", value.copy(), f"{ACCEPTED[one.type]}|{_NULL}", one.sql))
