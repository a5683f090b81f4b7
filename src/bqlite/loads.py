"""Load jobs: an uploaded CSV, Parquet or newline-delimited JSON file becomes rows, or nothing."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bqlite.catalog import Catalog, Table, create_relation
from bqlite.engine import first
from bqlite.errors import InvalidError, UnsupportedError
from bqlite.queries import (
    Destination,
    Outcome,
    Store,
    prepare_target,
    sql_errors,
    temporary,
)
from bqlite.sql.names import TableName
from bqlite.types import SCALARS, Field, arrow_schema, fields_from_schema, quote

JSON_LINES_PER_BATCH = 10_000
CSV_BLOCK_BYTES = 8 << 20
_KNOWN = {
    "destinationTable", "schema", "sourceFormat", "skipLeadingRows", "fieldDelimiter", "quote",
    "nullMarker", "allowQuotedNewlines", "writeDisposition", "createDisposition", "autodetect",
    "encoding", "timePartitioning", "rangePartitioning", "clustering", "parquetOptions",
    "maxBadRecords", "ignoreUnknownValues", "allowJaggedRows",
    "destinationTableProperties",
}  # fmt: skip
_READ_AS_TEXT = {"TIMESTAMP", "DATETIME", "DATE", "TIME", "NUMERIC", "JSON", "BYTES"}


@dataclass(frozen=True)
class Load:
    """One load as it was asked for.

    Attributes:
        path: The uploaded file.
        options: The REST `JobConfigurationLoad`.
        destination: The table, and what to do with what it holds.
    """

    path: Path
    options: Mapping[str, Any]
    destination: Destination

    @classmethod
    def from_resource(cls, path: Path, options: Mapping[str, Any]) -> "Load":
        """Reads a `JobConfigurationLoad`; refuses by name what bqlite does not have."""
        for key in sorted(options.keys() - _KNOWN):
            if options[key] not in (None, False, "", [], {}, 0, "0"):
                raise UnsupportedError(
                    f"load: bqlite does not support configuration.load.{key}", location=key
                )
        for key in ("maxBadRecords", "ignoreUnknownValues", "allowJaggedRows"):
            if options.get(key) not in (None, False, 0, "0"):
                raise UnsupportedError(f"load: bqlite does not support {key}", location=key)
        if str(options.get("encoding") or "UTF-8").upper() not in {"UTF-8", "UTF8"}:
            raise UnsupportedError("load: bqlite reads UTF-8 only", location="encoding")
        table = options.get("destinationTable") or {}
        name = TableName(
            *(str(table.get(key, "")) for key in ("projectId", "datasetId", "tableId"))
        )
        return cls(
            path,
            options,
            Destination(
                name,
                str(options.get("createDisposition") or "CREATE_IF_NEEDED"),
                str(options.get("writeDisposition") or "WRITE_APPEND"),
            ),
        )


def run_load(
    catalog: Catalog, load: Load, connection: duckdb.DuckDBPyConnection, store: Store
) -> Outcome:
    """Reads the file into a table in memory, then writes it to its destination at once.

    Raises:
        BqliteError: The file or the destination is wrong; nothing changed.
    """
    catalog.dataset(load.destination.name.project, load.destination.name.dataset)
    readers = {"CSV": _csv, "PARQUET": _parquet, "NEWLINE_DELIMITED_JSON": _ndjson}
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
            for number, (batch, first_line) in enumerate(batches):
                _stage(connection, staged, batch, first_line, number)
            return _publish(catalog, load, staged, connection, store)
        finally:
            connection.execute(f"DROP TABLE {staged.relation}")


def _wanted(catalog: Catalog, load: Load) -> tuple[Field, ...]:
    """The schema given, else the table's; empty if the file itself must tell."""
    fields = fields_from_schema(load.options.get("schema"))
    if fields:
        return fields
    truncates = load.destination.write == "WRITE_TRUNCATE"
    if catalog.has_table(load.destination.name):
        if not (truncates and load.options.get("autodetect")):
            return catalog.table(load.destination.name).fields
    elif not load.options.get("autodetect") and load.options.get("sourceFormat") != "PARQUET":
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


def _value_sql(one: Field, batch: pa.RecordBatch) -> str:
    column = quote(one.name)
    kind = batch.schema.field(_name_in(batch, one.name)).type
    if not pa.types.is_string(kind) or one.mode == "REPEATED" or one.type in {"STRING", "RECORD"}:
        return column
    if one.type == "BYTES":
        return f"from_base64({column})"
    if one.type == "TIMESTAMP":
        return f"CAST(regexp_replace({column}, ' UTC$', '+00') AS TIMESTAMPTZ)"
    return f"CAST({column} AS {one.duckdb})"


