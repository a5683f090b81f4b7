"""Keeps a statement small: DuckDB writes a macro's argument out wherever the macro uses it.

A macro that uses its argument three times makes 3^20 terms of twenty calls one in the other. What
is large is therefore given a name first, in a lambda over a list of one, and used by that.
"""

import re
from dataclasses import dataclass

from sqlglot import exp

from bqlite.errors import InvalidQueryError, UnsupportedSqlError
from bqlite.sql.macros import MACROS

MAX_LENGTH = 1_024_000  # characters of a statement, as in BigQuery
MAX_TERMS = 200_000
MAX_DEPTH = 500
MAX_TABLES = 1_000  # that a statement reads, its views written out, as in BigQuery
_LARGE = 1_000  # terms above which an argument is used by a name
_SMALL = 8


def check_length(sql: str) -> None:
    """Raises `InvalidQueryError` for a statement longer than BigQuery takes."""
    if len(sql) > MAX_LENGTH:
        raise InvalidQueryError(
            f"the query has {len(sql):,} characters, and BigQuery takes at most {MAX_LENGTH:,}"
        )


def check_depth(root: exp.Expr) -> None:
    """Raises `UnsupportedSqlError` for a statement that nests deeper than `MAX_DEPTH`."""
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise UnsupportedSqlError(
                f"the query nests too deeply for bqlite: more than {MAX_DEPTH} operators or "
                "functions one in the other; join terms by IN, by an array or in a subquery"
            )
        # A UNION of many queries is not deep for DuckDB, nor is a chain of ORs, or of ANDs.
        is_chained = isinstance(node, exp.Connector) and type(node.parent) is type(node)
        below = depth + (not isinstance(node, exp.SetOperation) and not is_chained)
        waiting += [(child, below) for child in node.iter_expressions()]


def too_many_terms() -> UnsupportedSqlError:
    """The error of a statement that grows beyond `MAX_TERMS`."""
    return UnsupportedSqlError(
        f"the statement is too large for bqlite: written out, with its views, it has more than "
        f"{MAX_TERMS:,} terms"
    )


@dataclass
class Size:
    """How large a statement has become while its views were written out."""

    tables: int = 0
    terms: int = 0

    def add(self, query: exp.Expr) -> None:
        """Counts a view's query; raises `UnsupportedSqlError` if the statement grew too large."""
        for node in query.walk():
            self.terms += 1
            self.tables += isinstance(node, exp.Table)
        if self.tables > MAX_TABLES:
            raise UnsupportedSqlError(
                f"the statement reads more than {MAX_TABLES:,} tables with its views written out, "
                "which is refused by bqlite"
            )
        if self.terms > MAX_TERMS:
            raise too_many_terms()


class Growth:
    """Weighs what is written for DuckDB, and holds it small; one for each statement."""

    def __init__(self) -> None:
        self._weights: dict[int, tuple[exp.Expr, int]] = {}

    def hold(self, node: exp.Expr) -> exp.Expr:
        """The expression, or one of the same value that DuckDB does not blow up.

        Raises:
            UnsupportedSqlError: The statement is too large all the same.
        """
        uses = _uses(node)
        if uses is not None and self._weigh(node) > _LARGE:
            node = self._named(node)
        if self._weigh(node) > MAX_TERMS:
            raise too_many_terms()
        return node

    def _weigh(self, node: exp.Expr) -> int:
        known = self._weights.get(id(node))
        if known is not None and known[0] is node:
            return known[1]
        uses = _uses(node)
        children = list(node.iter_expressions())
        weight = 1
        for index, child in enumerate(children):
            times = uses[index] if uses is not None and index < len(uses) else 1
            weight += times * self._weigh(child)
        self._weights[id(node)] = node, min(weight, 1 << 60)
        return weight

    def _named(self, node: exp.Expr) -> exp.Expr:
        """`f(a, b)` as `list_transform([{a, b}], lambda v: f(v.a, v.b))[1]`."""
        members = []
        for index, child in enumerate(list(node.iter_expressions())):
            is_fixed = isinstance(child, exp.Literal) or self._weigh(child) <= _SMALL
            if is_fixed and not child.find(exp.Query, exp.AggFunc, exp.Window, exp.Column):
                continue
            name = exp.to_identifier(f"a{index}", quoted=True)
            child.replace(exp.Dot(this=exp.to_identifier("v"), expression=name.copy()))
            members.append(exp.PropertyEQ(this=name, expression=child))
        if not members:
            return node
        one = exp.Array(expressions=[exp.Struct(expressions=members)])
        each = exp.Lambda(this=node.copy(), expressions=[exp.to_identifier("v")])
        mapped = exp.Anonymous(this="list_transform", expressions=[one, each])
        return exp.Anonymous(this="list_extract", expressions=[mapped, exp.Literal.number(1)])


def _uses(node: exp.Expr) -> tuple[int, ...] | None:
    """How often each argument is written, for what writes one more than once."""
    if isinstance(node, exp.Anonymous):
        return _USES.get(node.name.lower())
    if isinstance(node, (exp.Greatest, exp.Least)):  # sqlglot asks each for NULL first
        return (2,) * (1 + len(node.expressions))
    return None


def _count_uses(macro: str) -> tuple[str, tuple[int, ...]]:
    head, _, rest = macro.partition("(")
    parameters, _, body = rest.partition(")")
    names = [one.split()[0] for one in parameters.split(",")]
    inner = 3 if "bq_" in body else 1  # what it gives to another macro is written there again
    return head.split()[-1].strip(), tuple(
        inner * len(re.findall(rf"\b{name}\b", body)) for name in names
    )


_USES = dict(_count_uses(one) for one in MACROS)
