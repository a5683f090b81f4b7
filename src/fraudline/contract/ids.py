"""Ids that identify nothing: blank ones, and in a history those that came before."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.contract import Contract
from fraudline.contract.id_texts import id_column


def are_blank(ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Which ids are texts of nothing but white space, and so none; a null or a number is not."""
    texts = ids.cast(pa.string())
    return pc.fill_null(pc.equal(pc.utf8_trim_whitespace(texts), ""), False)


@dataclass(frozen=True)
class IdFaults:
    """What is wrong with the ids of labelled transactions.

    Attributes:
        repeats: Rows that repeat an earlier one in every column.
        reused: Rows whose id belongs to a row with other values.
        example: An id of the latter, or of the former; empty if there is none.
    """

    repeats: int = 0
    reused: int = 0
    example: str = ""

    @property
    def text(self) -> str:
        """The faults as a sentence without a full stop; empty if there is none."""
        parts = []
        if self.reused:
            parts.append(
                f"rows whose id an earlier row with other values has: {self.reused:,}, "
                f"{self.example!r} for example; in flight such a payment is rejected"
            )
        if self.repeats:
            parts.append(f"rows that repeat an earlier one, id and all: {self.repeats:,}")
        return "; ".join(parts)


def find_id_faults(history: pa.Table, contract: Contract) -> IdFaults:
    """Look for repeated ids; a contract without an id has no faults.

    Args:
        history: Rows with the contract's columns.
        contract: Names the id.
    """
    if contract.id is None:
        return IdFaults()
    ids = id_column(history, contract.id_columns)
    counts = ids.value_counts()
    often = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    repeated = history.filter(pc.is_in(ids, often))
    distinct = repeated.group_by(repeated.column_names).aggregate([])
    its_ids = id_column(distinct, contract.id_columns)
    reused = len(its_ids) - len(its_ids.unique())
    example = ""
    if repeated.num_rows:
        several = its_ids.value_counts().sort(by=1)[-1] if reused else None
        example = str((several["values"] if several else its_ids[0]).as_py())
    return IdFaults(
        repeats=repeated.num_rows - distinct.num_rows,
        reused=reused,
        example=example,
    )
