"""Goes through a query from the inside out: gives each expression its type, coerces where two meet.

What GoogleSQL has no common type for is refused.
"""

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.sql.coercion import coerce, unify, value_of
from bqlite.sql.kinds import Kind, kind_of_field
from bqlite.sql.meetings import MEETINGS, RULES, demand_bool, refuse_using
from bqlite.sql.result_kinds import RESULTS
from bqlite.sql.scopes import Columns, Scope

FIELDS = "bqlite_fields"  # a table's columns, on its node
_SKIPPED = (exp.Identifier, exp.DataType, exp.Var, exp.TableAlias, exp.WeekStart, exp.JSONPath)


class Inference:
    """One statement's types, each worked out once."""

    # Queries ------------------------------------------------------------------------------------

    def query(self, node: exp.Expr, parent: Scope) -> Columns:
        """The columns of a query, after everything in it was coerced."""
        scope = Scope(parent)
        self.with_(node, scope)
        if isinstance(node, exp.Subquery):
            return self.query(node.this, scope)
        if isinstance(node, exp.SetOperation):
            columns = self._set_operation(node, scope)
            scope.sources.append(("", columns))
            self.clauses(node, scope, ("order", "limit", "offset"))
            return columns
        if not isinstance(node, exp.Select):
            return ()
        return self._select(node, scope)

    def with_(self, node: exp.Expr, scope: Scope) -> None:
        """Adds the queries of a statement's WITH to its scope."""
        with_ = node.args.get("with_")
        if with_ is None:
            return
        for cte in with_.expressions:
            if with_.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                scope.ctes[cte.alias.lower()] = self.query(cte.this.this, scope)
            scope.ctes[cte.alias.lower()] = self.query(cte.this, scope)

    def _set_operation(self, node: exp.SetOperation, scope: Scope) -> Columns:
        branches = branches_of(node)
        tables = [self.query(one, scope) for one in branches]
        word = type(node).__name__.upper()
        counts = [len(columns) for columns in tables]
        if not all(counts):  # columns that are not known
            return ()
        if len(set(counts)) > 1:
            raise InvalidQueryError(
                f"Queries in {word} have mismatched column count: they have {counts} columns"
            )
        found: list[tuple[str, Kind | None]] = []
        wanted: dict[int, list[Any]] = {}
        for index, (name, _) in enumerate(tables[0]):
            kinds = [columns[index][1] for columns in tables]
            values = [selected(one, index) for one in branches]
            what = f"Column {index + 1} in {word} has incompatible types"
            target = unify(values, kinds, what)
            for branch, kind in zip(branches, kinds, strict=True):
                if not _is_writable(branch):
                    wanted.setdefault(id(branch), [branch]).append((kind, target))
            found.append((name, target))
        for branch, *pairs in wanted.values():
            _recast(branch, pairs)
        return found

    def _select(self, node: exp.Select, scope: Scope) -> Columns:
        from_ = node.args.get("from_")
        if from_ is not None:
            self.source(from_.this, scope)
        for join in node.args.get("joins") or ():
            self._join(join, scope)
        self.clauses(node, scope, ("where",))
        columns: list[tuple[str, Kind | None]] = []
        is_whole = True
        for item in list(node.expressions):
            if isinstance(item, exp.Star) or item.is_star:
                is_whole &= self._star(item, scope, columns)
                continue
            columns.append((item.alias_or_name, self.kind(item, scope)))
        scope.aliases = {name.lower(): kind for name, kind in columns if name}
        self.clauses(node, scope, ("group", "having", "qualify", "windows", "order", "limit",
                                    "offset"))  # fmt: skip
        if node.args.get("kind") == "STRUCT" and isinstance(node.parent, (exp.Array, exp.Subquery)):
            is_table = isinstance(node.parent, exp.Subquery) and isinstance(
                node.parent.parent, (exp.From, exp.Join)
            )
            if not is_table:
                return (("", Kind("RECORD", members=tuple(columns)) if is_whole else None),)
        return columns if is_whole else ()

    def clauses(self, node: exp.Expr, scope: Scope, keys: Sequence[str]) -> None:
        """Goes through clauses that hold expressions; a condition must be BOOL."""
        for key in keys:
            clause = node.args.get(key)
            for one in clause if isinstance(clause, list) else [clause]:
                if not isinstance(one, exp.Expr):
                    continue
                kind = self.kind(one.this if key in _CONDITIONS else one, scope)
                if key in _CONDITIONS:
                    demand_bool(kind, f"{key.upper()} clause")

    def _star(self, item: exp.Expr, scope: Scope, columns: list[tuple[str, Kind | None]]) -> bool:
        """Adds the columns of a `*`; False if they are not all known."""
        star = item if isinstance(item, exp.Star) else item.this
        wanted = item.args["table"].name.lower() if isinstance(item, exp.Column) else None
        if isinstance(item, exp.Dot) or not isinstance(star, exp.Star):
            return False
        left_out = {one.name.lower() for one in star.args.get("except_") or ()}
        replaced = {
            one.alias.lower(): self.kind(one.this, scope) for one in star.args.get("replace") or ()
        }
        renamed = star.args.get("rename")
        for alias, source in scope.sources:
            if wanted is not None and alias != wanted:
                continue
            if not source:
                return False
            for name, kind in source:
                if name.lower() not in left_out:
                    columns.append((name, replaced.get(name.lower(), kind)))
        return not renamed and bool(columns)

    # FROM ---------------------------------------------------------------------------------------

    def source(self, item: exp.Expr, scope: Scope) -> None:
        """Adds an item of FROM, and what is joined to it, to the scope."""
        alias = item.alias_or_name.lower()
        if isinstance(item, exp.Table):
            fields = item.meta.get(FIELDS)
            columns: Columns = ()
            if fields is not None:
                columns = [(one.name, kind_of_field(one)) for one in fields]
            elif not item.db:
                columns = scope.cte(item.name) or ()
            scope.sources.append((alias, columns))
        elif isinstance(item, exp.Unnest):
            self._unnest(item, scope)
        elif isinstance(item, exp.Subquery) and isinstance(item.this, exp.Table):
            self.source(item.this, scope)
        elif isinstance(item, exp.Subquery):
            scope.sources.append((alias, self.query(item, _without_sources(scope))))
        elif isinstance(item, exp.Paren):
            self.source(item.this, scope)
        else:
            self.children(item, scope)
        for join in item.args.get("joins") or ():
            self._join(join, scope)

    def _unnest(self, item: exp.Unnest, scope: Scope) -> None:
        kind = self.kind(item.expressions[0], scope) if item.expressions else None
        element = kind.element if kind is not None and kind.type == "ARRAY" else None
        alias, offset = item.args.get("alias"), item.args.get("offset")
        names = list(alias.columns) if alias is not None else []
        if alias is not None and not names and alias.this is not None:
            names = [alias.this]
        columns = [(names[0].name if names else "f0_", element)]
        if offset:
            name = offset.name if isinstance(offset, exp.Identifier) else "offset"
            columns.append((name, Kind("INTEGER")))
        scope.sources.append(("", columns))

    def _join(self, join: exp.Join, scope: Scope) -> None:
        self.source(join.this, scope)
        if join.args.get("on") is not None:
            demand_bool(self.kind(join.args["on"], scope), "JOIN ON clause")
        using = {one.name.lower() for one in join.args.get("using") or ()}
        if using and scope.sources:
            for name, kind in scope.sources[-1][1]:
                if name.lower() not in using:
                    continue
                left = Scope(sources=scope.sources[:-1]).column([name])
                if left is not None and kind is not None and left != kind:
                    refuse_using(name, left, kind)

    # Expressions --------------------------------------------------------------------------------

    def kind(self, node: exp.Expr, scope: Scope) -> Kind | None:
        """The type of an expression; None if it is not known."""
        spine = [node]
        while isinstance(spine[-1], exp.Binary) and type(spine[-1]) is not exp.Dot:
            spine.append(spine[-1].this)  # a sum of many terms is deep to its left only
        kind = self._kind(spine.pop(), scope, None)
        while spine:
            kind = self._kind(spine.pop(), scope, [kind])
        return kind

    def _kind(self, node: exp.Expr, scope: Scope, known: list[Kind | None] | None) -> Kind | None:
        if isinstance(node, exp.Column):
            return _column(node, scope)
        if isinstance(node, (exp.Subquery, exp.Query)):
            columns = self.query(node, scope)
            return columns[0][1] if len(columns) == 1 else None
        rule = RULES.get(type(node))
        if rule is not None:
            return rule(self, node, scope)
        given = self.children(node, scope, known or ())
        for operators, meet in MEETINGS:
            if isinstance(node, operators):
                return meet(node, given)
        result = RESULTS.get(type(node))
        return result(node, given) if result is not None else None

    def children(
        self, node: exp.Expr, scope: Scope, known: Sequence[Kind | None] = ()
    ) -> list[Kind | None]:
        """The types of what a node holds, in order; those in `known` are the first of them."""
        children = [
            one
            for value in node.args.values()
            for one in (value if isinstance(value, list) else [value])
            if isinstance(one, exp.Expr) and not isinstance(one, _SKIPPED)
        ]
        return [*known, *(self.kind(one, scope) for one in children[len(known) :])]


