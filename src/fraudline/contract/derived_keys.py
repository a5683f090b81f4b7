"""The derived columns of a contract file, read and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fraudline.contract.columns import Column
from fraudline.contract.contract_faults import Faults, Keys, meant, shown
from fraudline.contract.derived import UNITS_US, Derived, Kind, parts_of

TABLE = "derived"
# How many columns each kind follows from, beside the event time of an age.
_SOURCES: dict[Kind, int] = {
    "difference": 2,
    "ratio": 2,
    "absolute": 1,
    "log": 1,
    "distance": 4,
    "equal": 2,
    "age": 1,
}
_KEYS = {"unit", "description", "nullable", "feature"}
_NUMBER = "a number"
_PLACE = (("latitude", 90), ("longitude", 180))


def parse_derived(
    tables: Mapping[str, Any],
    columns: Mapping[str, Column | None],
    roles: Mapping[str, Any],
    faults: Faults,
) -> tuple[Derived, ...]:
    """The derived columns, in the order of the file; one with a fault is left out, and told.

    Args:
        tables: What the file says of them, by name.
        columns: Those of the contract; None: one with a fault, which is told already.
        roles: By role, its column: no transaction in flight has the label, and an age is to the
            event time.
        faults: Takes what is wrong.
    """
    _check_parts(columns, tables, faults)
    known: dict[str, Column | None] = {
        name: column for name, column in columns.items() if name != roles.get("label")
    }
    found = []
    for name, table in tables.items():
        path = (TABLE, name)
        if not isinstance(table, dict):
            faults.add(path, 'expected a table such as { ratio = ["amount", "usual_amount"] }.')
            continue
        before = len(faults)
        if "age" in table and "event_time" not in roles:
            faults.add((*path, "age"), "an age is to the event time, and the contract has none.")
        each = _parse(name, table, known, tables, columns.get(str(roles.get("event_time"))), faults)
        if each is not None and len(faults) == before:
            found.append(each)
        known[name] = None if each is None else each.column
    return tuple(found)


def _check_parts(
    columns: Mapping[str, Column | None], tables: Mapping[str, Any], faults: Faults
) -> None:
    """Note each part of a time that would be called as another column is."""
    taken = {each.lower() for each in (*columns, *tables)}
    for column in filter(None, columns.values()):
        for part in parts_of(column):
            if part.name.lower() in taken:
                faults.add(
                    ("columns", column.name, "parts"),
                    f"the part would be called '{part.name}', as another column is; give that "
                    "another name.",
                )


def _parse(
    name: str,
    table: dict[str, Any],
    known: Mapping[str, Column | None],
    derived: Collection[str],
    event_time: Column | None,
    faults: Faults,
) -> Derived | None:
    path = (TABLE, name)
    kinds = [kind for kind in _SOURCES if kind in table]
    faults.known_keys(table, {*_SOURCES, *_KEYS}, path)
    if len(kinds) != 1:
        told = f"found {' and '.join(kinds)}" if kinds else "found none"
        faults.add(path, f"it needs one of {', '.join(_SOURCES)}, {told}.")
        return None
    (kind,) = kinds
    # Whether two columns are equal is asked of what was sent.
    given = {n: c for n, c in known.items() if n not in derived} if kind == "equal" else known
    of = _sources(table[kind], kind, given, (*path, kind), faults)
    unit, description = (faults.value(table, key, str, "", path) for key in ("unit", "description"))
    is_nullable = faults.value(table, "nullable", bool, False, path)
    is_feature = faults.value(table, "feature", bool, True, path)
    if of is None:
        return None
    if kind == "age":
        if event_time is None:
            return None
        of.append(event_time)
    if fault := _type_fault(kind, of):
        faults.add((*path, kind), fault)
        return None
    unit = _unit(kind, of, unit, (*path, "unit"), faults)
    if not is_nullable and (why := _null_where(kind, of)):
        faults.add(path, f"it is null where {why}; write nullable = true, or rule that out there.")
    return Derived(
        name,
        kind,
        tuple(each.name for each in of),
        unit,
        description,
        is_nullable,
        is_feature,
        (of[-1].timezone or "UTC") if kind == "age" else "",
        tuple(each.type for each in of),
    )


def _sources(
    value: object, kind: Kind, known: Mapping[str, Column | None], path: Keys, faults: Faults
) -> list[Column] | None:
    """The columns that a derived one names; None where that cannot be told."""
    names = [value] if isinstance(value, str) else value
    count = _SOURCES[kind]
    if not isinstance(names, list) or len(names) != count:
        one = "the name of a column" if count == 1 else f"a list of {count} columns"
        faults.add(path, f"{kind} = {shown(value)}, expected {one}.")
        return None
    unknown = [each for each in names if not isinstance(each, str) or each not in known]
    for each in unknown:
        faults.add(
            path,
            f"{shown(each)} is no column of a transaction, nor a derived one that stands before "
            f"it.{meant(each, known)}",
        )
    found = [known[each] for each in names if each not in unknown]
    kept = [each for each in found if each is not None]
    return kept if len(kept) == count else None


def _type_fault(kind: Kind, of: list[Column]) -> str:
    """Why these columns cannot be of this kind; empty if they can."""
    kinds = [_kind(each) for each in of]
    expected = ""
    if kind == "age" and kinds != ["date", "timestamp"]:
        expected = "an age is from a date to an event time that is a timestamp"
    elif kind == "equal" and not (of[0].type == of[1].type != "float64"):
        expected = "two columns can be equal that are of one type, and not float64"
    elif kind == "difference" and kinds not in (
        *([each] * 2 for each in (_NUMBER, "timestamp", "date")),
    ):
        expected = "expected two numbers, two timestamps or two dates"
    elif kind in {"ratio", "absolute", "log", "distance"} and {*kinds} != {_NUMBER}:
        expected = "expected numbers"
    if expected:
        named = (f"'{each.name}' is {found}" for each, found in zip(of, kinds, strict=True))
        return f"{expected}; {', '.join(named)}."
    return _place_fault(of) if kind == "distance" else ""


def _place_fault(of: list[Column]) -> str:
    for column, (name, most) in zip(of, _PLACE * 2, strict=True):
        if not all(_is_within(limit, most) for limit in (column.limits.least, column.limits.most)):
            return (
                f"'{column.name}' is to be a {name}, in degrees; write min = -{most}, max = {most} "
                "beside its type. A distance is of latitude, longitude, latitude, longitude."
            )
    return ""


def _is_within(limit: object, most: float) -> bool:
    return isinstance(limit, int | float) and -most <= limit <= most


def _kind(column: Column) -> str:
    if column.category is None and column.type in {"float64", "int64"}:
        return _NUMBER
    return column.type


def _unit(kind: Kind, of: list[Column], unit: str, path: Keys, faults: Faults) -> str:
    """What a result is counted in, as far as its kind says."""
    allowed: tuple[str, ...] = ()
    if kind == "age":
        allowed = ("year", "day")
    elif kind == "distance":
        allowed = ("km",)
    elif kind == "difference" and of[0].type == "timestamp":
        allowed = tuple(UNITS_US)
    elif kind == "difference" and of[0].type == "date":
        allowed = ("day",)
    if not allowed:
        same = kind in {"difference", "absolute"} and len({each.unit for each in of}) == 1
        return unit or (of[0].unit if same else "")
    if unit and unit not in allowed:
        faults.add(path, f"unit = {shown(unit)}, expected {' or '.join(allowed)}.")
    return unit or allowed[0]


def _null_where(kind: Kind, of: list[Column]) -> str:
    """Where a result may be null, as far as the contract tells; empty: nowhere."""
    if nullable := [f"'{each.name}'" for each in of if each.is_nullable]:
        return f"{' or '.join(nullable)} is"
    least, most = of[-1].limits.least, of[-1].limits.most
    is_above = isinstance(least, int | float) and least > 0
    is_below = isinstance(most, int | float) and most < 0
    if kind == "ratio" and not (is_above or is_below):
        return f"'{of[1].name}' is 0, which its min could rule out"
    if kind == "log" and not is_above:
        return f"'{of[0].name}' is not above 0, which its min could rule out"
    return ""
