"""Window functions: what BigQuery demands of a window, and DuckDB does not."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.sql.nodes import name_of, refuse

_ORDERED = (
    exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead,
    exp.FirstValue, exp.LastValue, exp.NthValue,
)  # fmt: skip
_UNFRAMED = (
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag,
    exp.Lead,
)  # fmt: skip
_PERCENTILES = (exp.PercentileCont, exp.PercentileDisc)


def _window(node: exp.Window) -> exp.Expr:
    function = node.this.this if isinstance(node.this, exp.IgnoreNulls) else node.this
    order, frame = _part(node, "order"), _part(node, "spec")
    if order is None and isinstance(function, _ORDERED):
        raise InvalidQueryError(f"Window ORDER BY is required for {name_of(function)}")
    if order is not None and isinstance(function, _PERCENTILES):
        raise refuse(f"{name_of(function)} in a window with ORDER BY")
    if (order is not None or frame is not None) and _is_distinct(function):
        raise refuse("DISTINCT in a window with ORDER BY or a frame")
    if frame is not None and isinstance(function, _UNFRAMED):
        raise InvalidQueryError(f"a window frame is not allowed for {name_of(function)}")
    if function.name == "bq_corr":
        raise refuse("CORR in a window")
    return node


def _part(node: exp.Window, key: str) -> exp.Expr | None:
    """The window's ORDER BY or frame, or that of the named window it builds on."""
    found: exp.Expr | None = node.args.get(key)
    name = node.args.get("alias")
    select = node.find_ancestor(exp.Select)
    if found is not None or name is None or select is None:
        return found
    for one in select.args.get("windows") or ():
        if one is not node and one.name.lower() == name.name.lower():
            return _part(one, key)
    return None


def _is_distinct(function: exp.Expr) -> bool:
    arguments = [function.this, *function.expressions]
    return any(isinstance(one, exp.Distinct) for one in arguments)


def _percentile(node: exp.Expr) -> exp.Expr:
    parent = node.parent.parent if isinstance(node.parent, exp.IgnoreNulls) else node.parent
    if not isinstance(parent, exp.Window):
        raise refuse(f"{name_of(node)} without OVER")
    return node


def _frame(node: exp.WindowSpec) -> exp.Expr:
    if node.args.get("kind") not in {"ROWS", "RANGE"} or node.args.get("exclude"):
        raise refuse("a window frame of GROUPS or with EXCLUDE")
    for bound in (node.args.get("start"), node.args.get("end")):
        if isinstance(bound, exp.Anonymous) and bound.name.startswith("to_"):
            raise refuse("a window frame of an INTERVAL", "order by UNIX_SECONDS or UNIX_DATE")
    return node


WINDOW_RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Window: _window,
    exp.WindowSpec: _frame,
    exp.PercentileCont: _percentile,
    exp.PercentileDisc: _percentile,
}
