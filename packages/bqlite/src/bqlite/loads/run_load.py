"""Runs a load: the file goes to a table in memory, and from there to its destination at once."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa

from bqlite.cells import check_json, numeric_of, timestamp_of
from bqlite.database.catalog import Catalog
from bqlite.database.duckdb_errors import sql_errors
from bqlite.database.engine import first
from bqlite.errors import InvalidError, UnsupportedError
from bqlite.loads.csv_file import read_csv
from bqlite.loads.json_file import read_ndjson
from bqlite.loads.load import Batches, Load
from bqlite.loads.parquet_file import read_parquet
from bqlite.relations import Table, create_relation, temporary
from bqlite.types import TEXT_FORMS, Field, fields_from_schema, literal, quote
from bqlite.work.destination import prepare_target
from bqlite.work.outcome import Outcome, Store


def run_load(
    catalog: Catalog, load: Load, connection: duckdb.DuckDBPyConnection, store: Store
) -> Outcome:
    """Reads the file into a table in memory, then writes it to its destination at once.

    Raises:
        BqliteError: The file or the destination is wrong; nothing changed.
    """
    catalog.dataset(load.destination.name.project, load.destination.name.dataset)
    readers = {"CSV": read_csv, "PARQUET": read_parquet, "NEWLINE_DELIMITED_JSON": read_ndjson}
    source_format = str(load.options.get("sourceFormat") or "CSV")
    if source_format not in readers:
        raise UnsupportedError(
            f"load: bqlite does not read {source_format}; it reads {', '.join(readers)}",
            location="sourceFormat",
        )
    fields = _wanted(catalog, load)
    fields, batches = readers[source_format](load, fields)
    staged = temporary(load.destination.name.project, fields)
    with sql_errors():
        create_relation(connection, staged)
        try:
            for number, (batch, first_line) in enumerate(_read_ahead(batches)):
                _stage(connection, staged, batch, first_line, number)
            return _publish(catalog, load, staged, connection, store)
        finally:
            connection.execute(f"DROP TABLE {staged.relation}")


def _read_ahead(batches: Batches) -> Batches:
    """The same batches, each read while the one before it is stored."""
    with ThreadPoolExecutor(1, thread_name_prefix="load") as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def _wanted(catalog: Catalog, load: Load) -> tuple[Field, ...]:
    """The schema given, else the table's; empty if the file itself must tell."""
    fields = fields_from_schema(load.options.get("schema"))
    if fields:
        return fields
    truncates = load.destination.write == "WRITE_TRUNCATE"
    tells = load.options.get("autodetect") or load.options.get("sourceFormat") == "PARQUET"
    if catalog.has_table(load.destination.name):
        is_new = truncates and load.options.get("autodetect")
        if not (is_new or (tells and load.destination.adds_columns)):
            return catalog.table(load.destination.name).fields
    elif not tells:
        raise InvalidError(
            f"load: no schema was given, and table '{load.destination.name}' does not exist; give "
            "a schema or set autodetect"
        )
    return ()


def _publish(
    catalog: Catalog,
    load: Load,
    staged: Table,
    connection: duckdb.DuckDBPyConnection,
    store: Store,
) -> Outcome:
    with catalog.engine.write(connection) as transaction:
        is_new = not catalog.has_table(load.destination.name)
        table = prepare_target(catalog, transaction, load.destination, staged.fields)
        if is_new:
            layout = {
                key: load.options[key]
                for key in ("timePartitioning", "rangePartitioning", "clustering")
                if load.options.get(key)
            }
            modes = tuple(staged.fields)
            if any(one.mode == "REQUIRED" for one in modes):
                connection.execute(f"DROP TABLE {table.relation}")
                table = replace(table, fields=modes)
                create_relation(connection, table)
            table = replace(table, body={**table.body, **layout})
            catalog.put_table(transaction, table)
        (rows,) = first(
            connection,
            f"INSERT INTO {table.relation} ({staged.column_list}) "
            f"SELECT {staged.column_list} FROM {staged.relation}",
        )
        catalog.touch(transaction, table)
        size = load.path.stat().st_size
        outcome = Outcome(table, int(rows), statistics={"inputFileBytes": str(size)})
        store(transaction, outcome)
        return outcome


