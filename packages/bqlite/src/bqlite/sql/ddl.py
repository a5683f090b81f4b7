"""CREATE, DROP, ALTER and TRUNCATE: what they define, as the REST resources of the catalog."""

from collections.abc import Iterable
from typing import Any

from sqlglot import exp

from bqlite.errors import InvalidQueryError, UnsupportedSqlError
from bqlite.relations import TableName
from bqlite.sql.names import PSEUDO_COLUMNS, Resolver
from bqlite.sql.statement import Definition
from bqlite.types import Field

_TYPES = {
    "TEXT": "STRING",
    "VARBINARY": "BYTES",
    "BINARY": "BYTES",
    "BIGINT": "INTEGER",
    "INT": "INTEGER",
    "SMALLINT": "INTEGER",
    "TINYINT": "INTEGER",
    "DOUBLE": "FLOAT",
    "DECIMAL": "NUMERIC",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMPTZ": "TIMESTAMP",
    "TIMESTAMP": "DATETIME",
    "DATETIME": "DATETIME",
    "DATE": "DATE",
    "TIME": "TIME",
    "JSON": "JSON",
}


def define(root: exp.Expr, resolver: Resolver) -> Definition | None:
    """The definition in a DDL statement; None if it is no DDL bqlite has."""
    if isinstance(root, exp.Create):
        return _create(root, resolver)
    if isinstance(root, exp.Drop):
        return _drop(root, resolver)
    if isinstance(root, exp.TruncateTable):
        return Definition("TRUNCATE_TABLE", resolver.full_name(root.expressions[0]))
    if isinstance(root, exp.Alter):
        return _alter(root, resolver)
    return None


def _create(root: exp.Create, resolver: Resolver) -> Definition | None:
    kind = str(root.args.get("kind")).upper()
    exists_ok, replace = bool(root.args.get("exists")), bool(root.args.get("replace"))
    properties = root.args.get("properties")
    resource = _resource(properties.expressions if properties is not None else ())
    if kind == "SCHEMA":
        return Definition(
            "CREATE_SCHEMA", _dataset_name(root.this, resolver), resource=resource,
            exists_ok=exists_ok, replace=replace,
        )  # fmt: skip
    if kind not in {"TABLE", "VIEW"} or root.args.get("clone"):
        return None
    schema = root.this if isinstance(root.this, exp.Schema) else None
    table = schema.this if schema is not None else root.this
    target, query = resolver.full_name(table), root.expression
    if kind == "VIEW":
        if not isinstance(query, exp.Query) or schema is not None:
            raise UnsupportedSqlError("a view with a list of columns is not supported by bqlite")
        sql = query.sql(dialect="bigquery")
        return Definition(
            "CREATE_VIEW", target, query, sql, resource=resource,
            exists_ok=exists_ok, replace=replace,
        )  # fmt: skip
    fields = tuple(_field(column) for column in schema.expressions) if schema is not None else ()
    if query is None and not fields:
        raise InvalidQueryError("CREATE TABLE needs columns or a query")
    if query is not None and fields:
        raise UnsupportedSqlError("CREATE TABLE with columns and a query is refused by bqlite")
    statement = "CREATE_TABLE" if query is None else "CREATE_TABLE_AS_SELECT"
    return Definition(
        statement, target, query, fields=fields, resource=resource,
        exists_ok=exists_ok, replace=replace,
    )  # fmt: skip


def _drop(root: exp.Drop, resolver: Resolver) -> Definition | None:
    kind = str(root.args.get("kind")).upper()
    tables = root.args.get("tables") or []
    if len(tables) != 1:
        return None
    if kind == "SCHEMA":
        target = _dataset_name(tables[0], resolver)
        resource = {"cascade": bool(root.args.get("cascade"))}
    elif kind in {"TABLE", "VIEW"}:
        target, resource = resolver.full_name(tables[0]), {}
    else:
        return None
    return Definition(
        f"DROP_{kind}", target, resource=resource, exists_ok=bool(root.args.get("exists"))
    )


def _alter(root: exp.Alter, resolver: Resolver) -> Definition | None:
    actions = root.args.get("actions") or []
    if actions and all(isinstance(action, exp.AlterSet) for action in actions):
        options = [one for action in actions for one in action.expressions if one is not None]
        properties = [one for each in options for one in each.expressions]
        return Definition(
            "ALTER_TABLE", resolver.full_name(root.this), resource=_resource(properties)
        )
    if not actions or not all(isinstance(action, exp.ColumnDef) for action in actions):
        raise UnsupportedSqlError(
            "ALTER other than ADD COLUMN and SET OPTIONS is not supported by bqlite"
        )
    return Definition(
        "ALTER_TABLE",
        resolver.full_name(root.this),
        fields=tuple(_field(action) for action in actions),
        exists_ok=all(bool(action.args.get("exists")) for action in actions),
    )


