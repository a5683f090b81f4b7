"""Arrays, and the aggregates that gather values: how each is written for DuckDB."""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.sql.nodes import call, plain, refuse


def _in(node: exp.In) -> exp.Expr:
    unnest = node.args.get("unnest")
    if unnest is None:
        return node
    values = exp.Subquery(this=exp.select(call("unnest", unnest.expressions[0])))
    return exp.In(this=node.this, query=values)


def _unnest(node: exp.Unnest) -> exp.Expr:
    """A FROM item; `IN UNNEST` is left for its parent's rule."""
    if isinstance(node.parent, exp.In):
        return node
    if not isinstance(node.parent, (exp.From, exp.Join)):
        raise InvalidQueryError("UNNEST stands in FROM, or after IN, only")
    if len(node.expressions) != 1:
        raise refuse("UNNEST of several arrays")
    array, offset, alias = node.expressions[0], node.args.get("offset"), node.args.get("alias")
    names = list(alias.columns) if alias is not None else []
    if alias is not None and not names and alias.this is not None:
        names = [alias.this]
    name = names[0].name if names else "f0_"
    columns: list[exp.Expr] = [exp.alias_(call("unnest", array), name, quoted=True)]
    if offset:
        offset_name = offset.name if isinstance(offset, exp.Identifier) else "offset"
        indices = call("unnest", call("range", call("len", array.copy())))
        columns.append(exp.alias_(indices, offset_name, quoted=True))
    table = exp.TableAlias(this=exp.to_identifier(f"_unnest_{id(node):x}", quoted=True))
    return exp.Subquery(this=exp.select(*columns), alias=table)


def _array(node: exp.Array) -> exp.Expr:
    first = node.expressions[0] if node.expressions else None
    if isinstance(first, (exp.Select, exp.Subquery, exp.SetOperation)):
        empty = exp.Array(expressions=[])
        return call("coalesce", node.copy(), empty)
    return node


def _bracket(node: exp.Bracket) -> exp.Expr:
    index = node.expressions[0]
    if len(node.expressions) != 1 or (isinstance(index, exp.Literal) and index.is_string):
        raise refuse("a subscript other than a position in an array", "use JSON_VALUE")
    if node.args.get("offset") == 1:
        index = exp.Paren(this=exp.Sub(this=index, expression=exp.Literal.number(1)))
    return call("bq_safe_at" if node.args.get("safe") else "bq_at", node.this, index)


def _array_agg(node: exp.ArrayAgg) -> exp.Expr:
    value, limit = node.this, None
    if isinstance(value, exp.Limit):
        value, limit = value.this, value.expression
    ignored = isinstance(node.parent, exp.IgnoreNulls)
    inner = value.this if isinstance(value, exp.Order) else value
    inner = inner.expressions[0] if isinstance(inner, exp.Distinct) else inner
    gathered: exp.Expr = call("list", value)
    if ignored:
        present = exp.Not(this=exp.Is(this=inner.copy(), expression=exp.Null()))
        gathered = exp.Filter(this=gathered, expression=exp.Where(this=present))
    if limit is not None:
        gathered = call("list_slice", gathered, 1, limit)
    return gathered


def _string_agg(node: exp.GroupConcat) -> exp.Expr:
    value = node.this
    if isinstance(value, exp.Limit):
        raise refuse("STRING_AGG with LIMIT")
    separator = node.args.get("separator") or exp.Literal.string(",")
    if isinstance(value, exp.Order):
        order = exp.Order(this=separator, expressions=value.expressions)
        return call("string_agg", value.this, order)
    return call("string_agg", value, separator)


def _ignore_nulls(node: exp.IgnoreNulls) -> exp.Expr:
    if isinstance(node.this, (exp.Lag, exp.Lead)):
        raise refuse("LAG or LEAD with IGNORE NULLS")
    navigates = isinstance(node.this, (exp.FirstValue, exp.LastValue, exp.NthValue))
    return node if navigates else node.this


def _approx_quantiles(node: exp.ApproxQuantiles) -> exp.Expr:
    count = node.expression
    value = node.this
    if isinstance(value, exp.Distinct):
        raise refuse("APPROX_QUANTILES of DISTINCT values")
    if not isinstance(count, exp.Literal) or count.is_string:
        raise refuse("APPROX_QUANTILES with a number that is not a literal")
    if not re.fullmatch(r"[1-9]\d{0,4}", count.this):
        raise refuse(f"APPROX_QUANTILES with the number {count.this}", "write 1 to 99999")
    number = int(count.this)
    marks = [exp.Literal.number(f"{i / number!r}") for i in range(number + 1)]
    return call("quantile_disc", value, exp.Array(expressions=marks))


def _array_concat(node: exp.ArrayConcat) -> exp.Expr:
    joined: exp.Expr = node.this
    for one in node.expressions:
        joined = exp.DPipe(this=joined, expression=one)
    return exp.Paren(this=joined)


ARRAY_RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.In: _in,
    exp.Unnest: _unnest,
    exp.Array: _array,
    exp.Bracket: _bracket,
    exp.ArrayConcat: _array_concat,
    exp.ArrayAgg: _array_agg,
    exp.GroupConcat: _string_agg,
    exp.IgnoreNulls: _ignore_nulls,
    exp.ApproxQuantiles: _approx_quantiles,
    exp.ApproxDistinct: lambda n: exp.Count(this=exp.Distinct(expressions=[n.this])),
    exp.GenerateSeries: lambda n: call(
        "bq_series", n.args["start"], n.args["end"], n.args.get("step") or 1
    ),
    exp.RangeBucket: plain("bq_range_bucket", "this", "expression"),
    exp.ArrayToString: plain("array_to_string", "this", "expression"),
}
