"""One bqlite in each process that runs these tests; each test has its own data set."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import bigquery

import bqlite

# What Google means to move to pandas-gbq one day, and pandas to change, works today, and is what
# applications call.
_PENDING = (
    "ignore:.* via google-cloud-bigquery:PendingDeprecationWarning",
    "ignore:.* via google-cloud-bigquery-storage is deprecated:PendingDeprecationWarning",
    "ignore:In a future major release, the default delimiter:PendingDeprecationWarning",
    "ignore:Series.values returning an ndarray:DeprecationWarning",
)
_HERE = Path(__file__).parent
_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            for pending in _PENDING:
                item.add_marker(pytest.mark.filterwarnings(pending))


@pytest.fixture(scope="session")
def bq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bqlite.Bqlite]:
    with bqlite.serve(tmp_path_factory.mktemp("bqlite"), project="local") as running:
        yield running


@pytest.fixture(scope="session")
def client(bq: bqlite.Bqlite) -> bigquery.Client:
    return bq.client()


@pytest.fixture(scope="session")
def read_client(bq: bqlite.Bqlite):
    return bq.read_client()


@pytest.fixture(scope="session")
def write_client(bq: bqlite.Bqlite):
    return bq.write_client()


@pytest.fixture
def dataset(client: bigquery.Client) -> str:
    name = f"d{next(_numbers)}"
    client.create_dataset(name)
    return name
