"""Arithmetic, rounding and what is computed of numbers: how each is written for DuckDB."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.sql.arithmetic import NUMERIC_PRODUCT, OF_NUMBERS
from bqlite.sql.coercion import plain_cast
from bqlite.sql.kinds import Kind
from bqlite.sql.nodes import call, cast, plain, refuse


def _multiply(node: exp.Mul | exp.SafeMultiply) -> exp.Expr:
    product: exp.Expr = exp.Mul(this=node.this, expression=node.expression)
    if isinstance(node, exp.SafeMultiply):
        product = call("try", product)
    elif not node.meta.get(NUMERIC_PRODUCT):
        return node
    return plain_cast(product, Kind("NUMERIC")) if node.meta.get(NUMERIC_PRODUCT) else product


def _subtract(node: exp.Sub) -> exp.Expr:
    if node.meta.get(OF_NUMBERS):
        return node
    # DuckDB's TRY, which is SAFE., takes no macro that raises.
    is_safe = node.find_ancestor(exp.SafeFunc) is not None
    return node if is_safe else call("bq_subtract", node.this, node.expression)


def _rounded(name: str) -> Callable[[Any], exp.Expr]:
    def rule(node: Any) -> exp.Expr:
        if node.args.get("truncate"):
            raise refuse(f"{name.upper()} with a rounding mode")
        digits = node.args.get("decimals")
        value = call("bq_real", node.this)
        if digits is None:
            return call(name, value)
        return call(name, value, cast(digits, "INTEGER"))

    return rule


def _try_operator(kind: type[exp.Expr]) -> Callable[[Any], exp.Expr]:
    return lambda node: call("try", kind(this=node.this, expression=node.expression))


NUMBER_RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Sub: _subtract,
    exp.BitwiseRightShift: plain("bq_shift_right", "this", "expression"),
    exp.Sign: plain("bq_sign", "this"),
    exp.Corr: plain("bq_corr", "this", "expression"),
    exp.Div: lambda n: call("bq_div", n.this, n.expression),
    exp.SafeDivide: lambda n: call("bq_safe_divide", n.this, n.expression),
    exp.IntDiv: lambda n: call("bq_int_div", n.this, n.expression),
    exp.Mod: lambda n: call("bq_mod", n.this, n.expression),
    exp.SafeAdd: _try_operator(exp.Add),
    exp.SafeSubtract: _try_operator(exp.Sub),
    exp.Mul: _multiply,
    exp.SafeMultiply: _multiply,
    exp.SafeNegate: lambda n: call("try", exp.Neg(this=n.this)),
    exp.Pow: plain("bq_pow", "this", "expression"),
    exp.Round: _rounded("round"),
    exp.Trunc: _rounded("trunc"),
    exp.BitwiseCount: lambda n: call("bit_count", cast(n.this, "BIGINT")),
    exp.Rand: lambda _: call("random"),
}
