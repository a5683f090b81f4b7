"""Ids of a history that identify nothing: empty ones, and ones that came before."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.contract import Contract


@dataclass(frozen=True)
class IdFaults:
    """What is wrong with the ids of labelled transactions.

    Attributes:
        empty: Rows whose id is an empty text.
        repeats: Rows that repeat an earlier one in every column.
        reused: Rows whose id belongs to a row with other values.
        example: An id of the latter, or of the former; empty if there is none.
    """

    empty: int = 0
    repeats: int = 0
    reused: int = 0
    example: str = ""

    @property
    def text(self) -> str:
        """The faults as a sentence without a full stop; empty if there is none."""
        parts = []
        if self.empty:
            parts.append(f"rows with an empty id: {self.empty:,}")
        if self.reused:
            parts.append(
                f"rows whose id an earlier row with other values has: {self.reused:,}, "
                f"{self.example!r} for example; in flight such a payment is rejected"
            )
        if self.repeats:
            parts.append(f"rows that repeat an earlier one, id and all: {self.repeats:,}")
        return "; ".join(parts)


def find_id_faults(history: pa.Table, contract: Contract) -> IdFaults:
    """Look for empty and for repeated ids; a contract without an id has no faults.

    Args:
        history: Rows with the contract's columns.
        contract: Names the id.
    """
    if contract.id is None:
        return IdFaults()
    ids = history.column(contract.id)
    is_empty = pc.equal(ids.cast(pa.string()), "")
    counts = ids.value_counts()
    often = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    repeated = history.filter(pc.and_(pc.is_in(ids, often), pc.invert(is_empty)))
    distinct = repeated.group_by(repeated.column_names).aggregate([])
    its_ids = distinct.column(contract.id)
    reused = len(its_ids) - len(its_ids.unique())
    example = ""
    if repeated.num_rows:
        several = its_ids.value_counts().sort(by=1)[-1] if reused else None
        example = str((several["values"] if several else its_ids[0]).as_py())
    return IdFaults(
        empty=pc.sum(is_empty).as_py() or 0,
        repeats=repeated.num_rows - distinct.num_rows,
        reused=reused,
        example=example,
    )
