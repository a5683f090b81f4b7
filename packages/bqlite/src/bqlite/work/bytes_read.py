"""How many bytes a statement reads, and what BigQuery would bill for them."""

from collections import Counter

from bqlite.database.catalog import Catalog
from bqlite.database.duckdb_errors import sql_errors
from bqlite.database.engine import first
from bqlite.relations import TableName
from bqlite.sql.statement import Plan

MEBIBYTE = 2**20
LEAST_BILLED = 10 * MEBIBYTE  # for each table that is read at all


def bytes_read(catalog: Catalog, planned: Plan) -> int:
    """The bytes of the columns that a statement reads, without the rows that it leaves out.

    A column counts once, however often the statement reads it. Rows are taken to be of equal size.
    """
    read: Counter[tuple[TableName, str]] = Counter()
    for scan in planned.scans:
        table = catalog.table(scan.table)
        share = 1.0
        if scan.probe_sql and (rows := catalog.sizes.rows(table)):
            with catalog.engine.cursor() as cursor, sql_errors():
                share = int(first(cursor, scan.probe_sql)[0]) / rows
        for column, size in catalog.sizes.columns(table).items():
            if scan.columns is None or column in scan.columns:
                so_far = read[scan.table, column]
                read[scan.table, column] = min(size, so_far + round(size * share))
    return sum(read.values())


def bytes_billed(processed: int, tables: int) -> int:
    """What is billed for so many bytes of so many tables: whole MiB, and 10 of them at least."""
    if not processed:
        return 0
    return max(-(-processed // MEBIBYTE) * MEBIBYTE, tables * LEAST_BILLED)
