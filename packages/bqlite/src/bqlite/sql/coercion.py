"""Where types meet: each value is coerced as GoogleSQL says before DuckDB can choose a type itself.

DuckDB makes NUMERIC and 1.5 a DOUBLE and loses digits, and a STRING of a number. Here a
literal becomes what stands beside it, from its own digits, and what has no common type is refused.
What has a type that is not known (None) is left as it is.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from bqlite.cells import MAX_NUMERIC, NANO, WIDE
from bqlite.errors import InvalidQueryError
from bqlite.sql.kinds import NULL, TIMES, Kind, Operand, Said, becomes, supertype
from bqlite.sql.nodes import call, cast, refuse
from bqlite.types import ACCEPTED, SCALARS, Field

PLAIN = "bqlite_plain"  # marks a CAST that is DuckDB's own already
PARAMETER = "bqlite_parameter"  # marks what stands for a query parameter


def bare(node: exp.Expr) -> exp.Expr:
    """The expression without its parentheses."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def operand(node: exp.Expr, kind: Kind) -> Operand:
    """The value as it decides what it may become."""
    inner = bare(node)
    if inner.meta.get(PARAMETER):
        return Operand(kind, Said.PARAMETER)
    if isinstance(inner, exp.Neg):
        inner = bare(inner.this)
        is_literal = isinstance(inner, exp.Literal) and not inner.is_string
    elif isinstance(inner, (exp.Array, exp.Struct, exp.Tuple)):
        is_literal = bool(inner.expressions) and all(
            operand(value_of(one), kind).said is Said.LITERAL for one in inner.expressions
        )
    else:
        is_literal = isinstance(inner, (exp.Literal, exp.RawString, exp.Null))
    if is_literal and kind.type == "FLOAT" and numeric_text(node) is None:
        is_literal = False  # too large for NUMERIC, so it does not become one
    return Operand(kind, Said.LITERAL if is_literal else Said.EXPRESSION)


def value_of(member: exp.Expr) -> exp.Expr:
    """The value of a STRUCT's member, without its name."""
    return member.expression if isinstance(member, exp.PropertyEQ) else member.unalias()


def numeric_text(node: exp.Expr) -> str | None:
    """A number's literal as a NUMERIC, rounded as GoogleSQL does; None if it is too large."""
    inner, sign = bare(node), ""
    if isinstance(inner, exp.Neg):
        inner, sign = bare(inner.this), "-"
    if not isinstance(inner, exp.Literal) or inner.is_string:
        return None
    try:
        value = Decimal(sign + inner.name)
        if not value.copy_abs() < MAX_NUMERIC:
            return None
        return f"{value.quantize(NANO, context=WIDE):f}"
    except InvalidOperation:
        return None


def coerce(node: exp.Expr, kind: Kind | None, target: Kind | None) -> None:
    """Replaces a value by the same as `target`, if it is not that already; `kind` becomes it."""
    if kind is None or target is None or kind in (target, NULL) or target == NULL:
        return
    inner = bare(node)
    if target.type == "ARRAY" and isinstance(inner, exp.Array):
        for one in inner.expressions:
            coerce(one, kind.element, target.element)
    elif target.type == "RECORD" and isinstance(inner, (exp.Struct, exp.Tuple)):
        _coerce_members(inner, kind, target)
    elif target.type in {"ARRAY", "RECORD"}:
        _check_names(node, kind, target)
    else:
        _coerce_scalar(node, kind, target)


def _coerce_scalar(node: exp.Expr, kind: Kind, target: Kind) -> None:
    inner = bare(node)
    if target.type in TIMES and kind.type == "STRING":
        literal = exp.Literal.string(inner.name) if isinstance(inner, exp.RawString) else inner
        node.replace(exp.cast(literal.copy(), SCALARS[target.type].sql, dialect="bigquery"))
    elif target.type == "FLOAT" and (whole := _whole(inner)) is not None:
        whole.set("this", f"{whole.name}.0")  # a literal still
    elif target.type in SCALARS:
        text = numeric_text(node) if (kind.type, target.type) == ("FLOAT", "NUMERIC") else None
        made = plain_cast(exp.Literal.string(text or ""), target)
        node.replace(made)
        if text is None:
            made.set("this", node)


