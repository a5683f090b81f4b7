"""BigQuery's types, each with its DuckDB and Arrow form: the one table every room reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from bqlite.errors import InvalidError, UnsupportedError


@dataclass(frozen=True)
class Scalar:
    """One scalar type: its name in SQL, in DuckDB and in Arrow, and its logical size in bytes.

    Sizes are those BigQuery bills: https://cloud.google.com/bigquery/pricing#data (STRING, BYTES
    and JSON are two bytes plus their length, which `catalog` measures).
    """

    sql: str
    duckdb: str
    arrow: pa.DataType
    size_bytes: int


SCALARS: Mapping[str, Scalar] = {
    "STRING": Scalar("STRING", "VARCHAR", pa.string(), 2),
    "BYTES": Scalar("BYTES", "BLOB", pa.binary(), 2),
    "INTEGER": Scalar("INT64", "BIGINT", pa.int64(), 8),
    "FLOAT": Scalar("FLOAT64", "DOUBLE", pa.float64(), 8),
    "NUMERIC": Scalar("NUMERIC", "DECIMAL(38,9)", pa.decimal128(38, 9), 16),
    "BOOLEAN": Scalar("BOOL", "BOOLEAN", pa.bool_(), 1),
    "TIMESTAMP": Scalar("TIMESTAMP", "TIMESTAMPTZ", pa.timestamp("us", tz="UTC"), 8),
    "DATE": Scalar("DATE", "DATE", pa.date32(), 8),
    "TIME": Scalar("TIME", "TIME", pa.time64("us"), 8),
    "DATETIME": Scalar("DATETIME", "TIMESTAMP", pa.timestamp("us"), 8),
    "JSON": Scalar("JSON", "JSON", pa.string(), 2),
}
ALIASES: Mapping[str, str] = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
    "DECIMAL": "NUMERIC",
}
_INTEGERS = "TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT"
# What DML may put into a column without a cast, as a pattern over DuckDB's type names.
ACCEPTED: Mapping[str, str] = {
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "INTEGER": _INTEGERS,
    "FLOAT": rf"{_INTEGERS}|DOUBLE|FLOAT|DECIMAL.*",
    "NUMERIC": rf"{_INTEGERS}|DECIMAL.*",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "DATE": "DATE",
    "TIME": "TIME",
    "DATETIME": "TIMESTAMP|DATE",
    "JSON": "JSON",
}
_DAY = r"\s*\d{4}-\d{1,2}-\d{1,2}"
_CLOCK = r"([01]?\d|2[0-3]):[0-5]?\d(:[0-5]?\d(\.\d{0,6})?)?"
_ZONE = r"([+-]\d{2}(:?\d{2})?|Z|\s*[A-Za-z][\w+/-]+)?"
_NUMBER = r"[\s!-^`-~]*"  # ASCII without its underscore
# What text must look like to become a value, whether it comes by a file, by `insertAll`, as a
# parameter or by CAST; DuckDB and Python would take '2024/01/01', 'epoch', '20240101', a seventh
# digit of a second and '1_000', too.
TEXT_FORMS: Mapping[str, str] = {
    "DATE": rf"{_DAY}([ T]{_CLOCK}{_ZONE})?\s*",
    "TIME": rf"\s*{_CLOCK}\s*",
    "DATETIME": rf"{_DAY}([ T]{_CLOCK})?\s*",
    "TIMESTAMP": rf"{_DAY}([ T]{_CLOCK}{_ZONE})?\s*",
    "FLOAT": _NUMBER,
    "NUMERIC": _NUMBER,
}
MODES = ("NULLABLE", "REQUIRED", "REPEATED")
_FIELD_KEYS = {"name", "type", "mode", "fields", "description"}
MAX_DEPTH = 15  # BigQuery's own limit on nested records
_RESERVED = (
    "_PARTITION", "_TABLE_", "_FILE_", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER",
)  # fmt: skip
MAX_COLUMNS = 10_000  # BigQuery's own limit on a table and a result


@dataclass(frozen=True)
class Field:
    """One column, or one member of a RECORD.

    Attributes:
        name: As the user wrote it; compared without regard to case.
        type: A key of `SCALARS`, or `RECORD`.
        mode: `NULLABLE`, `REQUIRED` or `REPEATED`.
        fields: The members of a RECORD.
        description: Free text, or an empty string.
    """

    name: str
    type: str
    mode: str = "NULLABLE"
    fields: tuple["Field", ...] = ()
    description: str = field(default="", compare=False)

    @classmethod
    def from_resource(cls, resource: Mapping[str, Any], depth: int = 1) -> "Field":
        """Reads a `TableFieldSchema`; refuses by name what bqlite does not hold."""
        name = str(resource.get("name", ""))
        _check_name(name)
        unknown = sorted(key for key in resource.keys() - _FIELD_KEYS if _says(resource[key]))
        if unknown:
            raise UnsupportedError(
                f"column '{name}': bqlite does not support the property '{unknown[0]}'",
                location=name,
            )
        kind = str(resource.get("type", "")).upper()
        kind = ALIASES.get(kind, kind)
        if kind != "RECORD" and kind not in SCALARS:
            raise UnsupportedError(
                f"column '{name}': bqlite does not support the type '{kind}', only "
                f"{', '.join([*SCALARS, 'RECORD'])}",
                location=name,
            )
        mode = str(resource.get("mode") or "NULLABLE").upper()
        if mode not in MODES:
            raise InvalidError(f"column '{name}': mode '{mode}' is not one of {', '.join(MODES)}")
        if mode == "REQUIRED" and depth > 1:
            raise UnsupportedError(
                f"column '{name}': bqlite does not support REQUIRED inside a RECORD", location=name
            )
        members = resource.get("fields") or ()
        if (kind == "RECORD") != bool(members):
            raise InvalidError(f"column '{name}': a RECORD has fields, and no other type does")
        if depth > MAX_DEPTH:
            raise InvalidError(f"column '{name}': records nest more than {MAX_DEPTH} deep")
        return cls(
            name,
            kind,
            mode,
            tuple(cls.from_resource(member, depth + 1) for member in members),
            str(resource.get("description") or ""),
        )

    def to_resource(self) -> dict[str, Any]:
        """The field as a `TableFieldSchema`."""
        resource: dict[str, Any] = {"name": self.name, "type": self.type, "mode": self.mode}
        if self.fields:
            resource["fields"] = [member.to_resource() for member in self.fields]
        if self.description:
            resource["description"] = self.description
        return resource

    @property
    def duckdb_element(self) -> str:
        """DuckDB's type for one value, without regard to REPEATED."""
        if self.type == "RECORD":
            members = ", ".join(f"{quote(m.name)} {m.duckdb}" for m in self.fields)
            return f"STRUCT({members})"
        return SCALARS[self.type].duckdb

    @property
    def duckdb(self) -> str:
        """DuckDB's type for the column."""
        return f"{self.duckdb_element}[]" if self.mode == "REPEATED" else self.duckdb_element

    def stored(self, value: str) -> str:
        """DuckDB's SQL for a value of the column; an ARRAY that is NULL is stored empty."""
        return f"coalesce({value}, [])" if self.mode == "REPEATED" else value

    @property
    def arrow_element(self) -> pa.DataType:
        """Arrow's type for one value, without regard to REPEATED."""
        if self.type == "RECORD":
            return pa.struct([member.arrow for member in self.fields])
        return SCALARS[self.type].arrow

    @property
    def arrow(self) -> pa.Field:
        """The column as BigQuery's Storage Read API writes it."""
        kind = self.arrow_element
        if self.mode == "REPEATED":
            kind = pa.list_(pa.field("item", kind))
        return pa.field(self.name, kind, nullable=self.mode != "REQUIRED")

    @property
    def sql(self) -> str:
        """The column's type as `INFORMATION_SCHEMA.COLUMNS` writes it."""
        if self.type == "RECORD":
            element = f"STRUCT<{', '.join(f'{m.name} {m.sql}' for m in self.fields)}>"
        else:
            element = SCALARS[self.type].sql
        return f"ARRAY<{element}>" if self.mode == "REPEATED" else element


