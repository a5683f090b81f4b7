r"""An id as text: that of one column as it is, that of several as one text that no other has.

The parts stand in the order of the contract with `|` between them; a `|` or a `\` inside of one has
a `\` before it. So the text can be read back, and two ids have the same only if all their parts are
the same. `warehouse/id_sql.py` says it in SQL; a test holds the three together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_BETWEEN, _ESCAPE = "|", "\\"
_ESCAPED = str.maketrans({each: _ESCAPE + each for each in (_ESCAPE, _BETWEEN)})
_PART = re.compile(r"(?:[^\\|]|\\[\\|])*", re.DOTALL)


def id_text(parts: Sequence[str | int]) -> str:
    """The text of an id.

    Args:
        parts: At least one.
    """
    if len(parts) == 1:
        return str(parts[0])
    text = _BETWEEN.join(map(str, parts))
    if _ESCAPE in text or text.count(_BETWEEN) >= len(parts):
        text = _BETWEEN.join(str(part).translate(_ESCAPED) for part in parts)
    return text


def id_parts(text: str, count: int) -> tuple[str, ...] | None:
    """The parts of the text of an id of so many columns; None if it is the text of none."""
    if count == 1:
        return (text,)
    parts, at = [], 0
    while True:
        found = _PART.match(text, at)
        assert found is not None  # it may be empty
        parts.append(re.sub(r"\\(.)", r"\1", found[0], flags=re.DOTALL))
        at = found.end()
        if at == len(text):
            return tuple(parts) if len(parts) == count else None
        if text[at] != _BETWEEN:
            return None
        at += 1


def id_column(rows: pa.RecordBatch | pa.Table, names: Sequence[str]) -> pa.Array | pa.ChunkedArray:
    """The id of each row: the values of its column, or texts where there are several."""
    if len(names) == 1:
        return rows.column(names[0])
    parts = []
    for name in names:
        part = rows.column(name).cast(pa.string())
        for each in (_ESCAPE, _BETWEEN):
            part = pc.replace_substring(part, each, _ESCAPE + each)
        parts.append(part)
    return pc.binary_join_element_wise(*parts, _BETWEEN)


def row_ids(places: Sequence[int], rows: Iterable[Sequence[Any]]) -> list[str]:
    """The text of the id of each row.

    Args:
        places: Where the columns of the id are in a row.
        rows: The values of each.
    """
    if len(places) == 1:
        place = places[0]
        return [str(row[place]) for row in rows]
    return [id_text([row[place] for place in places]) for row in rows]


def message_id(names: Sequence[str]) -> Callable[[bytes], str | None]:
    """What reads the id of a message; it gives None where that has none, as it is no row then.

    Args:
        names: Its columns.
    """
    fields = [(f"part_{place}", str | int) for place, _ in enumerate(names)]
    renamed = {f"part_{place}": name for place, name in enumerate(names)}
    identity: Any = msgspec.defstruct("Identity", fields, rename=renamed)
    decode = msgspec.json.Decoder(identity).decode

    def read(message: bytes) -> str | None:
        try:
            return id_text(msgspec.structs.astuple(decode(message)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    return read
