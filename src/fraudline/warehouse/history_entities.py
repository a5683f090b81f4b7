"""Whether who and what takes part comes again in a history, as somebody does."""

from __future__ import annotations

from fraudline.contract import Contract
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.history_findings import Finding
from fraudline.warehouse.id_sql import id_sql
from fraudline.warehouse.query import query


def find_participants(
    warehouse: Warehouse, source: str, contract: Contract, rows: int
) -> list[Finding]:
    """A sentence for each entity of a contract.

    Args:
        warehouse: Where the history is.
        source: What stands behind FROM.
        contract: Names the entities.
        rows: How many rows there are.
    """
    if not contract.entities:
        return []
    texts = [id_sql(one.columns) for one in contract.entities]
    counts = [
        f"COUNT(DISTINCT {text}) AS different_{place}, COUNT({text}) AS named_{place}"
        for place, text in enumerate(texts)
    ]
    found = query(
        warehouse,
        f"SELECT {', '.join(counts)} FROM {source}",  # noqa: S608 - names come from settings and a checked contract
    ).to_pylist()[0]
    return [
        _told(one.name, found[f"different_{place}"], found[f"named_{place}"], rows)
        for place, one in enumerate(contract.entities)
    ]


def _told(entity: str, different: int, named: int, rows: int) -> Finding:
    nobody = f", and none in {rows - named:,}" if named < rows else ""
    in_rows = f"entity '{entity}': {different:,} different in {named:,} rows{nobody}"
    if different <= 1:
        return Finding(False, f"{in_rows}; so nobody is told from anybody else by it")
    if different == named:
        return Finding(False, f"{in_rows}; each comes once, as a payment does and nobody else")
    return Finding(True, in_rows)
