"""What a contract derives, as a query that anybody can run in BigQuery."""

from __future__ import annotations

import re

from fraudline import flows
from fraudline.contract import load_contract
from fraudline.contract.derived_sql import with_derived_sql
from fraudline.errors import InputError
from fraudline.use_cases.project import Project

_TABLE = re.compile(r"[\w-]+(:[\w-]+)?(\.[\w-]+){1,2}")


def derived_query(project: Project, file: str | None, table: str | None) -> str:
    """A query of a table's rows with the derived columns of a contract beside them.

    Args:
        project: Its settings name the contract and the decisions; nothing is asked of BigQuery.
        file: Another contract, by its file or the name of one that fraudline brings.
        table: Another table, `data_set.table` with or without its project.

    Raises:
        ContractError: the contract has a fault.
        InputError: it derives nothing, or the table has no such name.
    """
    contract = project.contract if file is None else load_contract(file)
    if not contract.derivations:
        raise InputError(
            f"contract '{contract.name}' has no [derived] column, and no parts of a time, so there "
            "is nothing to write as SQL."
        )
    bigquery = project.settings.bigquery
    table = table or f"{bigquery.dataset}.{bigquery.table(flows.DECISIONS)}"
    if not _TABLE.fullmatch(table):
        raise InputError(f"--table {table}: expected data_set.table or project.data_set.table.")
    query = with_derived_sql(f"`{table}`", contract.derivations)
    return f"SELECT * FROM {query}"  # noqa: S608 - names come from settings and a checked contract
