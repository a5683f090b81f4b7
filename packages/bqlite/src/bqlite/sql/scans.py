"""What a statement reads of each table: which columns, and which of its partitions and blocks.

BigQuery leaves out partitions that a constant condition on the partitioning column excludes, and
blocks that constant conditions on the first clustering columns exclude. What is not recognised
here counts as read, so a statement is never told to be cheaper than it may be.
"""

from collections.abc import Iterator

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.relations import Source, TableName
from bqlite.sql.clauses import settle
from bqlite.sql.functions import rewrite
from bqlite.sql.names import UNFILTERED
from bqlite.sql.statement import Scan

_MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}
_TRUNCATES: dict[str, type[exp.Expr]] = {
    "TIMESTAMP": exp.TimestampTrunc,
    "DATETIME": exp.DatetimeTrunc,
    "DATE": exp.DateTrunc,
}
_GIVEN_NAMES = (exp.Alias, exp.TableAlias, exp.Table)
# What a constant may be made of: none of it takes time or memory to work out.
_CONSTANT = (
    exp.Literal, exp.Neg, exp.Paren, exp.Cast, exp.DataType, exp.Interval, exp.Var, exp.Add,
    exp.Sub, exp.TimestampAdd, exp.TimestampSub, exp.DatetimeAdd, exp.DatetimeSub, exp.DateAdd,
    exp.DateSub, exp.CurrentTimestamp, exp.CurrentDatetime, exp.CurrentDate, exp.Boolean,
)  # fmt: skip


def scans(root: exp.Expr, sources: dict[TableName, Source]) -> tuple[Scan, ...]:
    """Each place of a resolved statement, before it is rewritten, that reads a table.

    Args:
        root: The statement; its tables point at what is stored.
        sources: The tables that it reads.

    Raises:
        InvalidQueryError: A table demands a filter on its partitions, and there is none.
    """
    names = {(one.catalog, one.schema, name.table): name for name, one in sources.items()}
    found = []
    for table in root.find_all(exp.Table):
        name = names.get((table.catalog, table.db, table.name))
        if name is None:
            continue
        select = table.find_ancestor(exp.Select)
        _check_filter(table, select or root, name, sources[name])
        found.append(Scan(name, _columns(select or root), _probe(table, select, sources[name])))
    return tuple(found)


def _check_filter(table: exp.Table, reader: exp.Expr, name: TableName, source: Source) -> None:
    """Whether the reader compares the partitioning column, if the table demands it."""
    is_written = isinstance(reader, exp.Insert)
    if not source.filtered_by or is_written or table.meta.get(UNFILTERED):
        return
    where = reader.args.get("where")
    found = [where.this if where is not None else None, reader.args.get("on")]
    found += [join.args.get("on") for join in reader.args.get("joins") or ()]
    conjuncts = [one for condition in found if condition for one in _conjuncts(condition)]
    if any(
        isinstance(one, exp.Predicate)
        and any(column.name.lower() == source.filtered_by for column in one.find_all(exp.Column))
        for one in conjuncts
    ):
        return
    raise InvalidQueryError(
        f"Cannot query over table '{name}' without a filter over column(s) '{source.filtered_by}' "
        "that can be used for partition elimination"
    )


def _columns(reader: exp.Expr) -> frozenset[str] | None:
    """The names that the reader of a table mentions; None if it takes every column."""
    if any(not isinstance(star.parent, exp.Count) for star in reader.find_all(exp.Star)):
        return None
    return frozenset(
        part.name.lower()
        for part in reader.find_all(exp.Identifier)
        if not isinstance(part.parent, _GIVEN_NAMES)
    )


def _probe(table: exp.Table, select: exp.Select | None, source: Source) -> str:
    """DuckDB's SQL that counts the rows that are read; empty if it is all of them."""
    if select is None or select.args.get("where") is None:
        return ""
    conditions = list(_of_partitions(table, select, source)) + _of_blocks(table, select, source)
    if not conditions:
        return ""
    bare = exp.Table(**{part: table.args[part].copy() for part in ("this", "db", "catalog")})
    bare.set("alias", table.args["alias"].copy())
    probe = exp.select(exp.Count(this=exp.Star())).from_(bare).where(*conditions)
    settle(probe)
    return str(rewrite(probe).sql(dialect="duckdb", identify=True))


def _of_partitions(table: exp.Table, select: exp.Select, source: Source) -> Iterator[exp.Expr]:
    """The partitions that may hold a wanted row, as conditions."""
    field = next((one for one in source.fields if one.name.lower() == source.partitioned_by), None)
    truncated = _TRUNCATES.get(field.type) if field is not None else None
    if truncated is None:
        return

    unit = exp.Var(this=source.partition_unit)

    def start(value: exp.Expr) -> exp.Expr:
        return truncated(this=value.copy(), unit=unit.copy())

    for column, operator, value in _comparisons(table, select, source):
        if column.name.lower() != source.partitioned_by:
            continue
        if operator in (exp.GT, exp.GTE):
            yield exp.GTE(this=column.copy(), expression=start(value))
        elif operator in (exp.LT, exp.LTE):
            yield operator(this=start(column), expression=value.copy())
        else:
            yield exp.EQ(this=start(column), expression=start(value))


def _of_blocks(table: exp.Table, select: exp.Select, source: Source) -> list[exp.Expr]:
    """The conditions on the clustering columns, up to the first that is not held to a value."""
    kept: list[exp.Expr] = []
    compared = list(_comparisons(table, select, source))
    for name in source.clustered_by:
        of_this = [one for one in compared if one[0].name.lower() == name]
        kept += [how(this=column.copy(), expression=value.copy()) for column, how, value in of_this]
        if not any(operator is exp.EQ for _, operator, _ in of_this):
            break
    return kept


def _comparisons(
    table: exp.Table, select: exp.Select, source: Source
) -> Iterator[tuple[exp.Expr, type[exp.Expr], exp.Expr]]:
    """What every wanted row must satisfy: a column of the table, an operator, a constant."""
    for condition in _conjuncts(select.args["where"].this):
        if isinstance(condition, exp.Between):
            low, high = condition.args["low"], condition.args["high"]
            pairs: list[tuple[type[exp.Expr], exp.Expr, exp.Expr]] = [
                (exp.GTE, condition.this, low),
                (exp.LTE, condition.this, high),
            ]
        elif type(condition) in _MIRRORED:
            left, right = condition.this, condition.expression
            pairs = [(type(condition), left, right), (_MIRRORED[type(condition)], right, left)]
        else:
            continue
        for operator, column, value in pairs:
            if _is_of(column, table, select, source) and _is_constant(value):
                yield column, operator, value


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(condition, exp.Paren):
        yield from _conjuncts(condition.this)
    elif isinstance(condition, exp.And):
        yield from _conjuncts(condition.this)
        yield from _conjuncts(condition.expression)
    else:
        yield condition


def _is_of(column: exp.Expr, table: exp.Table, select: exp.Select, source: Source) -> bool:
    """Whether an expression surely is a column of this table."""
    if not isinstance(column, exp.Column):
        return False
    if column.table:
        return column.table.lower() == table.alias_or_name.lower()
    from_ = select.args.get("from_") or select.args.get("from")
    is_alone = from_ is not None and from_.this is table and not select.args.get("joins")
    return is_alone and any(one.name.lower() == column.name.lower() for one in source.fields)


def _is_constant(value: exp.Expr) -> bool:
    return all(isinstance(node, _CONSTANT) for node in value.walk())
