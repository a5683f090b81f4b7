"""Types, literals and casts: how each is written for DuckDB."""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.sql.coercion import PLAIN, numeric_text
from bqlite.sql.nodes import call, cast, refuse
from bqlite.types import TEXT_FORMS

_WIDENED = (
    exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Select, exp.Alias, exp.If, exp.Case,
    exp.Coalesce, exp.Array, exp.Struct, exp.PropertyEQ, exp.Tuple, exp.Nullif, exp.Greatest,
    exp.Least, exp.BitwiseLeftShift, exp.Lag, exp.Lead,
)  # fmt: skip
_FORMS = {
    exp.DType.DATE: "DATE",
    exp.DType.TIME: "TIME",
    exp.DType.TIMESTAMP: "DATETIME",
    exp.DType.DATETIME: "DATETIME",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP",
    exp.DType.DOUBLE: "FLOAT",
    exp.DType.DECIMAL: "NUMERIC",
}


def _cast(node: exp.Cast) -> exp.Expr:
    if node.meta.get(PLAIN):
        return node
    if node.args.get("format") is not None:
        raise refuse("CAST with FORMAT")
    return _checked_cast(node)


def _checked_cast(node: exp.Cast) -> exp.Expr:
    safe, kind = isinstance(node, exp.TryCast), node.to.this
    prefix = "bq_safe_" if safe else "bq_"
    types = exp.DType
    if kind == types.BIGINT:
        return call(f"{prefix}int64", node.this)
    if kind == types.BOOLEAN:
        return call(f"{prefix}bool", node.this)
    if kind == types.TEXT:
        return call("bq_string", node.this)
    if kind in {types.BINARY, types.VARBINARY, types.BLOB}:
        return call("bq_bytes", node.this)
    if kind == types.JSON:
        raise refuse("CAST to JSON", "use PARSE_JSON")
    text = numeric_text(node.this) if kind == types.DECIMAL else None
    if text is not None:  # by its own digits, not by those of the nearest FLOAT64
        node.set("this", exp.Literal.string(text))
        return node
    pattern = TEXT_FORMS.get(_FORMS.get(kind, ""))
    is_known = isinstance(node.this, exp.Literal) and re.fullmatch(pattern or "", node.this.name)
    if pattern is not None and not is_known:
        wanted = exp.DataType(this=kind).sql(dialect="bigquery")
        node.set("this", call(f"{prefix}text", node.this, pattern, wanted))
    return node


def _data_type(node: exp.DataType) -> exp.Expr:
    types = exp.DType
    if node.parent is not None and node.parent.meta.get(PLAIN):
        return node
    if node.this in {types.DECIMAL, types.DECIMAL64, types.DECIMAL128}:
        if node.expressions:
            raise refuse("NUMERIC with a precision", "write NUMERIC")
        node.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(n)) for n in (38, 9)])
        return node
    if node.this in {types.INT, types.SMALLINT, types.TINYINT, types.UTINYINT}:
        node.set("this", types.BIGINT)
        return node
    allowed = {
        types.BIGINT, types.DOUBLE, types.BOOLEAN, types.TEXT, types.BINARY, types.VARBINARY,
        types.DATE, types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ, types.DATETIME, types.JSON,
        types.STRUCT, types.ARRAY,
    }  # fmt: skip
    if node.this not in allowed:
        raise refuse(f"the type {node.sql(dialect='bigquery')}")
    if node.expressions and node.this not in {types.STRUCT, types.ARRAY}:
        raise refuse(f"the type {node.sql(dialect='bigquery')}", "leave out its length")
    return node


def _number(node: exp.Literal) -> exp.Expr:
    """FLOAT64 for a literal with a point, INT64 where DuckDB would compute in 32 bits."""
    if node.is_string:
        return node
    text = str(node.this)
    if not text.isdigit():
        return node if "e" in text.lower() else exp.Literal.number(f"{text}e0")
    parent = node.parent
    if not isinstance(parent, _WIDENED) or int(text) >= 2**31:
        return node
    if isinstance(parent, (exp.Add, exp.Sub)):
        beside = parent.expression if node.arg_key == "this" else parent.this
        if not isinstance(beside, (exp.Literal, exp.Binary, exp.Paren, exp.Neg)):
            return node  # a DATE plus days, where DuckDB wants the narrow integer
    return cast(exp.Literal.number(text), "BIGINT")


CAST_RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Literal: _number,
    exp.DataType: _data_type,
    exp.Cast: _cast,
    exp.TryCast: _cast,
}
