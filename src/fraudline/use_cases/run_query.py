"""SQL in the project's data set."""

from __future__ import annotations

import pyarrow as pa

from fraudline.errors import InputError
from fraudline.use_cases.project import Project
from fraudline.warehouse.query import query


def run_query(project: Project, sql: str) -> pa.Table:
    """Run GoogleSQL and give all of its rows; tables need no data set before them.

    Raises:
        InputError: there is no SQL.
        WarehouseError: BigQuery refuses it; the message quotes why.
    """
    if not sql.strip():
        raise InputError('the SQL is empty; try "SELECT COUNT(*) FROM decisions".')
    return query(project.warehouse, sql)
