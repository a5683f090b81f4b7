"""Arrow rows to JSON lines, one object a row, exactly the columns of the table."""

from __future__ import annotations

import msgspec
import pyarrow as pa


def json_lines(rows: pa.RecordBatch | pa.Table) -> list[bytes]:
    """Each row as a JSON object, without a line end.

    A float has the fewest digits that read back as the same float; a timestamp is RFC 3339
    in UTC with microseconds; bytes are base64.
    """
    encode = msgspec.json.Encoder().encode
    return [encode(row) for row in rows.to_pylist()]
