"""What people write with ibis, SQLAlchemy, polars and the DB-API, in an environment of theirs.

`test_foreign.py` starts it, with the server's address and a key file in the environment.
"""

import os

import ibis
import pandas as pd
import polars as pl
from google.cloud import bigquery
from google.cloud.bigquery import dbapi
from google.oauth2 import service_account
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    insert,
    inspect,
    select,
)

key, dataset = os.environ["KEY_FILE"], os.environ["DATASET"]
credentials = service_account.Credentials.from_service_account_file(
    key, scopes=["https://www.googleapis.com/auth/bigquery"]
)
client = bigquery.Client(credentials=credentials, project="local")
client.create_dataset(dataset)


def with_ibis():
    connection = ibis.bigquery.connect(
        client=client, credentials=credentials, project_id="local", dataset_id=dataset
    )
    connection.create_table("t", pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}))
    table = connection.table("t")
    local = ibis.memtable({"b": ["x", "y"], "c": [1.5, 2.5]})
    assert table.join(local, "b").order_by("a").execute()["c"].tolist() == [1.5, 2.5]
    assert table.group_by("b").agg(n=ibis._.a.sum()).order_by("b").execute()["n"].tolist() == [
        1,
        2,
        3,
    ]
    connection.insert("t", pd.DataFrame({"a": [4], "b": ["q"]}))
    assert table.order_by("a").to_pyarrow()["a"].to_pylist() == [1, 2, 3, 4]
    view = connection.create_view("v", table.filter(ibis._.a > 1))
    assert view.to_polars().height == 3
    assert connection.list_tables() == ["t", "v"]


def with_sqlalchemy():
    engine = create_engine(f"bigquery://local/{dataset}", credentials_path=key)
    table = Table("made", MetaData(), Column("id", Integer), Column("name", String))
    table.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(table), [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
        found = connection.execute(select(table).where(table.c.id > 1)).fetchall()
    assert found == [(2, "b")]
    seen = inspect(engine)
    assert dataset in seen.get_schema_names()
    assert seen.get_table_names(dataset) == ["made", "t"]
    assert seen.get_view_names(dataset) == ["v"]
    assert [one["name"] for one in seen.get_columns("made", dataset)] == ["id", "name"]
    assert Table("t", MetaData(), autoload_with=engine).columns.keys() == ["a", "b"]
    assert pd.read_sql("SELECT a FROM t ORDER BY a", engine)["a"].tolist() == [1, 2, 3, 4]
    assert pl.read_database("SELECT a FROM t", connection=engine)["a"].sum() == 10


def with_polars_and_the_db_api():
    query = f"SELECT a, b FROM {dataset}.t ORDER BY a"
    assert pl.from_arrow(client.query(query).result().to_arrow())["a"].to_list() == [1, 2, 3, 4]
    cursor = dbapi.connect(client, prefer_bqstorage_client=False).cursor()
    cursor.execute(f"SELECT a FROM {dataset}.t WHERE b = %s", ("x",))
    assert [row[0] for row in cursor.fetchall()] == [1]


with_ibis()
with_sqlalchemy()
with_polars_and_the_db_api()
