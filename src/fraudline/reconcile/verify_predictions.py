"""A file of predictions against the table that should hold them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from fraudline import flows
from fraudline.contract import Contract, json_lines
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

_MOST_EXAMPLES = 10


@dataclass(frozen=True)
class Verification:
    """How a file and a table agree, row by row.

    Attributes:
        rows: Rows of the file.
        stored: Rows of the table.
        missing: Rows of the file that the table lacks, or holds too few times.
        surplus: Rows of the table that the file lacks, or holds fewer times.
        examples: Some of both, in words.
    """

    rows: int
    stored: int
    missing: int
    surplus: int
    examples: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether both hold the same rows, each the same number of times."""
        return self.missing == 0 and self.surplus == 0


def verify_predictions(
    warehouse: Warehouse, contract: Contract, predictions: pa.Table
) -> Verification:
    """Compare predictions with the table of predictions, as multisets of whole rows.

    Args:
        warehouse: Its table of predictions is read.
        contract: Whose history columns both have.
        predictions: The rows that were sent.
    """
    names = [column.name for column in contract.columns]
    selected = ", ".join(f"`{name}`" for name in names)
    table = warehouse.table(warehouse.settings.table(flows.PREDICTIONS))
    stored = query(
        warehouse,
        f"SELECT {selected} FROM `{table}`",  # noqa: S608 - names come from settings and a checked contract
    ).cast(predictions.schema)
    # Sent rows count +1, stored rows -1: equal multisets cancel out, group by group.
    both = pa.concat_tables(
        [
            predictions.append_column("sign", pa.repeat(1, predictions.num_rows)),
            stored.append_column("sign", pa.repeat(-1, stored.num_rows)),
        ]
    )
    sums = both.group_by(names).aggregate([("sign", "sum")])
    balance = sums.column("sign_sum").to_numpy()
    faulty = sums.filter(pa.array(balance != 0)).slice(0, _MOST_EXAMPLES)
    examples = [
        f"{'missing' if surplus > 0 else 'surplus'} {abs(surplus)} times: {line.decode()}"
        for surplus, line in zip(
            faulty.column("sign_sum").to_pylist(), json_lines(faulty.select(names)), strict=True
        )
    ]
    return Verification(
        rows=predictions.num_rows,
        stored=stored.num_rows,
        missing=int(balance[balance > 0].sum()),
        surplus=int(-balance[balance < 0].sum()),
        examples=examples,
    )
