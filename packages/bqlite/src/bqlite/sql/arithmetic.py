"""Arithmetic: the type an operator gives, and what its operands become before DuckDB sees them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.sql.coercion import PLAIN, numeric_text, operand, unify
from bqlite.sql.kinds import NULL, NUMBERS, Kind, supertype
from bqlite.sql.nodes import cast, refuse

ARITHMETIC = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.IntDiv, exp.SafeAdd, exp.SafeSubtract,
    exp.SafeMultiply, exp.SafeDivide,
)  # fmt: skip
SIGNS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "!=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM", exp.Add: "+",
    exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.DPipe: "||",
}  # fmt: skip
_FUNCTIONS: Mapping[type[exp.Expr], str] = {
    exp.Mod: "MOD", exp.IntDiv: "DIV", exp.SafeAdd: "SAFE_ADD", exp.SafeSubtract: "SAFE_SUBTRACT",
    exp.SafeMultiply: "SAFE_MULTIPLY", exp.SafeDivide: "SAFE_DIVIDE",
}  # fmt: skip
OF_NUMBERS = "bqlite_of_numbers"  # marks an operator whose operands are known to be numbers
NUMERIC_PRODUCT = "bqlite_numeric_product"  # marks a product that is rounded to NUMERIC
_MOMENTS = frozenset({"DATE", "DATETIME", "TIMESTAMP"})


def computed(node: exp.Expr, given: Sequence[Kind | None]) -> Kind | None:
    """The type of a sum, product, quotient or remainder; coerces its operands.

    Raises:
        InvalidQueryError: GoogleSQL does not compute with such types.
        UnsupportedSqlError: A division of NUMERIC.
    """
    left, right = given[:2]
    if left is None or right is None:
        return None
    if {left.type, right.type} <= {*NUMBERS, "NULL"}:
        node.meta[OF_NUMBERS] = True
        return _of_numbers(node, left, right)
    if isinstance(node, (exp.Add, exp.Sub)):
        kind = _of_times(left.type, right.type, is_sum=isinstance(node, exp.Add))
        if kind is not None:
            return kind
    sign = SIGNS.get(type(node))
    word = f"operator {sign}" if sign else f"function {_FUNCTIONS[type(node)]}"
    raise InvalidQueryError(
        f"No matching signature for {word} for argument types: {left.sql}, {right.sql}"
    )


def _of_numbers(node: exp.Expr, left: Kind, right: Kind) -> Kind | None:
    nodes, kinds = [node.this, node.expression], [left, right]
    if isinstance(node, exp.IntDiv):
        return Kind("INTEGER")
    is_quotient = isinstance(node, (exp.Div, exp.SafeDivide))
    if isinstance(node, (exp.Mul, exp.SafeMultiply)) or is_quotient:
        target = supertype([operand(n, k) for n, k in zip(nodes, kinds, strict=True)])
        if target == Kind("NUMERIC") and is_quotient:
            raise refuse("division of NUMERIC", "cast to FLOAT64")
        if target == Kind("NUMERIC"):
            for one in nodes:
                _narrow(one)
            node.meta[NUMERIC_PRODUCT] = True
            return target
    target = unify(nodes, kinds, "operands")
    return Kind("FLOAT") if is_quotient else target


def _narrow(node: exp.Expr) -> None:
    """A literal factor of a NUMERIC with no more digits than it has, as DuckDB adds them up."""
    text = numeric_text(node)
    if text is None or "." not in node.sql():
        return
    value = Decimal(text).normalize()
    _, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    width = max(len(digits) + max(int(exponent), 0), scale, 1)
    made = cast(exp.Literal.string(f"{value:f}"), f"DECIMAL({width},{scale})")
    made.meta[PLAIN] = True
    node.replace(made)


def _of_times(left: str, right: str, *, is_sum: bool) -> Kind | None:
    """DATE plus days, a moment plus an INTERVAL, the time between two moments."""
    if is_sum and left not in _MOMENTS:
        left, right = right, left
    if left in _MOMENTS and right == "INTERVAL":
        return Kind("DATETIME" if left == "DATE" else left)
    if left == "DATE" and right in {"INTEGER", "NULL"}:
        return Kind("DATE")
    if not is_sum and left == right and left in {*_MOMENTS, "TIME"}:
        return Kind("INTERVAL")
    if left == right == "INTERVAL" or (left == "TIME" and right == "INTERVAL"):
        return Kind(left)
    return Kind(left) if "NULL" in (left, right) else None


def joined(node: exp.DPipe, given: Sequence[Kind | None]) -> Kind | None:
    """The type of `a || b`; raises `InvalidQueryError` unless both are STRING, BYTES or ARRAY."""
    left, right = given[:2]
    if left is None or right is None:
        return None
    what = "No matching signature for operator || for argument types"
    kind = unify([node.this, node.expression], [left, right], what)
    if kind is not None and kind != NULL and kind.type not in {"STRING", "BYTES", "ARRAY"}:
        raise InvalidQueryError(f"{what}: {left.sql}, {right.sql}")
    return kind
