"""How much an append comes to once it is read, which a few bytes can make a thousand times more.

A batch of NULLs takes no bytes however long it is, and a compressed one says how long it will be.
So both are counted by what the request says of itself, before anything is unpacked.
"""

import struct
from collections.abc import Iterator, Sequence

import pyarrow as pa

from bqlite.storage.status import AppendError
from bqlite.types import Field

MAX_CELLS = 10_000_000  # rows x columns; some 100 MB while a request is stored
MAX_UNPACKED_BYTES = 64 << 20


def check_cells(rows: int, fields: Sequence[Field], items: int = 0) -> None:
    """Refuses rows that would fill too many cells of their table.

    Args:
        rows: How many rows the request holds.
        fields: The columns of the table, those the rows leave out among them.
        items: How many values the request says it holds, if it says so.

    Raises:
        AppendError: There are more than `MAX_CELLS`.
    """
    cells = max(rows * _width(fields), items)
    if cells > MAX_CELLS:
        raise AppendError(
            f"the request has {rows:,} rows and {cells:,} values, more than {MAX_CELLS:,}: append "
            "fewer rows at a time"
        )


def check_batch(message: pa.ipc.Message, fields: Sequence[Field]) -> None:
    """Refuses an Arrow batch that would fill too many cells or too much memory.

    Args:
        message: The batch as it came; Arrow has checked that its metadata is in order.
        fields: The columns of the table.

    Raises:
        AppendError: There are more than `MAX_CELLS` or `MAX_UNPACKED_BYTES`.
    """
    if message.type != "record batch":
        raise AppendError(f"arrow_rows holds a {message.type}, not a record batch")
    metadata = message.metadata.to_pybytes()
    batch = _follow(metadata, _slot(metadata, _follow(metadata, 0), _HEADER))
    at = _slot(metadata, batch, _LENGTH)
    rows = _number(metadata, at) if at else 0
    lengths = [length for length, _ in _pairs(metadata, _slot(metadata, batch, _NODES))]
    check_cells(rows, fields, sum(lengths))
    if not _slot(metadata, batch, _COMPRESSION):
        return
    body = message.body.to_pybytes()
    unpacked = sum(
        _number(body, start)  # -1 if this one is not compressed
        for start, size in _pairs(metadata, _slot(metadata, batch, _BUFFERS))
        if size >= _NUMBER.size and start + _NUMBER.size <= len(body)
    )
    if unpacked > MAX_UNPACKED_BYTES:
        raise AppendError(
            f"the request's rows are {unpacked:,} bytes when unpacked, more than "
            f"{MAX_UNPACKED_BYTES:,}: append fewer rows at a time"
        )


def _width(fields: Sequence[Field]) -> int:
    return sum(1 + _width(one.fields) for one in fields)


# Arrow's message is a flatbuffer (Message.fbs): a table points back at a list of where each of its
# fields is, in the order of its schema, and a vector of pairs of numbers follows its own length.
_HEADER = 2  # of a Message
_LENGTH, _NODES, _BUFFERS, _COMPRESSION = 0, 1, 2, 3  # of a RecordBatch
_NUMBER, _PAIR = struct.Struct("<q"), struct.Struct("<qq")


def _follow(data: bytes, at: int) -> int:
    return at + int.from_bytes(data[at : at + 4], "little")


def _slot(data: bytes, table: int, number: int) -> int:
    """Where a table's field is; 0 if the table leaves it out."""
    slots = table - int.from_bytes(data[table : table + 4], "little", signed=True)
    at = slots + 4 + 2 * number
    if at >= slots + int.from_bytes(data[slots : slots + 2], "little"):
        return 0
    offset = int.from_bytes(data[at : at + 2], "little")
    return table + offset if offset else 0


def _pairs(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    if not at:
        return iter(())
    vector = _follow(data, at)
    count = int.from_bytes(data[vector : vector + 4], "little")
    return _PAIR.iter_unpack(data[vector + 4 : vector + 4 + count * _PAIR.size])


def _number(data: bytes, at: int) -> int:
    return int(_NUMBER.unpack_from(data, at)[0])
