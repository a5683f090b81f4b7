"""One BigQuery statement, taken apart into what bqlite will run."""

from sqlglot import exp

from bqlite.errors import InvalidQueryError, UnsupportedSqlError
from bqlite.sql.assign import guard_arrays, settle_columns
from bqlite.sql.clauses import settle
from bqlite.sql.ddl import define
from bqlite.sql.functions import rewrite
from bqlite.sql.infer import Inference
from bqlite.sql.names import Resolver, parse
from bqlite.sql.parameters import bind
from bqlite.sql.scans import scans
from bqlite.sql.scopes import Scope
from bqlite.sql.statement import Names, Plan, Request
from bqlite.sql.stored_kinds import change
from bqlite.types import Field, check_columns

_ROW_NUMBER = "_bqlite_row_number"


def translate(request: Request, names: Names) -> Plan:
    """Does what `plan.plan` says, but for statements that nest too deeply."""
    root = parse(request.sql)
    bind(root, request.parameters, request.parameter_mode)
    resolver = Resolver(names, request.project, request.dataset)
    if isinstance(root, exp.Query):
        return _query(root, resolver)
    if isinstance(root, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        return _dml(root, resolver)
    definition = define(root, resolver)
    if definition is None:
        word = request.sql.split(maxsplit=1)[0].upper()
        raise UnsupportedSqlError(f"the statement {word} is not supported by bqlite")
    if definition.query is None:
        return Plan(definition.statement_type, target=definition.target, definition=definition)
    inner = _query(definition.query, resolver)
    return Plan(
        definition.statement_type,
        inner.sql,
        inner.read,
        inner.scans,
        definition.target,
        definition,
    )


def _query(root: exp.Query, resolver: Resolver) -> Plan:
    check_columns(len(root.selects))
    resolver.resolve(root)
    read = scans(root, resolver.sources)
    Inference().query(root, Scope())
    settle(root)
    _name_columns(root)
    _check_stars(root)
    return Plan("SELECT", _sql(rewrite(root)), resolver.read, read)


def _dml(root: exp.Expr, resolver: Resolver) -> Plan:
    if isinstance(root, exp.Delete) and not root.this and len(root.args.get("tables") or ()) == 1:
        root.set("this", root.args["tables"][0])  # DELETE without FROM
        root.set("tables", None)
    _check_dml(root)
    table = root.this.this if isinstance(root.this, exp.Schema) else root.this
    if not isinstance(table, exp.Table):
        raise InvalidQueryError("a DML statement names the table it changes")
    target = resolver.full_name(table)
    source = resolver.names.source(target)
    if source.view_sql or source.catalog != "store":
        raise InvalidQueryError(f"'{target}' is not a stored table, so its rows cannot be changed")
    had_alias = bool(table.alias)
    settle_columns(root, target, source.fields)
    resolver.resolve(root)
    read = scans(root, resolver.sources)
    if isinstance(root, exp.Insert) and not had_alias:
        table.set("alias", None)
    change(Inference(), root, source.fields)
    settle(root)
    for query in root.find_all(exp.Select):
        _name_columns(query)
    root = rewrite(root)
    guard_arrays(root, source.fields)
    insert_sql = ""
    insert_columns: tuple[str, ...] = ()
    if isinstance(root, exp.Insert):
        insert_sql = _sql(root.expression)
        if isinstance(root.this, exp.Schema):
            insert_columns = tuple(column.name for column in root.this.expressions)
        else:
            insert_columns = tuple(one.name for one in source.fields)
    return Plan(
        type(root).__name__.upper(), _sql(root), resolver.read, read, target,
        insert_sql=insert_sql, insert_columns=insert_columns,
        twice_sql=_met_twice(root, source.fields),
    )  # fmt: skip


def _check_dml(root: exp.Expr) -> None:
    if isinstance(root, (exp.Update, exp.Delete)) and root.args.get("where") is None:
        raise InvalidQueryError(f"{type(root).__name__.upper()} must have a WHERE clause")
    if isinstance(root, exp.Insert) and (root.args.get("overwrite") or root.args.get("conflict")):
        raise UnsupportedSqlError("INSERT OVERWRITE or ON CONFLICT is not supported by bqlite")
    for when in root.find_all(exp.When):
        then = when.args.get("then")
        if isinstance(then, exp.Insert) and not isinstance(then.this, exp.Tuple):
            raise UnsupportedSqlError(
                "INSERT without its columns is not supported in a MERGE by bqlite: name them"
            )


def _met_twice(root: exp.Expr, fields: tuple[Field, ...]) -> str:
    """BigQuery refuses to change a row for two source rows, where DuckDB may take one of them."""
    if isinstance(root, exp.Update) and root.args.get("from_") is not None:
        source, condition = root.args["from_"].this, root.args["where"].this
    elif isinstance(root, exp.Merge) and (changes := _conditions_of_changes(root)):
        source, condition = root.args["using"], exp.and_(root.args["on"], exp.or_(*changes))
    else:
        return ""
    target, row = _numbered(root.this.copy(), fields)
    query = exp.select("1").from_(target).join(source.copy(), join_type="cross")
    query = query.where(condition.copy()).group_by(row).limit(1)
    return _sql(query.having("count(*) > 1"))


def _numbered(target: exp.Table, fields: tuple[Field, ...]) -> tuple[exp.Expr, exp.Column]:
    """A table whose rows have a number, and that number."""
    name = target.alias_or_name
    if all(one.name.lower() != "rowid" for one in fields):
        return target, exp.column("rowid", table=name)
    target.set("alias", None)  # a column of that name hides DuckDB's own
    number = exp.Window(this=exp.RowNumber())
    rows = exp.select(exp.alias_(number, _ROW_NUMBER, quoted=True), exp.Star()).from_(target)
    return rows.subquery(name), exp.column(_ROW_NUMBER, table=name)


def _conditions_of_changes(root: exp.Merge) -> list[exp.Expr]:
    """When a MERGE changes a row of its target that has a row in the source."""
    return [
        when.args.get("condition") or exp.true()
        for when in root.find_all(exp.When)
        if when.args.get("matched")
    ]


def _sql(root: exp.Expr) -> str:
    return str(root.sql(dialect="duckdb", identify=True))


def _name_columns(root: exp.Expr) -> None:
    """Gives unnamed columns BigQuery's names f0_, f1_ and so on, in every SELECT."""
    for select in root.find_all(exp.Select):
        unnamed = 0
        for item in list(select.expressions):
            bare = item.this if isinstance(item, exp.Paren) else item
            if isinstance(bare, (exp.Alias, exp.Column, exp.Star, exp.Dot)) or item.is_star:
                continue
            if not isinstance(select.parent, (exp.Array, exp.In, exp.Exists)):
                item.replace(exp.alias_(item.copy(), f"f{unnamed}_", quoted=True))
            unnamed += 1


def _check_stars(root: exp.Expr) -> None:
    """`SELECT *` over an array of structs would give other columns than BigQuery's."""
    for select in root.find_all(exp.Select):
        if not any(item.is_star for item in select.expressions):
            continue
        from_ = select.args.get("from_") or select.args.get("from")
        items = [from_.this] if from_ is not None else []
        items += [join.this for join in select.args.get("joins") or ()]
        for item in items:
            if isinstance(item, exp.Unnest) and not _is_scalar_array(item.expressions[0]):
                raise UnsupportedSqlError(
                    "SELECT * over UNNEST is not supported by bqlite: name the columns"
                )


def _is_scalar_array(array: exp.Expr) -> bool:
    if isinstance(array, (exp.GenerateSeries, exp.GenerateDateArray, exp.GenerateTimestampArray)):
        return True
    return isinstance(array, exp.Array) and all(
        isinstance(item, (exp.Literal, exp.Neg, exp.Boolean, exp.Null))
        for item in array.expressions
    )
