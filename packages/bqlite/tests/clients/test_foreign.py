"""Clients that people have, unmodified: dbt, ibis, SQLAlchemy, polars, and a pasted notebook."""

import json
import os
import shutil
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import requests
from google.api_core.exceptions import MethodNotImplemented
from google.cloud import bigquery
from IPython.core.interactiveshell import InteractiveShell

HERE = Path(__file__).parent
FOREIGN = HERE.parents[3] / ".venv-clients" / "bin"  # `make test-all` makes it

needs_foreign = [
    pytest.mark.slow,  # minutes on a busy machine, and an environment of its own
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FOREIGN.exists(), reason="needs .venv-clients: make test-all"),
]


@pytest.fixture
def key_file(bq, tmp_path):
    path = tmp_path / "key.json"
    program = [sys.executable, "-m", "bqlite", "key", str(path), "--rest", bq.rest]
    subprocess.run(program, check=True, capture_output=True)
    return path


@pytest.fixture
def run(bq, key_file, dataset):
    def run(*command, cwd=HERE):
        environment = {
            **os.environ,
            "BIGQUERY_EMULATOR_HOST": bq.rest,
            "KEY_FILE": str(key_file),
            "DATASET": f"{dataset}_foreign",
        }
        done = subprocess.run(
            [str(FOREIGN / command[0]), *command[1:]],
            env=environment, cwd=cwd, capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

    return run


def test_a_key_file_is_its_owners_alone_and_never_replaced(bq, key_file):
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    before = key_file.read_text()
    assert json.loads(before)["token_uri"] == f"{bq.rest}/token"
    program = [sys.executable, "-m", "bqlite", "key", str(key_file), "--rest", bq.rest]
    again = subprocess.run(program, check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "File exists" in again.stderr
    assert again.stderr.count("\n") == 1
    assert key_file.read_text() == before


def test_a_pasted_notebook_runs_as_it_is(bq, key_file, dataset, monkeypatch):
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bq.rest)
    monkeypatch.setenv("KEY_FILE", str(key_file))
    monkeypatch.setenv("DATASET", dataset)
    notebook = json.loads((HERE / "payments.ipynb").read_text())
    shell = InteractiveShell.instance()
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shell.run_cell("".join(cell["source"])).raise_error()
    assert shell.user_ns["by_class"]["n"].tolist() == [3, 1]
    assert shell.user_ns["frame"]["Amount"].tolist() == [149.62, 2.69, 378.66, 0.0]


def test_a_token_is_given_for_an_assertion_only(bq):
    form = {"grant_type": "password", "assertion": "a.b.c"}
    answer = requests.post(f"{bq.rest}/token", data=form, timeout=30)
    assert answer.status_code == 400
    page = {"Origin": "http://evil.example"}
    assert requests.post(f"{bq.rest}/token", data=form, headers=page, timeout=30).status_code == 403


def test_what_bqlite_has_none_of_is_empty_or_refused_by_name(client, dataset):
    assert list(client.list_routines(dataset)) == []
    assert list(client.list_models(dataset)) == []
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64)")
    with pytest.raises(MethodNotImplemented, match="IAM policies"):
        client.get_iam_policy(f"{dataset}.t", retry=None)


def test_a_created_table_is_the_destination_of_its_job_and_takes_options(client, dataset):
    job = client.query(f"CREATE TABLE {dataset}.t AS SELECT 1 AS a")
    job.result()
    assert client.get_table(job.destination).num_rows == 1
    assert client.get_job(job.job_id).destination.table_id == "t"
    client.query_and_wait(
        f"ALTER TABLE {dataset}.t SET OPTIONS(description='x', labels=[('k', 'v')])"
    )
    client.query_and_wait(f"ALTER TABLE {dataset}.t SET OPTIONS()")
    table = client.get_table(f"{dataset}.t")
    assert (table.description, table.labels) == ("x", {"k": "v"})


def test_the_discovery_document_names_each_call_and_this_address(bq):
    found = requests.get(f"{bq.rest}/discovery/v1/apis/bigquery/v2/rest", timeout=30).json()
    query = found["resources"]["jobs"]["methods"]["query"]
    assert (query["httpMethod"], query["path"]) == ("POST", "projects/{projectId}/queries")
    assert found["rootUrl"] == f"{bq.rest}/"


def test_small_results_come_without_the_storage_api_and_local_rows_go_beside_results(client):
    query = "SELECT x, TIMESTAMP_SECONDS(x) AS at FROM UNNEST([1, 2]) AS x ORDER BY x"
    frame = client.query(query).result().to_dataframe()  # no storage client is given or dialled
    assert frame["x"].tolist() == [1, 2]
    assert [at.timestamp() for at in frame["at"]] == [1.0, 2.0]
    job = client.query("SELECT 1")
    job.result()
    target = job.destination
    local = bigquery.TableReference(
        bigquery.DatasetReference(target.project, target.dataset_id), "ibis_local"
    )
    client.load_table_from_json([{"a": 1}], local).result()
    assert [row.a for row in client.list_rows(client.get_table(local))] == [1]
    assert target.dataset_id not in [one.dataset_id for one in client.list_datasets()]
    client.delete_table(local)


class TestForeign:
    pytestmark = needs_foreign

    def test_dbt_builds_tests_and_builds_again(self, client, run, dataset, tmp_path):
        project = shutil.copytree(HERE / "dbt_project", tmp_path / "project")
        for _ in range(2):  # the second time the incremental model merges
            run("dbt", "build", "--profiles-dir", ".", cwd=project)
        shop = f"{dataset}_foreign"
        rows = client.query_and_wait(f"SELECT * FROM {shop}.by_customer ORDER BY customer")
        assert [(r.customer, r.payments, float(r.amount)) for r in rows] == [
            ("ann", 2, 11.0),
            ("bob", 1, 20.0),
        ]
        assert client.get_table(f"{shop}.by_customer").description == "What each customer has paid."
        assert client.get_table(f"{shop}.daily").num_rows == 3
        run("dbt", "docs", "generate", "--profiles-dir", ".", cwd=project)
        catalog = json.loads((project / "target" / "catalog.json").read_text())
        found = {one["metadata"]["name"]: one for one in catalog["nodes"].values()}
        stats = found["daily"]["stats"]
        assert stats["num_rows"]["value"] == 3
        assert found["by_customer"]["metadata"]["comment"] == "What each customer has paid."
        assert [*found["by_customer"]["columns"]] == ["customer", "payments", "amount"]
        client.delete_dataset(shop, delete_contents=True)

    def test_ibis_sqlalchemy_polars_and_the_db_api(self, client, run, dataset):
        run("python", "-W", "ignore", "foreign.py")
        client.delete_dataset(f"{dataset}_foreign", delete_contents=True)
