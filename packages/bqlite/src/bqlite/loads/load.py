"""A load as it was asked for, and what its readers share."""

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from bqlite.errors import InvalidError, UnsupportedError
from bqlite.relations import TableName
from bqlite.types import Field
from bqlite.work.destination import Destination, adds_columns

_KNOWN = {
    "destinationTable", "schema", "sourceFormat", "skipLeadingRows", "fieldDelimiter", "quote",
    "nullMarker", "allowQuotedNewlines", "writeDisposition", "createDisposition", "autodetect",
    "encoding", "timePartitioning", "rangePartitioning", "clustering", "parquetOptions",
    "maxBadRecords", "ignoreUnknownValues", "allowJaggedRows",
    "destinationTableProperties", "schemaUpdateOptions",
}  # fmt: skip
_IGNORE = "ignoreUnknownValues"
_GZIP_BEGINS = b"\x1f\x8b"
_READ_BYTES = 1 << 20
MAX_UNPACKED_BYTES = 16 << 30  # as an upload has at most; a packed one can be a thousand times more
Batches = Iterator[tuple[pa.RecordBatch, int]]


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

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file's bytes, unpacked if it is gzip, which its first bytes tell.

        Raises:
            InvalidError: It cannot be unpacked to its end, or has more than `MAX_UNPACKED_BYTES`.
        """
        with self.path.open("rb") as file:
            is_packed = file.read(len(_GZIP_BEGINS)) == _GZIP_BEGINS
            file.seek(0)
            if not is_packed:
                yield file
                return
            try:
                yield cast("BinaryIO", io.BufferedReader(_Unpacked(file), _READ_BYTES))
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise InvalidError(f"the file is gzip that cannot be unpacked: {error}") from error

    @property
    def ignores_unknown(self) -> bool:
        """Whether values the columns lack are left out."""
        return bool(self.options.get(_IGNORE))

    @classmethod
    def from_resource(cls, path: Path, options: Mapping[str, Any]) -> "Load":
        """Reads a `JobConfigurationLoad`; refuses by name what bqlite does not have."""
        for key in sorted(options.keys() - _KNOWN):
            if options[key] not in (None, False, "", [], {}, 0, "0"):
                raise UnsupportedError(
                    f"load: bqlite does not support configuration.load.{key}", location=key
                )
        is_json = options.get("sourceFormat") == "NEWLINE_DELIMITED_JSON"
        for key in ("maxBadRecords", "allowJaggedRows", *(() if is_json else (_IGNORE,))):
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
                adds_columns(options),
            ),
        )


class _Unpacked(io.RawIOBase):
    """The bytes of a gzip file, piece by piece, up to a limit."""

    def __init__(self, packed: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=packed)
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer, or what there is of it."""
        size = self._file.readinto(buffer)
        self._count += size
        if self._count > MAX_UNPACKED_BYTES:
            raise InvalidError(
                f"the file has more than {MAX_UNPACKED_BYTES:,} bytes once it is unpacked: load it "
                "in several parts"
            )
        return size


def detected(name: str, kind: pa.DataType) -> Field:
    """The column that holds an Arrow type a file brought along."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        element = detected(name, kind.value_type)
        return replace(element, mode="REPEATED")
    if pa.types.is_struct(kind):
        members = tuple(
            detected(kind.field(i).name, kind.field(i).type) for i in range(kind.num_fields)
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
        return detected(name, kind.value_type)
    raise UnsupportedError(f"column '{name}': bqlite does not read the type {kind}")
