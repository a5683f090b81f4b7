"""Labelled transactions next to what was decided on them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraudline import flows
from fraudline.contract import Contract
from fraudline.contract.columns import EARLIEST
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query


@dataclass(frozen=True)
class LabelledDecisions:
    """Labelled transactions and the decisions that BigQuery holds for them.

    Attributes:
        labels: 1 for fraud, shape (rows,).
        scores: The scores that the stream gave, shape (rows,); NaN without a decision.
        thresholds: Lowest score that was not approved for each, shape (rows,); likewise.
        amounts: In the contract's unit, shape (rows,); None where it has none.
    """

    labels: npt.NDArray[np.int8]
    scores: npt.NDArray[np.float64]
    thresholds: npt.NDArray[np.float64]
    amounts: npt.NDArray[np.float64] | None


def read_labelled_decisions(
    warehouse: Warehouse,
    contract: Contract,
    labelled: pa.Table,
    since: dt.datetime | None = None,
) -> LabelledDecisions:
    """Find the decision of each labelled transaction, by all of its columns.

    Transactions that agree in every column have the same score, so it does not matter which
    of them is which.

    Args:
        warehouse: Its table of decisions is read.
        contract: What a transaction looks like.
        labelled: The transactions, in the history's columns.
        since: Decisions that were made before are left alone, and not read; without it the whole
            table is.
    """
    names = [column.name for column in contract.transaction_columns]
    selected = ", ".join(f"`{name}`" for name in names)
    table = warehouse.table(warehouse.settings.table(flows.DECISIONS))
    decisions = query(
        warehouse,
        f"SELECT {selected}, ANY_VALUE(score) AS score, "  # noqa: S608 - names come from settings and a checked contract
        f"ANY_VALUE(threshold) AS threshold FROM `{table}` WHERE decided_at >= @since "
        f"GROUP BY {selected}",
        [("since", "TIMESTAMP", since or EARLIEST)],
    )
    joined = (
        labelled.append_column("row", pa.array(np.arange(labelled.num_rows)))
        .join(decisions, keys=names, join_type="left outer")
        .sort_by("row")
    )
    return LabelledDecisions(
        labels=contract.labels(joined),
        scores=joined.column("score").to_numpy(),
        thresholds=joined.column("threshold").to_numpy(),
        amounts=contract.known_amounts(joined),
    )