def _says(value: Any) -> bool:
    """Whether a property holds anything; clients send some of them empty."""
    return any(map(_says, value.values())) if isinstance(value, Mapping) else bool(value)


def fields_from_schema(schema: Mapping[str, Any] | None) -> tuple[Field, ...]:
    """The fields of a `TableSchema`, checked for names used twice."""
    listed = (schema or {}).get("fields", ())
    check_columns(len(listed))
    fields = tuple(Field.from_resource(f) for f in listed)
    seen: set[str] = set()
    for one in fields:
        if one.name.lower() in seen:
            raise InvalidError(f"column '{one.name}' appears twice in the schema")
        seen.add(one.name.lower())
    return fields


def check_columns(count: int) -> None:
    """Raises `InvalidError` for more columns than a table or a result has in BigQuery."""
    if count > MAX_COLUMNS:
        raise InvalidError(f"Too many columns: found {count:,}, at most {MAX_COLUMNS:,} are taken")


def check_new_names(fields: Iterable[Field]) -> None:
    """Raises `InvalidError` for a new column with a name that BigQuery keeps for itself."""
    for one in fields:
        if one.name.upper().startswith(_RESERVED):
            raise InvalidError(
                f"Invalid field name '{one.name}': names do not begin with {', '.join(_RESERVED)}, "
                "in upper or lower case"
            )


