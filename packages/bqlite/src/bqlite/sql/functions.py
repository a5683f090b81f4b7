"""How each expression of BigQuery's SQL is written for DuckDB.

`FAITHFUL` are the nodes DuckDB treats as BigQuery does, `RULES` those that need other words. What
is in neither is refused by name, so a construct with another meaning cannot slip through.
"""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.errors import UnsupportedSqlError
from bqlite.sql.arrays import ARRAY_RULES
from bqlite.sql.casts import CAST_RULES
from bqlite.sql.coercion import PLAIN
from bqlite.sql.growth import Growth
from bqlite.sql.json_functions import JSON_RULES
from bqlite.sql.macros import RAISING
from bqlite.sql.nodes import call, name_of, plain, refuse
from bqlite.sql.numbers import NUMBER_RULES
from bqlite.sql.strings import STRING_RULES
from bqlite.sql.times import TIME_RULES
from bqlite.sql.windows import WINDOW_RULES

FAITHFUL: frozenset[type[exp.Expr]] = frozenset(
    getattr(exp, name)
    for name in """
    Select From Join Where Group Having Order Ordered Limit Offset Qualify With
    CTE Subquery Union Table TableAlias Identifier Column Star Alias Paren
    Literal Boolean Null Neg And Or Not EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Between Case
    If Coalesce Nullif Add DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift
    DataType DataTypeParam Var Exists Tuple PropertyEQ Dot Distinct
    Count Sum Min Max Avg AnyValue LogicalAnd LogicalOr Stddev StddevPop StddevSamp Variance
    VariancePop CovarPop CovarSamp BitwiseAndAgg BitwiseOrAgg BitwiseXorAgg
    RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead FirstValue LastValue NthValue
    Lower Upper Reverse StartsWith EndsWith Length
    Concat Greatest Least Abs Sqrt Exp Ln Log Ceil Floor Sin Cos Tan Asin Acos Atan Atan2 IsNan
    IsInf ArraySize ArrayReverse Uuid RawString HexString ByteString
    JSONPath JSONPathRoot JSONPathKey JSONPathSubscript WeekStart Rollup Cube GroupingSets Grouping
    Values Insert Update Delete Merge When Whens Schema
    """.split()  # noqa: SIM905  # a hundred names read better as words than as a list
)


# Function names sqlglot does not know, each with its arity and DuckDB's words for it.
NAMED: dict[str, tuple[int, str]] = {"IEEE_DIVIDE": (2, "bq_ieee_divide"), "ERROR": (1, "error")}


def rewrite(root: exp.Expr) -> exp.Expr:
    """Rewrites a whole statement, children first; returns the new root.

    Raises:
        UnsupportedSqlError: A node is neither faithful nor has a rule.
    """
    growth = Growth()
    for node in reversed(list(root.walk(bfs=True))):
        rule = RULES.get(type(node))
        if rule is None and type(node) not in FAITHFUL:
            raise refuse(name_of(node))
        replacement = growth.hold(node if rule is None else rule(node))
        if replacement is node:
            continue
        if node is root:
            root = replacement
        else:
            node.replace(replacement)
    return root


def _struct(node: exp.Struct) -> exp.Expr:
    """Compared, stored, or in an array after its first, a STRUCT's fields count by position."""
    parent = node.parent
    follows = isinstance(parent, exp.Array) and parent.expressions[0] is not node
    is_stored = isinstance(parent, exp.Tuple) and isinstance(
        parent.parent, (exp.Values, exp.Insert)
    )
    if not follows and not is_stored and not isinstance(parent, (exp.Predicate, exp.In)):
        return node
    values = [one.expression if isinstance(one, exp.PropertyEQ) else one.unalias() for one in node]
    return call("row", *values)


def _count_if(node: exp.CountIf) -> exp.Expr:
    """0 where there is nothing to count, where DuckDB's may be NULL."""
    if isinstance(node.this, exp.Distinct):
        raise refuse("COUNTIF of DISTINCT values")
    return exp.Count(this=call("nullif", node.this, exp.false()))


def _set_operation(node: exp.SetOperation) -> exp.Expr:
    if not node.args.get("distinct"):
        raise refuse(f"{type(node).__name__.upper()} ALL")
    return node


def _named(node: exp.Anonymous) -> exp.Expr:
    name = node.name.upper()
    if node.meta.get(PLAIN):
        return node
    if name not in NAMED:
        raise refuse(f"the function {name}")
    arity, words = NAMED[name]
    if len(node.expressions) != arity:
        raise UnsupportedSqlError(f"{name} takes {arity} arguments, found {len(node.expressions)}")
    return call(words, *node.expressions)


def _try(node: exp.Expr) -> exp.Expr:
    # DuckDB's TRY takes no function of ours that raises an error itself.
    if any(one.name in RAISING for one in node.find_all(exp.Anonymous)):
        raise refuse("SAFE. of this function")
    return call("try", node.this)


def _select(node: exp.Select) -> exp.Expr:
    kind = node.args.get("kind")
    if kind not in {None, "STRUCT"}:
        raise refuse(f"SELECT AS {kind}")
    if node.args.get("laterals") or node.args.get("hint"):
        raise refuse("LATERAL or a hint")
    if kind == "STRUCT" and not _is_value(node):
        node.set("kind", None)  # a value table's columns are the struct's members
    return node


def _is_value(node: exp.Select) -> bool:
    """Whether a SELECT is a value, as in ARRAY(SELECT ...), rather than a table."""
    parent = node.parent
    if isinstance(parent, exp.Subquery):
        return not isinstance(parent.parent, (exp.From, exp.Join))
    return isinstance(parent, exp.Array)


def _join(node: exp.Join) -> exp.Expr:
    if node.args.get("method"):
        raise refuse(f"a {node.args['method']} JOIN")
    return node


def _distinct(node: exp.Distinct) -> exp.Expr:
    if len(node.expressions) > 1 or node.args.get("on"):
        raise refuse("DISTINCT of several values")
    return node


def _table(node: exp.Table) -> exp.Expr:
    for key in ("sample", "version", "pivots", "hints", "when", "only", "partition"):
        if node.args.get(key):
            words = {"sample": "TABLESAMPLE", "version": "FOR SYSTEM_TIME", "pivots": "PIVOT"}
            raise refuse(words.get(key, key.upper()))
    return node


RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    **CAST_RULES,
    **NUMBER_RULES,
    **STRING_RULES,
    **JSON_RULES,
    **TIME_RULES,
    **ARRAY_RULES,
    **WINDOW_RULES,
    exp.Struct: _struct,
    exp.CountIf: _count_if,
    exp.Except: _set_operation,
    exp.Intersect: _set_operation,
    exp.ArgMax: plain("arg_max_null", "this", "expression"),
    exp.ArgMin: plain("arg_min_null", "this", "expression"),
    exp.Select: _select,
    exp.Table: _table,
    exp.Join: _join,
    exp.Distinct: _distinct,
    exp.SafeFunc: _try,
    exp.Anonymous: _named,
}
