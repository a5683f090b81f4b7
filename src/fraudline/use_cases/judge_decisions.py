"""What the stream decided, held against labels that are known elsewhere."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from fraudline.measures.evaluation import Evaluation, evaluate
from fraudline.use_cases.project import Project
from fraudline.warehouse.labelled_decisions import read_labelled_decisions


def judge_decisions(
    project: Project, labelled: pa.Table, since: dt.datetime | None = None
) -> Evaluation:
    """Judge the decisions that BigQuery holds by labels.

    Args:
        project: Whose table of decisions.
        labelled: Transactions that were decided, in the history's columns.
        since: When the first of them was decided, or a time before; without it, the whole table of
            decisions is read.

    Raises:
        InputError: there are no frauds among them, or nothing but frauds.
        WarehouseError: the table cannot be read.
    """
    found = read_labelled_decisions(project.warehouse, project.contract, labelled, since)
    return evaluate(found.labels, found.scores, found.thresholds, found.amounts)