def _name_in(batch: pa.RecordBatch, name: str) -> str:
    return next(n for n in batch.schema.names if n.lower() == name.lower())


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
                f"line {first_line + row[0]}, column '{one.name}': expected {wanted}, found {found}",
                location=one.name,
            )
    return InvalidError(f"near line {first_line}: {error}")


Batches = Iterator[tuple[pa.RecordBatch, int]]


def _csv(load: Load, fields: tuple[Field, ...]) -> tuple[tuple[Field, ...], Batches]:
    skipped = int(load.options.get("skipLeadingRows") or 0)
    if not fields:
        fields, skipped = _detect_csv(load, skipped)
    for one in fields:
        if one.mode == "REPEATED" or one.type == "RECORD":
            raise InvalidError(f"column '{one.name}': a CSV file cannot hold {one.sql}")
    return fields, _csv_batches(load, fields, skipped)


def _csv_options(load: Load) -> tuple[pa_csv.ParseOptions, list[str]]:
    delimiter = str(load.options.get("fieldDelimiter") or ",")
    delimiter = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    mark = load.options.get("quote", '"')
    if len(delimiter) != 1 or len(mark) > 1:
        raise InvalidError("load: the field delimiter and the quote are one character each")
    parse = pa_csv.ParseOptions(
        delimiter=delimiter,
        quote_char=mark or False,
        newlines_in_values=bool(load.options.get("allowQuotedNewlines")),
        ignore_empty_lines=False,
    )
    return parse, [str(load.options.get("nullMarker") or "")]


def _csv_batches(load: Load, fields: tuple[Field, ...], skipped: int) -> Batches:
    parse, nulls = _csv_options(load)
    types = {
        one.name: pa.string() if one.type in _READ_AS_TEXT else SCALARS[one.type].arrow
        for one in fields
    }
    convert = pa_csv.ConvertOptions(
        column_types=types,
        null_values=nulls,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["true", "True", "TRUE", "t", "T", "1", "yes", "y"],
        false_values=["false", "False", "FALSE", "f", "F", "0", "no", "n"],
    )
    # Threads would lose the row number that an error must name.
    read = pa_csv.ReadOptions(
        column_names=[one.name for one in fields],
        skip_rows=skipped,
        use_threads=False,
        block_size=CSV_BLOCK_BYTES,
    )
    line = skipped + 1
    if load.path.stat().st_size == 0:
        return
    try:
        with pa_csv.open_csv(load.path, read, parse, convert) as reader:
            for batch in reader:
                yield batch, line
                line += batch.num_rows
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if "Empty CSV" in str(error):
            return
        raise InvalidError(f"CSV file, {_csv_place(str(error), fields, skipped)}") from error


def _csv_place(message: str, fields: tuple[Field, ...], skipped: int) -> str:
    """Arrow's `In CSV column #1: Row #3: ...` in the user's own words."""
    import re  # noqa: PLC0415  # only a failed load needs it

    for number in re.findall(r"column #(\d+)", message):
        if int(number) < len(fields):
            message = message.replace(
                f"In CSV column #{number}", f"column '{fields[int(number)].name}'"
            )
    return message if not skipped else f"{message} (rows counted with {skipped} skipped)"


def _detect_csv(load: Load, skipped: int) -> tuple[tuple[Field, ...], int]:
    parse, nulls = _csv_options(load)
    convert = pa_csv.ConvertOptions(null_values=nulls, strings_can_be_null=True)
    with load.path.open("rb") as file:
        sample = file.read(CSV_BLOCK_BYTES)
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    try:
        with_header = pa_csv.read_csv(
            pa.BufferReader(sample), pa_csv.ReadOptions(skip_rows=max(skipped - 1, 0)),
            parse, convert,
        )  # fmt: skip
    except pa.ArrowInvalid as error:
        raise InvalidError(f"load: the schema cannot be detected: {error}") from error
    fields = tuple(_detected(one.name, one.type) for one in with_header.schema)
    return fields, max(skipped, 1)


def _detected(name: str, kind: pa.DataType) -> Field:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        element = _detected(name, kind.value_type)
        return replace(element, mode="REPEATED")
    if pa.types.is_struct(kind):
        members = tuple(
            _detected(kind.field(i).name, kind.field(i).type) for i in range(kind.num_fields)
        )
        return Field(name, "RECORD", fields=members)
    checks = [
        (pa.types.is_integer, "INTEGER"), (pa.types.is_floating, "FLOAT"),
        (pa.types.is_boolean, "BOOLEAN"), (pa.types.is_date, "DATE"), (pa.types.is_time, "TIME"),
        (pa.types.is_decimal, "NUMERIC"), (pa.types.is_binary, "BYTES"),
        (pa.types.is_large_binary, "BYTES"), (pa.types.is_string, "STRING"),
        (pa.types.is_large_string, "STRING"), (pa.types.is_null, "STRING"),
    ]  # fmt: skip
    for check, word in checks:
        if check(kind):
            return Field(name, word)
    if pa.types.is_timestamp(kind):
        return Field(name, "TIMESTAMP" if kind.tz else "DATETIME")
    if pa.types.is_dictionary(kind):
        return _detected(name, kind.value_type)
    raise UnsupportedError(f"column '{name}': bqlite does not read the type {kind}")


