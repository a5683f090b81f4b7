"""GoogleSQL's types, and which of them becomes which of itself.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules: a literal is coerced
where an expression of its type would not be, a parameter where only STRING may become a time.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from bqlite.types import SCALARS, Field


class Said(enum.Enum):
    """How a value is written, which decides what it may become."""

    EXPRESSION = enum.auto()
    LITERAL = enum.auto()
    PARAMETER = enum.auto()


@dataclass(frozen=True)
class Kind:
    """The type of an expression.

    Attributes:
        type: A key of `SCALARS`, or `RECORD`, `ARRAY`, `INTERVAL`, or `NULL` for a bare NULL.
        element: What an ARRAY holds; None for `[]`.
        members: The names and types of a RECORD, a type that is not known being None.
    """

    type: str
    element: "Kind | None" = None
    members: tuple[tuple[str, "Kind | None"], ...] = ()

    @property
    def sql(self) -> str:
        """The type as GoogleSQL writes it."""
        if self.type == "ARRAY":
            return f"ARRAY<{self.element.sql if self.element else ''}>"
        if self.type == "RECORD":
            members = (f"{name} {kind.sql if kind else '?'}".strip() for name, kind in self.members)
            return f"STRUCT<{', '.join(members)}>"
        return SCALARS[self.type].sql if self.type in SCALARS else self.type


@dataclass(frozen=True)
class Operand:
    """A value where types meet: its type, and how it is written."""

    kind: Kind
    said: Said = Said.EXPRESSION


NULL = Kind("NULL")
NUMBERS = ("INTEGER", "NUMERIC", "FLOAT")  # each becomes those after it
TIMES = frozenset({"DATE", "DATETIME", "TIME", "TIMESTAMP"})
_WIDER = {
    "INTEGER": ("NUMERIC", "FLOAT"),
    "NUMERIC": ("FLOAT",),
    "DATE": ("DATETIME",),
}
_CASTS = {
    "INTEGER": {"BOOLEAN", "NUMERIC", "FLOAT", "STRING"},
    "NUMERIC": {"INTEGER", "FLOAT", "STRING"},
    "FLOAT": {"INTEGER", "NUMERIC", "STRING"},
    "BOOLEAN": {"INTEGER", "STRING"},
    "BYTES": {"STRING"},
    "DATE": {"STRING", "DATETIME", "TIMESTAMP"},
    "DATETIME": {"STRING", "DATE", "TIME", "TIMESTAMP"},
    "TIME": {"STRING"},
    "TIMESTAMP": {"STRING", "DATE", "DATETIME", "TIME"},
    "STRING": {*SCALARS} - {"JSON"},
    "JSON": set(),
}
_FROM_SQLGLOT = {
    exp.DType.TEXT: "STRING",
    exp.DType.VARCHAR: "STRING",
    exp.DType.BINARY: "BYTES",
    exp.DType.VARBINARY: "BYTES",
    exp.DType.BIGINT: "INTEGER",
    exp.DType.INT: "INTEGER",
    exp.DType.SMALLINT: "INTEGER",
    exp.DType.TINYINT: "INTEGER",
    exp.DType.DOUBLE: "FLOAT",
    exp.DType.DECIMAL: "NUMERIC",
    exp.DType.BOOLEAN: "BOOLEAN",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP",
    exp.DType.TIMESTAMP: "DATETIME",
    exp.DType.DATETIME: "DATETIME",
    exp.DType.DATE: "DATE",
    exp.DType.TIME: "TIME",
    exp.DType.JSON: "JSON",
}


def kind_of_field(one: Field) -> Kind:
    """The type of a column."""
    if one.mode == "REPEATED":
        return Kind("ARRAY", kind_of_field(replace(one, mode="NULLABLE")))
    if one.type == "RECORD":
        return Kind("RECORD", members=tuple((m.name, kind_of_field(m)) for m in one.fields))
    return Kind(one.type)


def kind_of_type(node: exp.DataType) -> Kind | None:
    """The type a CAST names; None for one that is refused later."""
    if node.this == exp.DType.ARRAY:
        element = kind_of_type(node.expressions[0]) if node.expressions else None
        return Kind("ARRAY", element)
    if node.this == exp.DType.STRUCT:
        members = []
        for one in node.expressions:
            is_named = isinstance(one, exp.ColumnDef)
            members.append(
                (one.name if is_named else "", kind_of_type(one.args["kind"] if is_named else one))
            )
        return Kind("RECORD", members=tuple(members))
    word = _FROM_SQLGLOT.get(node.this)
    return Kind(word) if word is not None else None


def becomes(one: Operand, target: Kind) -> bool:
    """Whether GoogleSQL coerces the value to the type."""
    kind = one.kind
    if kind in (target, NULL):
        return True
    if kind.type == target.type and kind.type in {"RECORD", "ARRAY"}:
        return _nested_becomes(one, target)
    if target.type in _WIDER.get(kind.type, ()):
        return True
    if kind.type == "STRING" and target.type in TIMES:
        return one.said is not Said.EXPRESSION
    return one.said is Said.LITERAL and kind.type == "FLOAT" and target.type == "NUMERIC"


def _nested_becomes(one: Operand, target: Kind) -> bool:
    kind = one.kind
    if kind.type == "RECORD":
        pairs = zip(kind.members, target.members, strict=False)
        return len(kind.members) == len(target.members) and all(
            mine is None or theirs is None or becomes(Operand(mine, one.said), theirs)
            for (_, mine), (_, theirs) in pairs
        )
    if kind.element is None or target.element is None:
        return True
    is_written = one.said is not Said.EXPRESSION or kind.element.type == "RECORD"
    return is_written and becomes(Operand(kind.element, one.said), target.element)


def casts_to(kind: Kind, target: Kind) -> bool:
    """Whether GoogleSQL has a CAST from one scalar type to another; others are not known here."""
    return kind == target or target.type in _CASTS.get(kind.type, {target.type})


def supertype(operands: Sequence[Operand]) -> Kind | None:
    """The one type all become, or None if there is none."""
    typed = [one for one in operands if one.kind != NULL]
    if not typed:
        return NULL
    if any(one.kind.type in {"ARRAY", "RECORD"} for one in typed):
        return _nested_supertype(typed)
    if len({one.kind for one in typed}) == 1:
        return typed[0].kind
    for loose in ({Said.LITERAL}, {Said.LITERAL, Said.PARAMETER}):
        found = _scalar_supertype(typed, loose)
        if found is not None:
            return found
    return None


def _scalar_supertype(typed: Sequence[Operand], loose: set[Said]) -> Kind | None:
    """GoogleSQL's search: the narrowest type of the expressions that the literals become, too."""
    firm = [one for one in typed if one.said not in loose]
    if not firm:
        firm, loose = [Operand(one.kind) for one in typed], set()
    present = {one.kind.type for one in typed}
    for word in (firm[0].kind.type, *_WIDER.get(firm[0].kind.type, ())):
        if word in {"NUMERIC", "FLOAT"} and word not in present:
            continue
        target = Kind(word)
        if not all(becomes(Operand(one.kind), target) for one in firm):
            continue
        if all(becomes(one, target) for one in typed if one.said in loose):
            return target
    return None


def _nested_supertype(typed: Sequence[Operand]) -> Kind | None:
    kinds = {one.kind.type for one in typed}
    if len(kinds) > 1:
        return None
    if kinds == {"ARRAY"}:
        elements = [Operand(one.kind.element, one.said) for one in typed if one.kind.element]
        element = supertype(elements) if elements else None
        target = Kind("ARRAY", element)
        is_known = not elements or element is not None
        return target if is_known and all(becomes(one, target) for one in typed) else None
    if len({len(one.kind.members) for one in typed}) > 1:
        return None
    members = []
    for column in zip(*(one.kind.members for one in typed), strict=True):
        known = [
            Operand(kind, one.said)
            for (_, kind), one in zip(column, typed, strict=True)
            if kind is not None
        ]
        kind = supertype(known) if len(known) == len(typed) else None
        if kind is None and len(known) == len(typed):
            return None
        members.append((next((name for name, _ in column if name), ""), kind))
    return Kind("RECORD", members=tuple(members))
