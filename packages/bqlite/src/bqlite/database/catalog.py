"""What is known of data sets and tables; kept in the file beside the rows.

The REST resources are held in memory for reading and written through the same transaction as the
rows they describe. Only the one writer changes them, after its commit.
"""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

import json
import threading
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa

from bqlite.database.engine import Engine, Transaction
from bqlite.database.information_schema import tables_meta_sql, view_sql
from bqlite.database.sizes import Sizes
from bqlite.database.streams import Streams, waiting_rows
from bqlite.errors import DuplicateError, InvalidError, NotFoundError
from bqlite.relations import (
    LOCATION,
    RESULT_DATASET,
    Dataset,
    Source,
    Table,
    TableName,
    column_sql,
    create_relation,
    now_ms,
)
from bqlite.types import (
    Field,
    check_columns,
    check_new_names,
    fields_from_schema,
    quote,
    schema_resource,
    without_null_arrays,
)

_HIDDEN = {"location": LOCATION, "creationTime": "0", "lastModifiedTime": "0"}
MAX_RESULTS = 500  # query results kept; the oldest goes first
_TABLES = """
CREATE TABLE IF NOT EXISTS store._bqlite.datasets (project VARCHAR, dataset VARCHAR, body VARCHAR);
CREATE TABLE IF NOT EXISTS store._bqlite.tables
  (project VARCHAR, dataset VARCHAR, name VARCHAR, body VARCHAR);
CREATE TABLE IF NOT EXISTS store._bqlite.jobs
  (project VARCHAR, id VARCHAR, ended_ms BIGINT, body VARCHAR);
"""