def _stage(connection: duckdb.DuckDBPyConnection, staged: Table, batch: pa.RecordBatch,
           first_line: int, number: int) -> None:  # fmt: skip
    """Inserts one batch, casting what was read as text; names line and column of a bad value."""
    view = f"batch_{number}"
    connection.register(view, pa.Table.from_batches([batch]))
    try:
        have = {name.lower() for name in batch.schema.names}
        columns = [one for one in staged.fields if one.name.lower() in have]
        for missing in staged.fields:
            if missing.name.lower() not in have and missing.mode == "REQUIRED":
                raise InvalidError(f"the file has no column '{missing.name}', which is REQUIRED")
        for one in columns:
            _check_texts(one, batch, first_line)
        select = ", ".join(_value_sql(one, batch) for one in columns)
        names = ", ".join(quote(one.name) for one in columns)
        try:
            connection.execute(
                f"INSERT INTO {staged.relation} ({names}) SELECT {select} FROM {view}"
            )
        except (duckdb.ConversionException, duckdb.InvalidInputException,
                duckdb.ConstraintException, duckdb.OutOfRangeException) as error:  # fmt: skip
            raise _locate(connection, view, columns, batch, first_line, error) from error
    finally:
        connection.unregister(view)


def _check_texts(one: Field, batch: pa.RecordBatch, first_line: int) -> None:
    """Names the line of what DuckDB would take, or round, and BigQuery does not."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    column = batch.column(_name_in(batch, one.name))
    if one.mode == "REPEATED" or one.type not in _CHECKS or not pa.types.is_string(column.type):
        return
    is_plain, check = _CHECKS[one.type]
    rows = pc.indices_nonzero(pc.invert(pc.match_substring_regex(column, is_plain)))
    for row in rows.to_pylist():
        text = column[row].as_py()
        try:
            check(text)
        except (ValueError, ArithmeticError) as error:
            raise InvalidError(
                f"line {first_line + row}, column '{one.name}': expected {one.sql}, "
                f"found {text!r:.100}",
                location=one.name,
            ) from error


# Texts that need no look, and what looks at the others.
_CHECKS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "JSON": (r"^(null|true|false|-?\d{1,15})$", check_json),
    "NUMERIC": (r"^-?\d{1,29}(\.\d{1,9})?$", numeric_of),
    # By its zone a moment of the first or last day may lie outside the years 1 to 9999.
    "TIMESTAMP": (r"^\s*([1-8]|9[0-8]|99[0-8]|999[0-8]|0[1-9]|00[1-9]|000[2-9])", timestamp_of),
}


def _value_sql(one: Field, batch: pa.RecordBatch) -> str:
    column = quote(one.name)
    kind = batch.schema.field(_name_in(batch, one.name)).type
    if not pa.types.is_string(kind) or one.mode == "REPEATED" or one.type in {"STRING", "RECORD"}:
        return one.stored(column)
    if one.type == "BYTES":
        return f"from_base64({column})"
    if one.type in TEXT_FORMS:  # no text of another form may be cast, and '' never can be
        form = literal(TEXT_FORMS[one.type])
        column = f"CASE WHEN NOT regexp_full_match({column}, {form}) THEN '' ELSE {column} END"
    if one.type == "TIMESTAMP":
        return f"CAST(regexp_replace({column}, ' UTC$', '+00') AS TIMESTAMPTZ)"
    return f"CAST({column} AS {one.duckdb})"


def _name_in(batch: pa.RecordBatch, name: str) -> str:
    return str(next(n for n in batch.schema.names if n.lower() == name.lower()))


def _locate(connection: duckdb.DuckDBPyConnection, view: str, columns: list[Field],
            batch: pa.RecordBatch, first_line: int, error: Exception) -> InvalidError:  # fmt: skip
    """Finds the first row and column a batch failed at."""
    for one in columns:
        expression = _value_sql(one, batch)
        column = quote(one.name)
        bad = (
            f"{column} IS NULL"
            if one.mode == "REQUIRED"
            else f"{column} IS NOT NULL AND TRY({expression}) IS NULL"
        )
        try:
            rows = connection.execute(
                f"SELECT i, v FROM (SELECT row_number() OVER () - 1 AS i, {column} AS v, "
                f"{bad} AS bad FROM {view}) WHERE bad ORDER BY i LIMIT 1"
            ).fetchall()
        except duckdb.Error:
            continue
        for row in rows:
            found = "NULL" if row[1] is None else repr(row[1])
            wanted = f"{one.sql}{' (REQUIRED)' if one.mode == 'REQUIRED' else ''}"
            return InvalidError(
                f"line {first_line + row[0]}, column '{one.name}': expected {wanted}, "
                f"found {found}",
                location=one.name,
            )
    return InvalidError(f"near line {first_line}: {error}")