def _dataset_name(table: exp.Table, resolver: Resolver) -> TableName:
    parts = [part.name for part in table.parts]
    return TableName(".".join(parts[:-1]) or resolver.project, parts[-1], "")


def _field(column: exp.Expr) -> Field:
    if not isinstance(column, exp.ColumnDef):
        raise UnsupportedSqlError("a table constraint is not supported by bqlite")
    mode, description = "NULLABLE", ""
    for constraint in column.args.get("constraints") or ():
        kind = constraint.args.get("kind")
        if isinstance(kind, exp.NotNullColumnConstraint) and not kind.args.get("allow_null"):
            mode = "REQUIRED"
        elif isinstance(kind, exp.Properties):
            description = _options(kind).pop("description", "")
        else:
            raise UnsupportedSqlError(f"the constraint {constraint.sql()} is refused by bqlite")
    return _typed(column.name, column.args["kind"], mode, str(description))


def _typed(name: str, kind: exp.DataType, mode: str, description: str = "") -> Field:
    word = kind.this.name
    if word == "ARRAY":
        return _typed(name, kind.expressions[0], "REPEATED", description)
    if word == "STRUCT":
        members = tuple(_typed(m.name, m.args["kind"], "NULLABLE") for m in kind.expressions)
        return Field(name, "RECORD", mode, members, description)
    if word not in _TYPES or kind.expressions:
        raise UnsupportedSqlError(
            f"column '{name}': the type {kind.sql(dialect='bigquery')} is not supported by bqlite"
        )
    return Field(name, _TYPES[word], mode, description=description)


def _options(properties: exp.Expr) -> dict[str, Any]:
    return {
        str(one.this.name if isinstance(one.this, exp.Expr) else one.this): _constant(
            one.args.get("value")
        )
        for one in properties.find_all(exp.Property)
        if type(one) is exp.Property
    }


def _constant(value: Any) -> Any:
    if isinstance(value, exp.Literal):
        return value.this
    if isinstance(value, exp.Array):
        return [tuple(part.name for part in item.expressions) for item in value.expressions]
    return value.sql(dialect="bigquery") if isinstance(value, exp.Expr) else value


def _resource(properties: Iterable[exp.Expr]) -> dict[str, Any]:
    resource: dict[str, Any] = {}
    for one in properties:
        if isinstance(one, exp.PartitionedByProperty):
            resource.update(_partitioning(one.this))
        elif isinstance(one, exp.Cluster) or type(one).__name__ == "ClusterProperty":
            resource["clustering"] = {"fields": [column.name for column in one.expressions]}
        elif isinstance(one, exp.LocationProperty):
            resource["location"] = one.name
        elif type(one) is exp.Property:
            resource.update(_option(one))
        else:
            raise UnsupportedSqlError(f"{one.sql(dialect='bigquery')} is not supported by bqlite")
    return resource


def _option(one: exp.Property) -> dict[str, Any]:
    """One of OPTIONS(...) of a table or data set."""
    key = one.this.name if isinstance(one.this, exp.Expr) else str(one.this)
    value = _constant(one.args.get("value"))
    if key == "labels":
        return {"labels": dict(value)}
    if key == "require_partition_filter":
        return {"requirePartitionFilter": str(value).lower() == "true"}
    names = {"description": "description", "friendly_name": "friendlyName", "location": "location"}
    if key not in names:
        raise UnsupportedSqlError(f"the option {key} is not supported by bqlite")
    return {names[key]: value}


def _partitioning(by: exp.Expr) -> dict[str, Any]:
    if isinstance(by, exp.RangeBucket):
        series = by.expression
        parts = [series.args["start"], series.args["end"], series.args.get("step")]
        start, end, interval = (part.name if part is not None else "1" for part in parts)
        bounds = {"start": start, "end": end, "interval": interval}
        return {"rangePartitioning": {"field": by.this.name, "range": bounds}}
    unit = "DAY"
    if by.args.get("unit") is not None:
        unit = by.args["unit"].name.upper()
    column = by if isinstance(by, (exp.Column, exp.Identifier)) else by.find(exp.Column)
    if column is None or column.name.upper() in PSEUDO_COLUMNS:
        raise UnsupportedSqlError("partitioning by ingestion time is not supported by bqlite")
    return {"timePartitioning": {"type": unit, "field": column.name}}