class Catalog:
    """Every name bqlite knows.

    Args:
        engine: Where it is kept.

    Attributes:
        streams: The write streams of its tables.
        sizes: How large each table is.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._tables: dict[TableName, Table] = {}
        self._results: dict[TableName, Table] = {}
        self._results_lock = threading.Lock()
        with engine.write() as transaction:
            transaction.connection.execute(_TABLES)
        with engine.cursor() as cursor:
            self._load(cursor)
        self.streams = Streams(engine)
        self.sizes = Sizes(engine)

    def _load(self, cursor: duckdb.DuckDBPyConnection) -> None:
        for project, name, body in cursor.execute("FROM store._bqlite.datasets").fetchall():
            self._datasets[project, name] = Dataset(project, name, json.loads(body))
        for project, dataset, name, text in cursor.execute("FROM store._bqlite.tables").fetchall():
            table = _table(TableName(project, dataset, name), json.loads(text))
            self._tables[table.name] = table

    # Data sets ----------------------------------------------------------------------------------

    def dataset(self, project: str, dataset: str) -> Dataset:
        """The data set; raises `NotFoundError`."""
        found = self._datasets.get((project, dataset))
        if found is None and dataset == RESULT_DATASET:  # there as in BigQuery, and never listed
            return Dataset(project, dataset, _HIDDEN)
        if found is None:
            raise NotFoundError(f"Not found: Dataset {project}:{dataset}")
        return found

    def datasets(self, project: str) -> list[Dataset]:
        """The project's data sets by name, without the hidden ones of query results."""
        return sorted(
            (d for d in list(self._datasets.values()) if d.project == project),
            key=lambda d: d.dataset,
        )

    def projects(self) -> list[str]:
        """Every project that has a data set."""
        return sorted({d.project for d in list(self._datasets.values())})

    def create_dataset(self, transaction: Transaction, dataset: Dataset) -> None:
        """Adds a data set; raises `DuplicateError`."""
        _check_name("dataset", dataset.dataset)
        if any(d.schema.lower() == dataset.schema.lower() for d in list(self._datasets.values())):
            raise DuplicateError(
                f"Already Exists: Dataset {dataset.project}:{dataset.dataset} (bqlite compares "
                "names without regard to case)"
            )
        transaction.connection.execute(f"CREATE SCHEMA store.{quote(dataset.schema)}")
        self.put_dataset(transaction, dataset)

    def put_dataset(self, transaction: Transaction, dataset: Dataset) -> None:
        """Stores a data set's resource."""
        key = dataset.project, dataset.dataset
        _forget(transaction, "datasets", key)
        transaction.connection.execute(
            "INSERT INTO store._bqlite.datasets VALUES (?, ?, ?)", [*key, json.dumps(dataset.body)]
        )
        transaction.after_commit(lambda: self._datasets.__setitem__(key, dataset))

    def delete_dataset(self, transaction: Transaction, dataset: Dataset, *, contents: bool) -> None:
        """Removes a data set; raises `InvalidError` if it holds tables and not `contents`."""
        tables = self.tables(dataset.project, dataset.dataset)
        if tables and not contents:
            raise InvalidError(
                f"Dataset {dataset.project}:{dataset.dataset} is still in use: it holds "
                f"{len(tables)} table(s)"
            )
        for table in tables:
            self.delete_table(transaction, table)
        transaction.connection.execute(f"DROP SCHEMA store.{quote(dataset.schema)} CASCADE")
        key = dataset.project, dataset.dataset
        _forget(transaction, "datasets", key)

        def forget() -> None:
            self._datasets.pop(key, None)

        transaction.after_commit(forget)

    # Tables -------------------------------------------------------------------------------------

    def table(self, name: TableName) -> Table:
        """The table; raises `NotFoundError`."""
        found = self._tables.get(name)
        if found is None:
            self.dataset(name.project, name.dataset)
            raise NotFoundError(f"Not found: Table {name.project}:{name.dataset}.{name.table}")
        return found

    def writable(self, name: TableName) -> Table:
        """The table; raises if it does not exist, is a view or a query's result."""
        table = self.table(name)
        if table.view_sql or table.is_temporary:
            raise InvalidError(f"rows cannot be appended to '{name}', which is not a stored table")
        return table

    def has_table(self, name: TableName) -> bool:
        """Whether the table exists."""
        return name in self._tables

    def tables(self, project: str, dataset: str) -> list[Table]:
        """The data set's tables and views by name."""
        self.dataset(project, dataset)
        return sorted(
            (
                t
                for t in list(self._tables.values())
                if (t.name.project, t.name.dataset) == (project, dataset)
            ),
            key=lambda t: t.name.table,
        )

    def create_table(
        self, transaction: Transaction, table: Table, as_sql: str = "", *, replaces: bool = False
    ) -> Table:
        """Adds a table or view, empty or with the rows of the DuckDB query `as_sql`.

        Args:
            transaction: The write it belongs to.
            table: What to add.
            as_sql: DuckDB's SQL of its rows, or an empty string.
            replaces: Whether the same transaction has just deleted a table of that name.

        Raises:
            DuplicateError: The name is taken.
        """
        dataset = self.dataset(table.name.project, table.name.dataset)
        _check_name("table", table.name.table)
        taken = str(table.name).lower()
        if not replaces and any(str(name).lower() == taken for name in list(self._tables)):
            raise DuplicateError(
                f"Already Exists: Table {table.name.project}:{table.name.dataset}."
                f"{table.name.table} (bqlite compares names without regard to case)"
            )
        table = replace(table, schema=dataset.schema)
        _check_layout(table)
        if not table.view_sql:
            if dataset.dataset == RESULT_DATASET:  # ibis keeps its local data beside results
                schema = f"store.{quote(dataset.schema)}"
                transaction.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            create_relation(transaction.connection, table)
            if as_sql:
                transaction.connection.execute(f"INSERT INTO {table.relation} {as_sql}")
        self.put_table(transaction, table)
        return table

    def put_table(self, transaction: Transaction, table: Table) -> None:
        """Stores what is known of a table."""
        body = {**table.body, "schema": schema_resource(table.fields), "view": table.view_sql}
        key = table.name.project, table.name.dataset, table.name.table
        _forget(transaction, "tables", key)
        transaction.connection.execute(
            "INSERT INTO store._bqlite.tables VALUES (?, ?, ?, ?)", [*key, json.dumps(body)]
        )

        def remember() -> None:
            self._tables[table.name] = table
            self.sizes.forget(table.name)

        transaction.after_commit(remember)

    def delete_table(self, transaction: Transaction, table: Table) -> None:
        """Removes a table, its rows and its streams."""
        if not table.view_sql:
            transaction.connection.execute(f"DROP TABLE {table.relation}")
        key = table.name.project, table.name.dataset, table.name.table
        _forget(transaction, "tables", key)
        for stream in self.streams.of(table.name):
            self.streams.forget(transaction, stream)

        def forget() -> None:
            self._tables.pop(table.name, None)
            self.sizes.forget(table.name)

        transaction.after_commit(forget)

    def add_columns(self, transaction: Transaction, table: Table, added: list[Field]) -> Table:
        """Adds NULLABLE or REPEATED columns; raises `InvalidError` for a REQUIRED one."""
        check_columns(len(table.fields) + len(added))
        check_new_names(added)
        for one in added:
            if one.mode == "REQUIRED":
                raise InvalidError(
                    f"column '{one.name}': a column added to a table must be NULLABLE or REPEATED"
                )
            self._alter(transaction, table, f"ADD COLUMN {column_sql(one)}")
        return replace(table, fields=(*table.fields, *added))

    def relax(self, transaction: Transaction, table: Table, column: Field) -> None:
        """Lets a REQUIRED column take NULL."""
        self._alter(transaction, table, f"ALTER COLUMN {quote(column.name)} DROP NOT NULL")

    def _alter(self, transaction: Transaction, table: Table, change: str) -> None:
        """Changes a table, and where rows wait to be committed to it."""
        waiting = [waiting_rows(one) for one in self.streams.of(table.name) if one.is_waiting]
        for one in (table, *waiting):
            transaction.connection.execute(f"ALTER TABLE {one.relation} {change}")

    def insert(self, transaction: Transaction, table: Table, rows: pa.Table) -> None:
        """Adds rows whose columns are, or are some of, the table's."""
        have = set(rows.schema.names)
        whole = {
            one.name: rows[one.name] if one.name in have else pa.nulls(len(rows), one.arrow.type)
            for one in table.fields  # in the relation's order: columns are only added at its end
        }
        filled = {one.name: without_null_arrays(whole[one.name], one) for one in table.fields}
        transaction.connection.from_arrow(pa.table(filled)).insert_into(table.relation)
        self.touch(transaction, table)

    def touch(self, transaction: Transaction, table: Table) -> None:
        """Notes that a table's rows changed."""

        def grow() -> None:
            current = self._tables.get(table.name)
            if current is not None:
                self._tables[table.name] = replace(current, version=current.version + 1)

        transaction.after_commit(grow)

    def add_temporary(self, table: Table) -> None:
        """Makes a query result known, and forgets those that are over or too many."""
        self._tables[table.name] = table
        with self._results_lock:
            self._results[table.name] = table
            oldest = iter(list(self._results.values()))
            over = []
            for one in oldest:
                is_expired = int(one.body["expirationTime"]) < now_ms()
                if not is_expired and len(self._results) <= MAX_RESULTS:
                    break
                over.append(self._results.pop(one.name))
        for one in over:
            self.drop_temporary(one)

    def drop_temporary(self, table: Table) -> None:
        """Forgets a query result and frees its memory."""
        self._tables.pop(table.name, None)
        self.sizes.forget(table.name)
        with self._results_lock:
            self._results.pop(table.name, None)
        with self.engine.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {table.relation}")

    # What SQL asks ------------------------------------------------------------------------------

    def source(self, name: TableName) -> Source:
        """What a table name in a statement stands for."""
        table = self.table(name)
        time = table.body.get("timePartitioning") or {}
        clustered = (table.body.get("clustering") or {}).get("fields", ())
        return Source(
            table.fields,
            table.schema,
            table.catalog,
            table.view_sql,
            str(time.get("field") or "").lower(),
            str(time.get("type") or "DAY"),
            tuple(name.lower() for name in clustered),
            _filtered_by(table),
        )

    def information_schema(self, project: str, dataset: str, view: str) -> str:
        """An `INFORMATION_SCHEMA` view or `__TABLES__` of a data set, as a query of constants."""
        tables = self.tables(project, dataset)
        if view == "__TABLES__":
            return tables_meta_sql([(one, *self._size(one)) for one in tables])
        return view_sql(tables, view)

    def _size(self, table: Table) -> tuple[int, int]:
        """A table's rows and bytes; a view has none."""
        if table.view_sql:
            return 0, 0
        return self.sizes.rows(table), sum(self.sizes.columns(table).values())