def _coerce_members(struct: exp.Struct | exp.Tuple, kind: Kind, target: Kind) -> None:
    """Coerces by position, as GoogleSQL does; where DuckDB goes by names, gives the target's."""
    for member, (_, mine), (_, theirs) in zip(
        list(struct.expressions), kind.members, target.members, strict=False
    ):
        coerce(value_of(member), mine, theirs)
    named = [
        exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=value_of(member))
        for member, (name, _) in zip(struct.expressions, target.members, strict=False)
        if name
    ]
    is_whole = len(named) == len(target.members) == len(struct.expressions)
    if is_whole and isinstance(struct, exp.Struct):
        struct.set("expressions", named)


def _check_names(node: exp.Expr, kind: Kind, target: Kind) -> None:
    """Refuses what DuckDB would match by the names of its fields, unless they are the same."""
    if isinstance(node, exp.Placeholder) or _names(kind) == _names(target):
        return
    raise refuse(f"{kind.sql} where {target.sql} is meant", "give the fields the same names")


def _names(kind: Kind | None) -> object:
    if kind is None or kind.type not in {"ARRAY", "RECORD"}:
        return None
    if kind.type == "ARRAY":
        return _names(kind.element)
    return [(name.lower(), _names(member)) for name, member in kind.members]


def _whole(node: exp.Expr) -> exp.Literal | None:
    """The literal of a whole number, without its sign."""
    inner = bare(node.this) if isinstance(node, exp.Neg) else node
    is_whole = isinstance(inner, exp.Literal) and not inner.is_string and inner.name.isdigit()
    return inner if is_whole and isinstance(inner, exp.Literal) else None


def plain_cast(value: exp.Expr, target: Kind) -> exp.Cast:
    """A CAST that DuckDB takes as it stands."""
    made = cast(value, SCALARS[target.type].duckdb)
    made.meta[PLAIN] = True
    return made


def unify(nodes: Sequence[exp.Expr], kinds: Sequence[Kind | None], what: str) -> Kind | None:
    """Coerces values to their one type, and gives it; None if a type is not known.

    Raises:
        InvalidQueryError: There is none; `what` says where.
    """
    if any(kind is None for kind in kinds):
        return None
    known = [kind for kind in kinds if kind is not None]
    target = supertype([operand(node, kind) for node, kind in zip(nodes, known, strict=True)])
    if target is None:
        listed = ", ".join("NULL" if kind == NULL else kind.sql for kind in known)
        raise InvalidQueryError(f"{what}: {listed}")
    for node, kind in zip(nodes, known, strict=True):
        coerce(node, kind, target)
    return target


def assign(node: exp.Expr, kind: Kind | None, target: Kind, column: str) -> None:
    """Coerces a value to the column it is stored in.

    Raises:
        InvalidQueryError: GoogleSQL does not coerce it.
    """
    if kind is None:
        return
    if not _fits(node, kind, target):
        raise InvalidQueryError(
            f"Value has type {kind.sql} which cannot be inserted into column {column}, which has "
            f"type {target.sql}"
        )
    coerce(node, kind, target)


def _fits(node: exp.Expr, kind: Kind, target: Kind) -> bool:
    """Whether GoogleSQL coerces a value; of a written STRUCT, each of its members."""
    inner = bare(node)
    is_written = isinstance(inner, (exp.Struct, exp.Tuple)) and kind.type == target.type == "RECORD"
    if not is_written or len(kind.members) != len(target.members):
        return becomes(operand(node, kind), target)
    return all(
        mine is None or theirs is None or _fits(value_of(member), mine, theirs)
        for member, (_, mine), (_, theirs) in zip(
            inner.expressions, kind.members, target.members, strict=True
        )
    )


def guard(node: exp.Expr, one: Field) -> None:
    """Leaves it to DuckDB to refuse a value whose type is known to nobody else, as it is stored."""
    if one.mode == "REPEATED" or one.type not in ACCEPTED:
        return
    guarded = call("bq_assign", exp.null(), f'{ACCEPTED[one.type]}|"NULL"', one.sql)
    guarded.meta[PLAIN] = True
    node.replace(plain_cast(guarded, Kind(one.type)))
    guarded.set("expressions", [node, *guarded.expressions[1:]])
