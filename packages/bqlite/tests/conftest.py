"""One bqlite in this process for all tests of the folder; each test has its own data set."""

import itertools
from collections.abc import Iterator

import pytest
from google.cloud import bigquery

import bqlite

_numbers = itertools.count()


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