def _table(name: TableName, body: dict[str, Any]) -> Table:
    fields = fields_from_schema(body.pop("schema"))
    view = str(body.pop("view"))
    return Table(name, fields, body, view, schema=f"{name.project}.{name.dataset}")


def _forget(transaction: Transaction, kind: str, key: tuple[str, ...]) -> None:
    columns = ("project", "dataset", "name")[: len(key)]
    where = " AND ".join(f"{column} = ?" for column in columns)
    transaction.connection.execute(f"DELETE FROM store._bqlite.{kind} WHERE {where}", list(key))


def _filtered_by(table: Table) -> str:
    """The column that `requirePartitionFilter` names."""
    time = table.body.get("timePartitioning") or {}
    if not (table.body.get("requirePartitionFilter") or time.get("requirePartitionFilter")):
        return ""
    column = time.get("field") or (table.body.get("rangePartitioning") or {}).get("field")
    return str(column or "").lower()


def _check_name(kind: str, name: str) -> None:
    allowed = name.replace("_", "").replace("-", "" if kind == "table" else "-").replace(" ", "")
    if not allowed.isalnum() or len(name) > 1024:
        raise InvalidError(
            f'Invalid {kind} ID "{name}". It must be letters, numbers and underscores.'
        )


def _check_layout(table: Table) -> None:
    """Partitioning and clustering must name columns the table has."""
    check_columns(len(table.fields))
    check_new_names(table.fields)
    have = {one.name.lower() for one in table.fields}
    wanted = list((table.body.get("clustering") or {}).get("fields", ()))
    for key in ("timePartitioning", "rangePartitioning"):
        column = (table.body.get(key) or {}).get("field")
        wanted += [column] if column else []
    for column in wanted:
        if column.lower() not in have:
            raise InvalidError(
                f"The field specified for partitioning or clustering cannot be found in the "
                f"schema: '{column}'"
            )
