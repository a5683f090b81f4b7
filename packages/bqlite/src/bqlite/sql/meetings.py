"""Each construct where values meet, or must be BOOL: how it finds its type and coerces them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.sql.arithmetic import ARITHMETIC, SIGNS, computed, joined
from bqlite.sql.coercion import coerce, unify, value_of
from bqlite.sql.kinds import Kind, Operand, casts_to, kind_of_type, supertype
from bqlite.sql.nodes import refuse
from bqlite.sql.scopes import Scope


class Inference(Protocol):
    """What the rules ask of `infer.Inference`."""

    def kind(self, node: exp.Expr, scope: Scope) -> Kind | None:
        """The type of an expression; None if it is not known."""

    def children(
        self, node: exp.Expr, scope: Scope, known: Sequence[Kind | None] = ()
    ) -> list[Kind | None]:
        """The types of what a node holds."""


def demand_bool(kind: Kind | None, what: str) -> None:
    """Raises `InvalidQueryError` unless the type is BOOL or not known."""
    if kind is not None and kind.type not in {"BOOLEAN", "NULL"}:
        raise InvalidQueryError(f"{what} should return type BOOL, but returns type {kind.sql}")


def refuse_using(name: str, left: Kind, right: Kind) -> None:
    """Refuses the columns of a USING that are not of one type.

    Raises:
        InvalidQueryError: They cannot be compared.
        UnsupportedSqlError: They can, and the column that BigQuery makes of both has their type.
    """
    if supertype([Operand(left), Operand(right)]) is None:
        raise InvalidQueryError(
            f"Column {name} in USING has incompatible types on either side of the join: "
            f"{left.sql}, {right.sql}"
        )
    raise refuse(f"USING of {name}, {left.sql} and {right.sql},", "CAST one of them, or join by ON")


def _compared(node: exp.Expr, given: Sequence[Kind | None]) -> Kind:
    sign = SIGNS[type(node)]
    what = f"No matching signature for operator {sign} for argument types"
    kind = unify([node.this, node.expression], given, what)
    is_distinct = isinstance(node, (exp.NullSafeEQ, exp.NullSafeNEQ))
    if kind is not None and kind.type in {"JSON", "ARRAY"} and not is_distinct:
        raise InvalidQueryError(f"Operator {sign} is not defined for arguments of type {kind.sql}")
    return Kind("BOOLEAN")


def _connected(node: exp.Expr, given: Sequence[Kind | None]) -> Kind:
    for kind in given:
        demand_bool(kind, f"an operand of {type(node).__name__.upper()}")
    return Kind("BOOLEAN")


Rule = Callable[[Inference, Any, Scope], Kind | None]


def _literal(_: Inference, node: exp.Literal, __: Scope) -> Kind:
    if node.is_string:
        return Kind("STRING")
    return Kind("INTEGER" if str(node.this).isdigit() else "FLOAT")


def _cast(self: Inference, node: exp.Cast, scope: Scope) -> Kind | None:
    target = kind_of_type(node.to)
    kind = self.kind(node.this, scope)
    if target is not None and isinstance(node.this, (exp.Array, exp.Struct, exp.Tuple)):
        coerce(node.this, kind, target)  # a typed literal: its values are never of another type
    elif kind is not None and target is not None and not casts_to(kind, target):
        raise InvalidQueryError(f"Invalid cast from {kind.sql} to {target.sql}")
    return target


def _if(self: Inference, node: exp.If, scope: Scope) -> Kind | None:
    demand_bool(self.kind(node.this, scope), "the condition of IF")
    branches = ("true", "false") if node.args.get("false") is not None else ("true",)
    kinds = [self.kind(node.args[key], scope) for key in branches]
    return _met("function IF", [node.args[key] for key in branches], kinds)


def _case(self: Inference, node: exp.Case, scope: Scope) -> Kind | None:
    ifs = node.args["ifs"]
    if node.this is not None:
        compared = [self.kind(one, scope) for one in (node.this, *(i.this for i in ifs))]
        _met("operator CASE", [node.this, *(one.this for one in ifs)], compared)
    else:
        for one in ifs:
            demand_bool(self.kind(one.this, scope), "the condition of CASE")
    kinds = [self.kind(one.args["true"], scope) for one in ifs]
    nodes = [one.args["true"] for one in ifs]
    if node.args.get("default") is not None:
        kinds.append(self.kind(node.args["default"], scope))
        nodes.append(node.args["default"])
    return _met("operator CASE", nodes, kinds)


def _common(word: str) -> Rule:
    """A function whose arguments all have one type, which it gives."""

    def rule(self: Inference, node: Any, scope: Scope) -> Kind | None:
        kinds = self.children(node, scope)
        single = node.args.get("expression")
        nodes = [node.this, *([single] if isinstance(single, exp.Expr) else node.expressions)]
        return _met(word, nodes, kinds)

    return rule


def _met(word: str, nodes: Sequence[exp.Expr], kinds: Sequence[Kind | None]) -> Kind | None:
    return unify(nodes, kinds, f"No matching signature for {word} for argument types")


def _between(self: Inference, node: exp.Between, scope: Scope) -> Kind:
    keys = ("this", "low", "high")
    kinds = [self.kind(node.args[key], scope) for key in keys]
    _met("operator BETWEEN", [node.args[key] for key in keys], kinds)
    return Kind("BOOLEAN")


def _in(self: Inference, node: exp.In, scope: Scope) -> Kind:
    kinds = [self.kind(node.this, scope)]
    unnest, query = node.args.get("unnest"), node.args.get("query")
    if unnest is not None:
        array = self.kind(unnest.expressions[0], scope)
        kinds.append(array.element if array is not None and array.type == "ARRAY" else None)
        inner = unnest.expressions[0]
        if isinstance(inner, exp.Array) and inner.expressions:
            kinds = [kinds[0], *[kinds[1]] * len(inner.expressions)]
            _met("operator IN UNNEST", [node.this, *inner.expressions], kinds)
        else:
            _met("operator IN UNNEST", [node.this, exp.Placeholder()], kinds)
    elif query is not None:
        kinds.append(self.kind(query, scope))
        _met("operator IN", [node.this, exp.Placeholder()], kinds)
    else:
        kinds += [self.kind(one, scope) for one in node.expressions]
        _met("operator IN", [node.this, *node.expressions], kinds)
    return Kind("BOOLEAN")


def _array(self: Inference, node: exp.Array, scope: Scope) -> Kind | None:
    kinds = [self.kind(one, scope) for one in node.expressions]
    if not kinds:
        return Kind("ARRAY")
    if isinstance(node.expressions[0], (exp.Query, exp.Subquery)):
        return Kind("ARRAY", kinds[0]) if kinds[0] is not None else None
    words = "Array elements do not have a common supertype, found the types"
    element = unify(node.expressions, kinds, words)
    return Kind("ARRAY", element) if element is not None else None


def _struct(self: Inference, node: exp.Expr, scope: Scope) -> Kind:
    members = []
    for one in list(node.expressions):
        named = isinstance(one, (exp.PropertyEQ, exp.Alias, exp.Column, exp.Dot))
        name = one.this.name if isinstance(one, exp.PropertyEQ) else one.alias_or_name
        members.append((name if named else "", self.kind(value_of(one), scope)))
    return Kind("RECORD", members=tuple(members))


def _member(self: Inference, node: exp.Dot, scope: Scope) -> Kind | None:
    whole = self.kind(node.this, scope)
    if whole is None or whole.type != "RECORD":
        return None
    members = {name.lower(): kind for name, kind in whole.members}
    return members.get(node.expression.name.lower())


def _shifted(self: Inference, node: Any, scope: Scope) -> Kind | None:
    """LAG and LEAD: what stands in for a row that is not there is of the value's type."""
    self.children(node, scope)
    kind = self.kind(node.this, scope)
    default = node.args.get("default")
    if default is None:
        return kind
    return _met(f"function {type(node).__name__.upper()}", [node.this, default],
                [kind, self.kind(default, scope)])  # fmt: skip


RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Literal: _literal,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.If: _if,
    exp.Case: _case,
    exp.Coalesce: _common("function COALESCE"),
    exp.Nullif: _common("function NULLIF"),
    exp.Greatest: _common("function GREATEST"),
    exp.Least: _common("function LEAST"),
    exp.ArrayConcat: _common("function ARRAY_CONCAT"),
    exp.Between: _between,
    exp.In: _in,
    exp.Array: _array,
    exp.Struct: _struct,
    exp.Tuple: _struct,
    exp.Dot: _member,
    exp.Lag: _shifted,
    exp.Lead: _shifted,
}

# Operators, which are given the types of their operands.
MEETINGS: Sequence[tuple[tuple[type[exp.Expr], ...], Callable[[Any, Any], Kind | None]]] = (
    (
        (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
        _compared,
    ),
    (ARITHMETIC, computed),
    ((exp.DPipe,), joined),
    ((exp.And, exp.Or, exp.Not), _connected),
)
