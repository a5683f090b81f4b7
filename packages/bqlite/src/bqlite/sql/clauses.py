"""Clauses that DuckDB takes in another sense: settled while they are still BigQuery's words."""

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.sql.nodes import refuse


def settle(root: exp.Expr) -> None:
    """Says outright which JOIN, alias and STRUCT is meant.

    Raises:
        InvalidQueryError: A JOIN has no condition.
        UnsupportedSqlError: The array of a RIGHT or FULL JOIN.
    """
    for join in root.find_all(exp.Join):
        _settle_join(join)
    for node in list(root.find_all(exp.Cast)):
        if _has_struct(node.to):
            node.replace(_typed(node.this, node.to))
    for select in root.find_all(exp.Select):
        _settle_aliases(select)


def _settle_join(join: exp.Join) -> None:
    """Only a JOIN of an array needs no condition; DuckDB would pair every row with every other."""
    if join.args.get("on") or join.args.get("using") or join.kind == "CROSS" or join.method:
        return
    if not isinstance(join.this, exp.Unnest):
        raise InvalidQueryError("a JOIN needs ON or USING; write CROSS JOIN to pair all rows")
    if join.side in {"RIGHT", "FULL"}:
        raise refuse(f"a {join.side} JOIN of an array")
    join.set("on", exp.true())


def _settle_aliases(select: exp.Select) -> None:
    """An alias hides a column of its name in GROUP BY and, in an expression, in ORDER BY."""
    aliases = {
        one.alias.lower(): one.this
        for one in select.expressions
        if isinstance(one, exp.Alias) and not one.find(exp.Subquery)
    }
    group, order = select.args.get("group"), select.args.get("order")
    for clause in (group, order):
        for column in list(clause.find_all(exp.Column)) if clause is not None else ():
            meant = aliases.get(column.name.lower())
            if column.table or meant is None or column.find_ancestor(exp.Select) is not select:
                continue
            if isinstance(meant, exp.Column) and meant.name.lower() == column.name.lower():
                continue
            inside = isinstance(column.parent, (exp.Ordered, exp.Order))
            if clause is order and (inside or column.find_ancestor(exp.AggFunc)):
                continue
            if clause is group and not isinstance(column.parent, _GROUPINGS):
                continue
            column.replace(meant.copy() if clause is group else exp.Paren(this=meant.copy()))


_GROUPINGS = (exp.Group, exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple, exp.Paren)


def _has_struct(kind: exp.DataType) -> bool:
    return any(one.this == exp.DType.STRUCT for one in kind.find_all(exp.DataType))


def _typed(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    """A STRUCT with the names and types of `kind`, as they stand; DuckDB would match names."""
    if kind.this == exp.DType.STRUCT and isinstance(value, (exp.Struct, exp.Tuple)):
        members = [
            exp.PropertyEQ(
                this=exp.to_identifier(
                    member.name if isinstance(member, exp.ColumnDef) else f"_{number}", quoted=True
                ),
                expression=_typed(
                    given.expression if isinstance(given, exp.PropertyEQ) else given.unalias(),
                    member.args["kind"] if isinstance(member, exp.ColumnDef) else member,
                ),
            )
            for number, (given, member) in enumerate(
                zip(value.expressions, kind.expressions, strict=False)
            )
        ]
        if len(value.expressions) != len(kind.expressions):
            raise InvalidQueryError(
                f"a {kind.sql(dialect='bigquery')} needs a value for each field"
            )
        return exp.Struct(expressions=members)
    if kind.this == exp.DType.ARRAY and isinstance(value, exp.Array):
        return exp.Array(
            expressions=[_typed(one, kind.expressions[0]) for one in value.expressions]
        )
    if _has_struct(kind):
        raise refuse(f"CAST to {kind.sql(dialect='bigquery')}")
    return exp.Cast(this=value, to=kind.copy())
