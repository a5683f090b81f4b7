"""A file of predictions against the table that should hold them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from fraudline import flows
from fraudline.datasets.file_content import read_lines
from fraudline.errors import InputError
from fraudline.reconcile import Verification, verify_predictions
from fraudline.use_cases.project import Project


def verify_file(project: Project, file: Path) -> Verification:
    """Check, row by row, that the table of predictions holds what a file holds.

    Args:
        project: Whose table.
        file: The JSON lines that `predict_file` wrote.

    Raises:
        InputError: the file cannot be read, or is none of predictions.
        WarehouseError: the table cannot be read.
    """
    lines = read_lines(file)
    rows, _, rejects = flows.PREDICTIONS.decoder(project.contract).decode(lines)
    if rejects:
        raise InputError(
            f"{file}, line {rejects[0].index + 1} is not a prediction: {rejects[0].message}. "
            "Give a file that `fraudline predict` wrote."
        )
    return verify_rows(project, pa.Table.from_batches([rows]))


def verify_rows(project: Project, predictions: pa.Table) -> Verification:
    """Check, row by row, that the table of predictions holds these and no others.

    Args:
        project: Whose table.
        predictions: Rows in the history's columns, as `as_history` gives them.

    Raises:
        WarehouseError: the table cannot be read.
    """
    return verify_predictions(project.warehouse, project.contract, predictions)
