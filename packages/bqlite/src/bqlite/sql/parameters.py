"""Query parameters, written into the statement as typed values."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from bqlite.errors import InvalidQueryError, UnsupportedSqlError
from bqlite.sql.coercion import PARAMETER
from bqlite.types import ALIASES, SCALARS


def bind(root: exp.Expr, parameters: Sequence[Mapping[str, Any]], mode: str) -> exp.Expr:
    """Replaces `@name` and `?` by the values given.

    Args:
        root: A BigQuery statement.
        parameters: REST `QueryParameter` resources.
        mode: `NAMED` or `POSITIONAL`.

    Raises:
        InvalidQueryError: A parameter without a value, or a value that is not of its type.
    """
    named = {str(p.get("name", "")).lower(): p for p in parameters}
    positional = iter(parameters if mode == "POSITIONAL" else ())
    for node in list(root.find_all(exp.Parameter, exp.Placeholder, bfs=False)):
        if isinstance(node, exp.Placeholder):
            parameter = next(positional, None)
            what = "a positional parameter"
        else:
            if isinstance(node.this, exp.Parameter):
                raise UnsupportedSqlError(
                    f"the system variable @@{node.this.name} is refused by bqlite"
                )
            if isinstance(node.parent, exp.Parameter):
                continue
            parameter, what = named.get(node.name.lower()), f"the parameter @{node.name}"
        if parameter is None:
            raise InvalidQueryError(f"the query uses {what}, and no value was given for it")
        value = _value(
            parameter.get("parameterType", {}), parameter.get("parameterValue", {}), what
        )
        node.replace(value)
    return root


def _value(kind: Mapping[str, Any], value: Mapping[str, Any], what: str) -> exp.Expr:
    name = str(kind.get("type", "")).upper()
    if name == "ARRAY":
        element = kind.get("arrayType", {})
        items = [_value(element, item, what) for item in value.get("arrayValues") or ()]
        return exp.cast(exp.Array(expressions=items), _type(kind, what), dialect="bigquery")
    if name == "STRUCT":
        values = value.get("structValues") or {}
        members: list[exp.Expr] = []
        for member in kind.get("structTypes", ()):
            inner = _value(member["type"], values.get(member.get("name"), {}), what)
            key = exp.to_identifier(member.get("name") or f"_{len(members)}", quoted=True)
            members.append(exp.PropertyEQ(this=key, expression=inner))
        return exp.Struct(expressions=members)
    return _scalar(name, value.get("value"), what)


def _type(kind: Mapping[str, Any], what: str) -> str:
    name = str(kind.get("type", "")).upper()
    if name == "ARRAY":
        return f"ARRAY<{_type(kind.get('arrayType', {}), what)}>"
    if name == "STRUCT":
        members = [f"`{m.get('name')}` {_type(m['type'], what)}" for m in kind["structTypes"]]
        return f"STRUCT<{', '.join(members)}>"
    scalar = SCALARS.get(ALIASES.get(name, name))
    if scalar is None:
        raise UnsupportedSqlError(f"{what} has the type {name}, which bqlite does not support")
    return scalar.sql


def _scalar(name: str, value: Any, what: str) -> exp.Expr:
    kind = _type({"type": name}, what)
    if value is None:
        return exp.cast(exp.Null(), kind, dialect="bigquery")
    text = str(value)
    write = _WRITERS.get(kind)
    try:
        if write is not None:
            return write(text)
    except (ValueError, KeyError) as error:
        raise InvalidQueryError(f"{what}: '{text}' is not a {kind}") from error
    made = exp.cast(exp.Literal.string(text), kind, dialect="bigquery")
    made.meta[PARAMETER] = True
    return made


_WRITERS: Mapping[str, Callable[[str], exp.Expr]] = {
    "INT64": lambda text: exp.cast(exp.Literal.string(str(int(text))), "INT64", dialect="bigquery"),
    "FLOAT64": lambda text: exp.cast(
        exp.Literal.string(repr(float(text))), "FLOAT64", dialect="bigquery"
    ),
    "BOOL": lambda text: exp.Boolean(this={"true": True, "false": False}[text.lower()]),
    "BYTES": lambda text: exp.Unhex(
        this=exp.Literal.string(base64.b64decode(text, validate=True).hex())
    ),
    "JSON": lambda text: exp.ParseJSON(this=exp.Literal.string(text)),
}
