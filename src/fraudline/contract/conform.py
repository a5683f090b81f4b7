"""A table as it came from a file, made to fit the contract, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.columns import NUMERIC_TYPES, Column, arrow_schema
from fraudline.contract.records import RejectReason
from fraudline.errors import ContractError


@dataclass(frozen=True)
class Refusal:
    """A row of a file that is not a transaction.

    Attributes:
        row: Its number in the file, counted from 1, without a header.
        reason: The kind of fault, as for a rejected message.
        message: The fault in words.
    """

    row: int
    reason: RejectReason
    message: str


def conform(table: pa.Table, columns: Sequence[Column]) -> tuple[pa.Table, list[Refusal]]:
    """Give a table exactly these columns and types; refuse each row that does not fit.

    Args:
        table: Columns of any order; a column of strings is parsed.
        columns: What the result is to have.

    Returns:
        The rows that fit, in their order, and a refusal for each row that does not, with
        its first fault.

    Raises:
        ContractError: a column is missing or unknown, so no row can fit.
    """
    expected = [column.name for column in columns]
    missing = [name for name in expected if name not in table.column_names]
    unknown = [name for name in table.column_names if name not in expected]
    if missing or unknown:
        raise ContractError(
            "the columns are not those of the contract: "
            + "; ".join(
                f"{word} {', '.join(map(repr, names))}"
                for word, names in (("missing", missing), ("unknown", unknown))
                if names
            )
            + f". Expected exactly: {', '.join(expected)}."
        )
    faults: dict[int, Refusal] = {}
    cast = [_cast(table.column(column.name), column, faults) for column in columns]
    for values, column in zip(cast, columns, strict=True):
        _check(values, column, faults)
    conformed = pa.Table.from_arrays(cast, schema=_all_nullable(arrow_schema(columns)))
    if faults:
        keep = np.ones(table.num_rows, dtype=bool)
        keep[[refusal.row - 1 for refusal in faults.values()]] = False
        conformed = conformed.filter(pa.array(keep))
    return conformed.cast(arrow_schema(columns)), [faults[row] for row in sorted(faults)]


def _all_nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])


def _cast(values: pa.ChunkedArray, column: Column, faults: dict[int, Refusal]) -> pa.ChunkedArray:
    """Cast a column as a whole, or, when that fails, value by value to find the faults."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = pc.utf8_trim_whitespace(values)
        if column.type != "string":
            values = pc.if_else(pc.equal(values, ""), None, values)
    try:
        return values.cast(column.arrow_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    parsed: list[object] = []
    for row, value in enumerate(values, start=1):
        try:
            parsed.append(value.cast(column.arrow_type).as_py())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            parsed.append(None)
            faults.setdefault(
                row,
                Refusal(
                    row,
                    RejectReason.WRONG_TYPE,
                    f"column '{column.name}': expected {column.type}, "
                    f"found {str(value.as_py())[:100]!r}",
                ),
            )
    return pa.chunked_array([pa.array(parsed, column.arrow_type)])


def _check(values: pa.ChunkedArray, column: Column, faults: dict[int, Refusal]) -> None:
    def refuse(mask: pa.ChunkedArray, reason: RejectReason, expected: str) -> None:
        for index in _where(mask):
            faults.setdefault(
                index + 1,
                Refusal(
                    index + 1,
                    reason,
                    f"column '{column.name}': expected {expected}, found {values[index].as_py()!r}",
                ),
            )

    if not column.is_nullable:
        refuse(pc.is_null(values), RejectReason.MISSING_COLUMN, "a value")
    if column.type == "float64":
        refuse(pc.invert(pc.is_finite(values)), RejectReason.OUT_OF_RANGE, "a finite number")
    if column.type in NUMERIC_TYPES and column.min is not None:
        refuse(pc.less(values, column.min), RejectReason.OUT_OF_RANGE, f"at least {column.min:g}")
    if column.type in NUMERIC_TYPES and column.max is not None:
        refuse(pc.greater(values, column.max), RejectReason.OUT_OF_RANGE, f"at most {column.max:g}")
    if column.type == "string":
        refuse(
            pc.greater(pc.utf8_length(values), column.max_length),
            RejectReason.OUT_OF_RANGE,
            f"at most {column.max_length} characters",
        )


def _where(mask: pa.ChunkedArray) -> list[int]:
    indices: list[int] = np.flatnonzero(mask.fill_null(False).to_numpy()).tolist()
    return indices