def _parquet(load: Load, fields: tuple[Field, ...]) -> tuple[tuple[Field, ...], Batches]:
    try:
        file = pq.ParquetFile(load.path)
    except pa.ArrowInvalid as error:
        raise InvalidError(f"Parquet file: {error}") from error
    found = file.schema_arrow
    if not fields:
        fields = tuple(_detected(one.name, one.type) for one in found)
    by_name = {one.name.lower(): one for one in fields}
    for name in found.names:
        if name.lower() not in by_name:
            raise InvalidError(f"Parquet file: no column '{name}' in the schema", location=name)
    target = arrow_schema(by_name[name.lower()] for name in found.names)

    def batches() -> Batches:
        row = 1
        for batch in file.iter_batches(batch_size=65_536):
            yield _cast_batch(batch, target), row
            row += batch.num_rows

    return fields, batches()


def _cast_batch(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    columns = []
    for column, one in zip(batch.columns, target, strict=True):
        try:
            columns.append(column.cast(one.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise InvalidError(
                f"Parquet file, column '{one.name}': {column.type} does not become {one.type}: "
                f"{error}",
                location=one.name,
            ) from error
    fields = [one.with_nullable(True) for one in target]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _ndjson(load: Load, fields: tuple[Field, ...]) -> tuple[tuple[Field, ...], Batches]:
    if not fields:
        rows = [row for _, row in _json_lines(load.path)]
        try:
            inferred = pa.Table.from_pylist(rows).schema if rows else pa.schema([])
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InvalidError(f"load: the schema cannot be detected: {error}") from error
        fields = tuple(_detected(one.name, one.type) for one in inferred)
    known = {one.name.lower(): one.name for one in fields}

    def batches() -> Batches:
        held: list[dict[str, Any]] = []
        first = 1
        for line, row in _json_lines(load.path):
            renamed = {}
            for key, value in row.items():
                if key.lower() not in known:
                    raise InvalidError(f"line {line}: no such field: {key}", location=key)
                renamed[known[key.lower()]] = value
            held.append(renamed)
            if len(held) == JSON_LINES_PER_BATCH:
                yield _json_batch(held, fields, first), first
                held, first = [], line + 1
        if held:
            yield _json_batch(held, fields, first), first

    return fields, batches()


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InvalidError(f"line {number}: not a JSON object: {error}") from error
            if not isinstance(row, dict):
                raise InvalidError(f"line {number}: expected a JSON object, found {line[:40]!r}")
            yield number, row


def _json_batch(
    rows: list[dict[str, Any]], fields: tuple[Field, ...], first: int
) -> pa.RecordBatch:
    arrays, schema = [], []
    for one in fields:
        values = []
        for i, row in enumerate(rows):
            try:
                values.append(_json_value(one, row.get(one.name)))
            except (ValueError, TypeError, KeyError) as error:
                raise InvalidError(
                    f"line {first + i}, column '{one.name}': expected {one.sql}, found "
                    f"{row.get(one.name)!r}",
                    location=one.name,
                ) from error
        as_text = one.type in _READ_AS_TEXT - {"BYTES"} and one.mode != "REPEATED"
        kind = pa.string() if as_text else one.arrow.type
        arrays.append(pa.array(values, kind))
        schema.append(pa.field(one.name, kind))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(schema))


def _json_value(one: Field, value: Any) -> Any:
    if value is None:
        return [] if one.mode == "REPEATED" else None
    if one.mode == "REPEATED":
        element = replace(one, mode="NULLABLE")
        if not isinstance(value, list):
            raise TypeError("not a list")
        return [_json_value(element, item) for item in value]
    if one.type == "RECORD":
        return {m.name: _json_value(m, value.get(m.name)) for m in one.fields}
    if one.type == "INTEGER":
        if isinstance(value, float) and not value.is_integer():
            raise ValueError("not whole")
        return int(value)
    if one.type == "FLOAT":
        return float(value)
    if one.type == "BOOLEAN":
        if isinstance(value, bool):
            return value
        return {"true": True, "false": False}[str(value).lower()]
    if one.type == "BYTES":
        return base64.b64decode(value, validate=True)
    if one.type == "JSON":
        return value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, (dict, list)):
        raise TypeError("not a scalar")
    return str(value)
