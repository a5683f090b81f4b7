"""A table that is dropped between a look into the catalogue and a look at its rows."""

import pytest

from bqlite.database.catalog import Catalog
from bqlite.database.directory import Claim
from bqlite.database.engine import Engine
from bqlite.errors import NotFoundError
from bqlite.relations import Dataset, Table, TableName
from bqlite.sql.plan import plan
from bqlite.sql.statement import Request
from bqlite.types import Field
from bqlite.work.queries import run


@pytest.fixture
def dropped(tmp_path):
    """A catalogue, and a table that it still knows and whose rows are gone."""
    engine = Engine(Claim(tmp_path), memory_limit_mb=100)
    catalog = Catalog(engine)
    with engine.write() as transaction:
        catalog.create_dataset(transaction, Dataset("p", "d", {}))
    with engine.write() as transaction:
        table = Table(TableName("p", "d", "t"), (Field("a", "INTEGER"),), {})
        table = catalog.create_table(transaction, table)
    with engine.write() as transaction:
        transaction.connection.execute(f"DROP TABLE {table.relation}")
    yield catalog, table
    engine.close()


def test_its_size_is_not_found(dropped):
    catalog, table = dropped
    with pytest.raises(NotFoundError, match="Not found: Table t, which was dropped"):
        catalog.sizes.rows(table)
    with pytest.raises(NotFoundError):
        catalog.sizes.columns(table)


@pytest.mark.parametrize("sql", ["SELECT a FROM d.t", "UPDATE d.t SET a = 1 WHERE true"])
def test_a_statement_that_was_planned_before_is_told_so(dropped, sql):
    catalog, _ = dropped
    planned = plan(Request(sql, "p"), catalog)
    with catalog.engine.cursor() as connection, pytest.raises(NotFoundError) as told:
        run(catalog, planned, "p", None, connection, lambda *_: None)
    assert (told.value.reason, told.value.status) == ("notFound", 404)