def schema_resource(fields: Iterable[Field]) -> dict[str, Any]:
    """The fields as a `TableSchema`."""
    return {"fields": [one.to_resource() for one in fields]}


def arrow_schema(fields: Iterable[Field]) -> pa.Schema:
    """The fields as an Arrow schema."""
    return pa.schema([one.arrow for one in fields])


def without_null_arrays(column: Any, one: Field) -> Any:
    """The column, an array or chunks of one: an ARRAY is empty and never NULL."""
    if one.mode == "REPEATED" and column.null_count:
        return column.fill_null(pa.scalar([], column.type))
    return column


def conform(batch: pa.RecordBatch, fields: Sequence[Field]) -> pa.RecordBatch:
    """DuckDB's Arrow batch with the exact types BigQuery's readers expect; the values stay.

    Raises:
        InvalidError: A time lies outside BigQuery's years, 1 to 9999.
    """
    schema = pa.schema([one.arrow.with_nullable(True) for one in fields])
    columns = [
        column if column.type == target.type else column.cast(target.type)
        for column, target in zip(batch.columns, schema, strict=True)
    ]
    columns = [
        without_null_arrays(column, one) for column, one in zip(columns, fields, strict=True)
    ]
    for column, one in zip(columns, fields, strict=True):
        if one.mode != "REPEATED" and one.type in YEARS:
            _check_years(column, one)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


MIN_US, MAX_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999
MIN_DAY, MAX_DAY = -719_162, 2_932_896
# The least and the greatest value of a type, as what Arrow holds it.
YEARS = {
    "DATE": (pa.int32(), MIN_DAY, MAX_DAY),
    "TIMESTAMP": (pa.int64(), MIN_US, MAX_US),
    "DATETIME": (pa.int64(), MIN_US, MAX_US),
}


def _check_years(column: pa.Array, one: Field) -> None:
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    kind, least, most = YEARS[one.type]
    found = pc.min_max(column.view(kind)).as_py()
    if found["min"] is not None and not least <= found["min"] <= found["max"] <= most:
        raise InvalidError(f"column '{one.name}': a {one.sql} lies outside the years 1 to 9999")


def quote(name: str) -> str:
    """A DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A DuckDB string literal."""
    return "'" + text.replace("'", "''") + "'"


def _check_name(name: str) -> None:
    if not name or len(name) > 300 or set(name) & set('"`\\.\x00'):
        raise InvalidError(f"'{name}' is not a valid column name")
