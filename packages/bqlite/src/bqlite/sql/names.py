"""Which table each name in a statement means; views are written out where they stand."""

from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

from bqlite.errors import InvalidQueryError, UnsupportedSqlError
from bqlite.relations import Source, TableName
from bqlite.sql.growth import Size, check_depth, check_length
from bqlite.sql.infer import FIELDS
from bqlite.sql.statement import Names
from bqlite.types import Field

MAX_VIEW_DEPTH = 16  # BigQuery's own limit
_DUCKDB_NAMES = {
    "rowid", "user", "current_user", "session_user", "current_role", "current_schema",
    "current_catalog", "localtime", "localtimestamp",
}  # fmt: skip
_DECORATORS = {"*": "wildcard", "$": "partition decorator", "@": "snapshot decorator"}
UNFILTERED = "bqlite_unfiltered"  # marks what INFORMATION_SCHEMA reads
TABLES_META = "__TABLES__"  # older than INFORMATION_SCHEMA, and what dbt asks for sizes
PSEUDO_COLUMNS = {"_PARTITIONTIME", "_PARTITIONDATE", "_TABLE_SUFFIX", "_FILE_NAME"}


@dataclass
class Resolver:
    """Resolves the table names of one statement.

    Attributes:
        names: The catalog.
        project: Where a name without a project is looked up.
        dataset: The default data set, or None.
        read: Every table met, with its columns.
        sources: What each of them stands for.
        size: How large the statement is, with its views.
    """

    names: Names
    project: str
    dataset: tuple[str, str] | None
    read: dict[TableName, tuple[Field, ...]] = field(default_factory=dict)
    depth: int = 0
    sources: dict[TableName, Source] = field(default_factory=dict)
    size: Size = field(default_factory=Size)

    def resolve(self, root: exp.Expr) -> None:
        """Points every table of `root` at what is stored; replaces views by their query."""
        for table in list(root.find_all(exp.Table)):
            if isinstance(table.this, exp.Func):
                raise UnsupportedSqlError("a table function is not supported by bqlite")
            if not table.db and _is_cte(table):
                continue
            self._resolve_one(table)
        made = {one.alias.lower() for one in root.find_all(exp.Alias, exp.CTE)}
        made |= {one.name.lower() for one in root.find_all(exp.Identifier) if _names_column(one)}
        read = {one.name.lower() for fields in self.read.values() for one in fields}
        for column in root.find_all(exp.Column):
            _check_column(column, made | read if column.name.lower() in _DUCKDB_NAMES else made)

    def full_name(self, table: exp.Table) -> TableName:
        """The table's name with project and data set filled in."""
        parts = [part.name for part in table.parts]
        if len(parts) == 1 and self.dataset is not None:
            return TableName(*self.dataset, parts[0])
        if len(parts) == 1:
            raise InvalidQueryError(
                f"Table '{parts[0]}' must be qualified with a dataset (e.g. dataset.table)."
            )
        if len(parts) == 2:
            return TableName(self.project, *parts)
        return TableName(".".join(parts[:-2]), *parts[-2:])

    def _resolve_one(self, table: exp.Table) -> None:
        if _is_correlated(table):
            raise UnsupportedSqlError(
                f"the array '{table.sql()}' in FROM is refused by bqlite: write UNNEST"
            )
        name = self.full_name(table)
        alias = table.alias
        if name.table == TABLES_META or name.table.upper().startswith("INFORMATION_SCHEMA."):
            view = name.table.split(".", 1)[-1].upper()
            if name.dataset.lower().startswith("region-"):
                raise UnsupportedSqlError(
                    f"INFORMATION_SCHEMA.{view} of a region is not supported by bqlite: ask for "
                    "that of a data set, and for jobs by jobs.list"
                )
            sql = self.names.information_schema(name.project, name.dataset, view)
            query = self._inner(name, sql)
            for one in query.find_all(exp.Table):
                one.meta[UNFILTERED] = True
            is_named = alias and alias.upper() != name.table.upper()
            self._replace(table, query, alias if is_named else view)
            return
        for sign, word in _DECORATORS.items():
            if sign in name.table:
                raise UnsupportedSqlError(
                    f"the {word} in '{name.table}' is not supported by bqlite"
                )
        source = self.names.source(name)
        if source.view_sql:
            self._replace(table, self._inner(name, source.view_sql), alias or name.table)
            return
        self.read[name] = source.fields
        table.meta[FIELDS] = source.fields
        self.sources[name] = source
        if not alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name.table, quoted=True)))
        point_at(table, name, source)

    def _inner(self, name: TableName, sql: str) -> exp.Expr:
        if self.depth >= MAX_VIEW_DEPTH:
            raise InvalidQueryError(f"views nest more than {MAX_VIEW_DEPTH} deep at '{name}'")
        inner = parse(sql)
        self.size.add(inner)
        nested = Resolver(
            self.names, name.project, None, self.read, self.depth + 1, self.sources, self.size
        )
        nested.resolve(inner)
        return inner

    def _replace(self, table: exp.Table, query: exp.Expr, alias: str) -> None:
        subquery = exp.Subquery(
            this=query, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
        )
        for key in ("joins", "pivots", "sample", "version"):
            if table.args.get(key):
                subquery.set(key, table.args[key])
        table.replace(subquery)


