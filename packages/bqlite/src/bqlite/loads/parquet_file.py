"""Parquet files."""

import pyarrow as pa
import pyarrow.parquet as pq

from bqlite.errors import InvalidError
from bqlite.loads.load import Batches, Load, detected
from bqlite.types import Field, arrow_schema, conform


def read_parquet(load: Load, fields: tuple[Field, ...]) -> tuple[tuple[Field, ...], Batches]:
    """The columns of a Parquet file, given or its own, and its rows in batches."""
    try:
        file = pq.ParquetFile(load.path)
    except pa.ArrowInvalid as error:
        raise InvalidError(f"Parquet file: {error}") from error
    found = file.schema_arrow
    if not fields:
        fields = tuple(detected(one.name, one.type) for one in found)
    by_name = {one.name.lower(): one for one in fields}
    for name in found.names:
        if name.lower() not in by_name:
            raise InvalidError(f"Parquet file: no column '{name}' in the schema", location=name)
    ordered = [by_name[name.lower()] for name in found.names]
    target = arrow_schema(ordered)

    def batches() -> Batches:
        row = 1
        for batch in file.iter_batches(batch_size=65_536):
            yield conform(_cast_batch(batch, target), ordered), row
            row += batch.num_rows

    return fields, batches()


def _cast_batch(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    columns = []
    for column, one in zip(batch.columns, target, strict=True):
        try:
            columns.append(column.cast(one.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise InvalidError(
                f"Parquet file, column '{one.name}': {column.type} cannot become {one.type}: "
                f"{error}",
                location=one.name,
            ) from error
    fields = [one.with_nullable(True) for one in target]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
