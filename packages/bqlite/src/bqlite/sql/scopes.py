"""What a name in a query means: the columns of its FROM, and of the queries around it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bqlite.sql.kinds import Kind

Columns = Sequence[tuple[str, Kind | None]]


@dataclass
class Scope:
    """The names one SELECT knows.

    Attributes:
        parent: The query around it, whose columns it may use, too.
        sources: Each item of FROM: its alias (empty if it has none of its own) and columns.
        ctes: The columns of each query in WITH.
        aliases: What the SELECT list calls its columns.
    """

    parent: "Scope | None" = None
    sources: list[tuple[str, Columns]] = field(default_factory=list)
    ctes: dict[str, Columns] = field(default_factory=dict)
    aliases: dict[str, Kind | None] = field(default_factory=dict)

    def around(self) -> "Iterator[Scope]":
        """This scope and those around it, inmost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def cte(self, name: str) -> Columns | None:
        """The columns of a query in WITH."""
        for scope in self.around():
            if name.lower() in scope.ctes:
                return scope.ctes[name.lower()]
        return None

    def column(self, parts: Sequence[str]) -> Kind | None:
        """The type of `a`, `t.a` or `t.a.b`; None if it is not known."""
        for scope in self.around():
            for path, columns in scope.readings(parts):
                kind = _find(columns, path[0])
                if kind is not _ABSENT:
                    return _member(kind, path[1:])  # type: ignore[arg-type]  # not absent
        return None

    def readings(self, parts: Sequence[str]) -> Iterator[tuple[Sequence[str], Columns]]:
        """The ways to read a name: with its table first, then as a column and its members."""
        for alias, columns in self.sources:
            if len(parts) > 1 and alias == parts[0].lower():
                yield parts[1:], columns
        for _, columns in self.sources:
            yield parts, columns


_ABSENT = object()


def _find(columns: Columns, name: str) -> object:
    for one, kind in columns:
        if one.lower() == name.lower():
            return kind
    return _ABSENT


def _member(kind: Kind | None, path: Sequence[str]) -> Kind | None:
    for name in path:
        if kind is None or kind.type != "RECORD":
            return None
        found = _find(kind.members, name)
        kind = found if isinstance(found, Kind) else None
    return kind