def _check_column(column: exp.Column, known: set[str]) -> None:
    """Refuses names DuckDB has a meaning for where there is no column of that name."""
    name = column.name
    if name.upper() in PSEUDO_COLUMNS:
        raise UnsupportedSqlError(f"the pseudo column {name} is not supported by bqlite")
    is_known = name.lower() not in _DUCKDB_NAMES or name.lower() in known
    if not is_known and (not column.table or name.lower() == "rowid"):
        raise InvalidQueryError(f"Unrecognized name: {name}")


def point_at(table: exp.Table, name: TableName, source: Source) -> None:
    """Makes a table node mean the stored relation."""
    table.set("this", exp.to_identifier(name.table, quoted=True))
    table.set("db", exp.to_identifier(source.schema, quoted=True))
    table.set("catalog", exp.to_identifier(source.catalog, quoted=True))


def parse(sql: str) -> exp.Expr:
    """Parses one BigQuery statement.

    Raises:
        InvalidQueryError: The text is no statement; the message says where.
        UnsupportedSqlError: The text is a script of several statements.
    """
    check_length(sql)
    try:
        parsed = sqlglot.parse(sql, read="bigquery")
        # What stands behind the last semicolon may be a comment.
        statements = [one for one in parsed if one is not None and type(one) is not exp.Semicolon]
    except sqlglot.errors.SqlglotError as error:
        first = getattr(error, "errors", None) or [{}]
        where = f" at [{first[0].get('line')}:{first[0].get('col')}]" if first[0] else ""
        message = first[0].get("description") or str(error)
        raise InvalidQueryError(f"Syntax error: {message}{where}") from error
    if len(statements) != 1:
        raise UnsupportedSqlError(
            "a script of several statements is not supported by bqlite: run them one by one"
            if statements
            else "Syntax error: the query is empty"
        )
    check_depth(statements[0])
    return statements[0]


def _is_cte(table: exp.Table) -> bool:
    name = table.name.lower()
    node: exp.Expr | None = table
    while node is not None:
        parent = node.parent
        if isinstance(parent, exp.With):
            earlier = parent.expressions[: parent.expressions.index(node)]
            if any(cte.alias.lower() == name for cte in earlier):
                return True
            if parent.args.get("recursive") and node.alias.lower() == name:
                return True
            # The statement that owns this WITH does not show its later CTEs to this one.
            node = parent.parent
            continue
        with_ = node.args.get("with_") or node.args.get("with")
        if with_ is not None and not _inside(table, with_):
            names = {cte.alias.lower() for cte in with_.expressions}
            if name in names:
                return True
        node = parent
    return False


def _names_column(name: exp.Identifier) -> bool:
    return isinstance(name.parent, (exp.TableAlias, exp.PropertyEQ))


def _inside(node: exp.Expr, ancestor: exp.Expr) -> bool:
    current: exp.Expr | None = node
    while current is not None:
        if current is ancestor:
            return True
        current = current.parent
    return False


def _is_correlated(table: exp.Table) -> bool:
    """Whether `FROM t, t.items` names an array of a neighbour rather than a table."""
    if not table.db or table.catalog:
        return False
    select = table.find_ancestor(exp.Select)
    if select is None:
        return False
    from_ = select.args.get("from_") or select.args.get("from")
    items = [from_.this] if from_ is not None else []
    items += [join.this for join in select.args.get("joins") or ()]
    return any(item is not table and item.alias_or_name == table.db for item in items)
