"""What the stream decided, held against labels that are known elsewhere."""

from __future__ import annotations

import pyarrow as pa

from fraudline.measures.evaluation import Evaluation, evaluate
from fraudline.use_cases.project import Project
from fraudline.warehouse.labelled_decisions import read_labelled_decisions


def judge_decisions(project: Project, labelled: pa.Table) -> Evaluation:
    """Judge the decisions that BigQuery holds by labels.

    Args:
        project: Whose table of decisions.
        labelled: Transactions that were decided, in the history's columns.

    Raises:
        InputError: there are no frauds among them, or nothing but frauds.
        WarehouseError: the table cannot be read.
    """
    found = read_labelled_decisions(project.warehouse, project.contract, labelled)
    return evaluate(found.labels, found.scores, found.thresholds, found.amounts)
