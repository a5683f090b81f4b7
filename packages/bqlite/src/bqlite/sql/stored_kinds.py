"""What DML stores: each value is coerced to its column, or refused."""

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from bqlite.sql.coercion import assign, guard
from bqlite.sql.infer import Inference, branches_of, selected
from bqlite.sql.kinds import kind_of_field
from bqlite.sql.meetings import demand_bool
from bqlite.sql.scopes import Scope
from bqlite.types import Field


def change(inference: Inference, root: exp.Expr, fields: tuple[Field, ...]) -> None:
    """Coerces what DML stores to the columns it is stored in."""
    by_name = {one.name.lower(): one for one in fields}
    if isinstance(root, exp.Insert):
        _insert(inference, root, fields, by_name)
        return
    scope = Scope()
    inference.with_(root, scope)
    inference.source(root.this, scope)
    for key in ("from_", "using"):
        one = root.args.get(key)
        if isinstance(one, exp.Expr):
            inference.source(one.this if key == "from_" else one, scope)
    if root.args.get("on") is not None:
        demand_bool(inference.kind(root.args["on"], scope), "MERGE ON clause")
    inference.clauses(root, scope, ("where",))
    if isinstance(root, exp.Update):
        _set(inference, root, scope, by_name)
    for when in root.find_all(exp.When) if isinstance(root, exp.Merge) else ():
        if isinstance(when.args.get("condition"), exp.Expr):
            demand_bool(inference.kind(when.args["condition"], scope), "WHEN clause")
        then = when.args.get("then")
        if isinstance(then, exp.Update):
            _set(inference, then, scope, by_name)
        elif isinstance(then, exp.Insert) and isinstance(then.expression, exp.Tuple):
            _row(inference, then.expression, then.this.expressions, by_name, scope)


def _set(inference: Inference, update: exp.Expr, scope: Scope, by_name: dict[str, Field]) -> None:
    for one in update.expressions:
        _store(inference, one.expression, by_name.get(one.this.name.lower()), scope)


def _insert(
    inference: Inference, root: exp.Insert, fields: tuple[Field, ...], by_name: dict[str, Field]
) -> None:
    names: Sequence[Any] = fields
    if isinstance(root.this, exp.Schema):
        names = root.this.expressions
    source = root.expression
    if isinstance(source, exp.Values):
        for row in list(source.expressions):
            _row(inference, row, names, by_name, Scope())
        return
    scope = Scope()
    inference.with_(root, scope)
    columns = inference.query(source, scope)
    for index, ((_, kind), name) in enumerate(zip(columns, names, strict=False)):
        one = by_name.get(name.name.lower())
        if one is None:
            continue
        for branch in branches_of(source):
            assign(selected(branch, index), kind, kind_of_field(one), one.name)


def _row(
    inference: Inference,
    row: exp.Expr,
    names: Sequence[Any],
    by_name: dict[str, Field],
    scope: Scope,
) -> None:
    values = list(row.expressions) if isinstance(row, exp.Tuple) else [row]
    for value, name in zip(values, names, strict=False):
        _store(inference, value, by_name.get(name.name.lower()), scope)


def _store(inference: Inference, value: exp.Expr, one: Field | None, scope: Scope) -> None:
    if isinstance(value, exp.Var) and value.name.upper() == "DEFAULT":
        value.replace(exp.null())  # no column has another default
        return
    kind = inference.kind(value, scope)
    if one is not None and kind is None:
        guard(value, one)
    elif one is not None:
        assign(value, kind, kind_of_field(one), one.name)
