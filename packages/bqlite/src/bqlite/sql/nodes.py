"""Small words for writing DuckDB nodes, and the error that names a refused one."""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.errors import UnsupportedSqlError


def call(name: str, *args: exp.Expr | str | int) -> exp.Anonymous:
    """A DuckDB function call, written as given."""
    return exp.Anonymous(
        this=name,
        expressions=[a if isinstance(a, exp.Expr) else literal(a) for a in args],
    )


def cast(value: exp.Expr, kind: str) -> exp.Cast:
    """A plain DuckDB cast."""
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="duckdb"))


def refuse(what: str, hint: str = "") -> UnsupportedSqlError:
    """The error that names a refused construct."""
    return UnsupportedSqlError(f"{what} is not supported by bqlite{': ' + hint if hint else ''}")


def name_of(node: exp.Expr) -> str:
    """What a user would call the node, for the message that refuses it."""
    if isinstance(node, exp.TableSample):
        return "TABLESAMPLE"
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.upper()}"
    if isinstance(node, exp.Func):
        return f"the function {node.sql_name()}"
    return f"the construct {re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', type(node).__name__).upper()}"


def literal(value: str | int) -> exp.Expr:
    """A string or a number as DuckDB writes it."""
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def plain(name: str, *names: str) -> Callable[[Any], exp.Expr]:
    """A function of the arguments in `names` and no other."""

    def rule(node: Any) -> exp.Expr:
        given = {key for key, value in node.args.items() if isinstance(value, exp.Expr)}
        extra = given - set(names)
        if extra:
            raise refuse(f"{name_of(node)} with {min(extra).upper()}")
        return call(name, *[node.args[key] for key in names if node.args.get(key) is not None])

    return rule
