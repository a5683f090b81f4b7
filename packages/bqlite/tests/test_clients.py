"""What Google and pandas build upon their clients works unmodified."""

import warnings

import pandas as pd
import pandas_gbq
import pyarrow as pa
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import magics
from google.cloud.bigquery_storage_v1 import types, writer
from IPython.core.interactiveshell import InteractiveShell

from appends import arrow_request, committed

FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "x": [0.5, None, -1.5],
        "s": ["ü", None, "z"],
        "at": pd.to_datetime(["2024-01-01", None, "2024-01-03"], utc=True),
        "is_fraud": [True, False, True],
    }
)


def test_the_clients_own_writer_appends_through_one_connection(client, write_client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (n INT64)")
    stream = committed(write_client, f"projects/local/datasets/{dataset}/tables/t")
    rows = pa.table({"n": pa.array([], pa.int64())})
    template = types.AppendRowsRequest(write_stream=stream)
    template.arrow_rows.writer_schema.serialized_schema = rows.schema.serialize().to_pybytes()
    appends = writer.AppendRowsStream(write_client, template)
    futures = [
        appends.send(arrow_request(pa.table({"n": [n]}), offset=n, with_schema=False))
        for n in range(20)
    ]
    offsets = [future.result(timeout=30).append_result.offset for future in futures]
    appends.close()
    assert offsets == list(range(20))
    assert sorted(row.n for row in client.list_rows(f"{dataset}.t")) == list(range(20))


def test_a_data_frame_goes_in_and_comes_back(client, read_client, dataset):
    client.load_table_from_dataframe(FRAME, f"{dataset}.t").result()
    rows = client.query_and_wait(f"SELECT * FROM {dataset}.t ORDER BY n")
    pd.testing.assert_frame_equal(
        rows.to_dataframe(bqstorage_client=read_client), FRAME, check_dtype=False
    )


def test_the_notebook_magic_answers_with_a_data_frame(bq, client, dataset, monkeypatch):
    client.load_table_from_dataframe(FRAME, f"{dataset}.t").result()
    monkeypatch.setattr(magics.context, "_credentials", AnonymousCredentials())
    monkeypatch.setattr(magics.context, "_project", "local")
    shell = InteractiveShell.instance()
    options = f"found --use_rest_api --bigquery_api_endpoint {bq.rest} --params {{'least': 2}}"
    query = f"SELECT SUM(n) AS s FROM {dataset}.t WHERE n >= @least"
    with warnings.catch_warnings():
        # It says that it is moving to a package of its own, and would like to show its progress.
        warnings.simplefilter("ignore")
        shell.run_line_magic("load_ext", "google.cloud.bigquery")
        shell.run_cell_magic("bigquery", options, query)
    assert shell.user_ns["found"]["s"].tolist() == [5]


@pytest.mark.parametrize("method", ["load_csv", "load_parquet"])
def test_pandas_gbq_writes_and_reads_a_data_frame(bq, client, dataset, monkeypatch, method):
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bq.rest)
    access = {"project_id": "local", "credentials": AnonymousCredentials()}
    target = f"{dataset}.t"
    pandas_gbq.to_gbq(FRAME, target, api_method=method, progress_bar=False, **access)
    pandas_gbq.to_gbq(FRAME, target, if_exists="append", progress_bar=False, **access)
    assert client.get_table(target).num_rows == 6
    pandas_gbq.to_gbq(FRAME, target, if_exists="replace", progress_bar=False, **access)
    with pytest.raises(pandas_gbq.gbq.TableCreationError, match="Already Exists"):
        pandas_gbq.to_gbq(FRAME, target, progress_bar=False, **access)
    for query in (target, f"SELECT * FROM {target} ORDER BY n"):
        back = pandas_gbq.read_gbq(query, progress_bar_type=None, **access)
        pd.testing.assert_frame_equal(back, FRAME, check_dtype=False)