_CONDITIONS = frozenset({"where", "having", "qualify"})


def _column(node: exp.Column, scope: Scope) -> Kind | None:
    parts = [part.name for part in node.parts]
    found = scope.column(parts)
    if len(parts) > 1 or parts[0].lower() not in scope.aliases:
        return found
    alias = scope.aliases[parts[0].lower()]
    return alias if found in (None, alias) else None  # which one is meant, DuckDB knows


def _without_sources(scope: Scope) -> Scope:
    """What a subquery in FROM sees: the queries around its SELECT, and their WITH."""
    return Scope(scope.parent, ctes=scope.ctes)


def branches_of(node: exp.Expr) -> list[exp.Expr]:
    """The queries a set operation joins, from the first on."""
    found: list[exp.Expr] = []
    while isinstance(node, exp.SetOperation):
        found.append(node.expression)
        node = node.this
    return [node, *reversed(found)]


def _is_writable(query: exp.Expr) -> bool:
    """Whether a query writes out each of its columns."""
    return isinstance(query, exp.Select) and not any(one.is_star for one in query.expressions)


def selected(query: exp.Expr, index: int) -> exp.Expr:
    """The value a query selects at a position; one that stands nowhere if it is not written."""
    if _is_writable(query) and index < len(query.expressions):
        item = query.expressions[index]
        is_own = query.args.get("from_") is not None  # else DuckDB takes the name for itself
        if is_own and isinstance(item, (exp.Column, exp.Dot)):  # keeps its name when it is cast
            item.replace(exp.alias_(item.copy(), item.name, quoted=True))
        return value_of(query.expressions[index])
    return exp.Placeholder()


def _recast(branch: exp.Expr, pairs: Sequence[tuple[Kind | None, Kind | None]]) -> None:
    """Coerces the columns of a query that does not write them out, around it."""
    if all(kind == target for kind, target in pairs):
        return
    names = [exp.to_identifier(f"c{index}", quoted=True) for index in range(len(pairs))]
    outer = exp.select(*(exp.column(name.copy()) for name in names))
    branch.replace(outer)
    inner = branch.this if isinstance(branch, exp.Subquery) and not branch.alias else branch
    table = exp.TableAlias(this=exp.to_identifier("_branch", quoted=True), columns=names)
    outer.set("from_", exp.From(this=exp.Subquery(this=inner, alias=table)))
    for item, (kind, target) in zip(list(outer.expressions), pairs, strict=True):
        coerce(item, kind, target)
