"""The command: how it starts, refuses, ends, and what a kill leaves behind."""

import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.rpc import code_pb2

import bqlite
from appends import Connection, arrow_request, committed
from bqlite.errors import ServerStartError
from bqlite.server import Server
from server_process import Process


@pytest.fixture
def start(tmp_path):
    started = []

    def start(*options, directory=tmp_path / "data", prefix=()):
        started.append(Process(directory, *options, prefix=prefix))
        return started[-1]

    yield start
    for process in started:
        if process.popen.poll() is None:
            process.end(signal.SIGKILL)


def test_it_says_in_one_line_where_it_listens_and_keeps_all_over_a_restart(start, monkeypatch):
    process = start("--project", "mine")
    assert process.ready["rest"].startswith("http://127.0.0.1:")
    assert process.ready["storage"].startswith("127.0.0.1:")
    assert process.ready["pid"] == process.popen.pid
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", process.ready["rest"])
    client = bigquery.Client(project="mine", credentials=AnonymousCredentials())
    client.create_dataset("d")
    client.load_table_from_json([{"a": 1}], "d.loaded").result()
    client.query_and_wait(
        "CREATE TABLE d.t (a INT64 NOT NULL) CLUSTER BY a OPTIONS(description='x')"
    )
    client.query_and_wait("CREATE VIEW d.v AS SELECT a * 2 AS b FROM d.t")
    client.query("INSERT d.t VALUES (7)", job_id="the-insert", job_retry=None).result()
    assert process.end() == 0

    client = start("--project", "mine").bq.client()
    table = client.get_table("d.t")
    assert (table.clustering_fields, table.description, table.num_rows) == (["a"], "x", 1)
    assert [row.b for row in client.query_and_wait("SELECT b FROM d.v")] == [14]
    assert [row.a for row in client.list_rows("d.loaded")] == [1]
    with pytest.raises(exceptions.Conflict):
        client.query("INSERT d.t VALUES (7)", job_id="the-insert", job_retry=None)
    assert client.get_job("the-insert").num_dml_affected_rows == 1


def test_a_start_waits_for_no_parser_file_reader_or_client():
    late = {"sqlglot", "pyarrow.parquet", "pyarrow.csv", "pandas", "google.cloud.bigquery"}
    program = (
        "import sys, uvicorn, bqlite.database.catalog, bqlite.rest.app, bqlite.storage.service\n"
        f"print(sorted({late} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


def test_an_append_is_stored_and_read_without_pandas(start):
    process = start()
    client = process.bq.client()
    client.create_dataset("d")
    client.create_table(bigquery.Table("local.d.t", [bigquery.SchemaField("a", "INTEGER")]))
    request = arrow_request(
        pa.table({"a": [1]}), stream="projects/local/datasets/d/tables/t/streams/_default"
    )
    with Connection(process.bq.write_client()) as connection:
        assert not connection.send(request).error.message
    assert [row.a for row in client.list_rows("d.t")] == [1]
    assert "/pandas/" not in Path(f"/proc/{process.ready['pid']}/maps").read_text()


def test_what_it_cannot_use_is_refused_in_one_line_with_exit_code_1(start, bq, tmp_path):
    taken = bq.storage.rpartition(":")[2]
    (tmp_path / "file").write_text("")
    for options, directory, words in (
        (("--storage-port", taken), tmp_path / "free", f"port {taken}"),
        ((), tmp_path / "file", str(tmp_path / "file")),
    ):
        code, message = start(*options, directory=directory).refused()
        assert code == 1
        assert words in message
        assert message.count("\n") == 1


def test_what_it_keeps_is_for_its_user_alone_and_what_was_open_is_closed_and_told(start, tmp_path):
    data = tmp_path / "data"
    first = start(directory=data)
    first.bq.client().create_dataset("d")
    first.bq.client().query_and_wait("CREATE TABLE d.t AS SELECT 1 AS x")
    assert first.end() == 0
    files = [data, *data.rglob("*")]
    assert [file.name for file in files if file.stat().st_mode & 0o077] == []
    (data / "bqlite.duckdb").chmod(0o644)
    second = start(directory=data)
    assert (data / "bqlite.duckdb").stat().st_mode & 0o777 == 0o600
    assert "bqlite.duckdb was open to other users" in second.popen.stderr.readline()


def test_a_directory_or_port_in_use_is_named(bq, tmp_path):
    with (
        bqlite.serve(tmp_path / "data"),
        pytest.raises(ServerStartError, match="in use by another bqlite"),
        bqlite.serve(tmp_path / "data"),
    ):
        pass
    port = int(bq.rest.rpartition(":")[2])
    with pytest.raises(ServerStartError, match=str(port)):
        Server(tmp_path / "other", port=port)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bqlite.duckdb").write_text("no database" * 1000)
    with pytest.raises(ServerStartError, match=r"bqlite\.duckdb"):
        Server(tmp_path / "bad")
    with bqlite.serve(tmp_path / "other"):  # a refusal leaves the directory free
        pass


def test_sigterm_ends_it_soon_whatever_is_in_flight(start):
    process = start()
    client, writer = process.bq.client(), process.bq.write_client()
    client.create_dataset("d")
    client.query_and_wait("CREATE TABLE d.t (a INT64)")
    connection = Connection(writer)
    connection.send(
        arrow_request(pa.table({"a": [1]}), stream="projects/local/datasets/d/tables/t/_default")
    )
    job = client.query(
        "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) a "
        "CROSS JOIN UNNEST(GENERATE_ARRAY(1, 1000000)) b WHERE MOD(a * b, 7) = 3"
    )
    assert job.state != "DONE"
    assert process.end() == 0


def test_sigterm_ends_it_within_two_seconds_while_a_hundred_connections_append(start):
    process = start()
    client = process.bq.client()
    client.create_dataset("d")
    client.query_and_wait("CREATE TABLE d.t (n INT64)")
    rows = pa.table({"n": range(500)})
    request = arrow_request(rows, stream="projects/local/datasets/d/tables/t/_default")
    writers = [process.bq.write_client() for _ in range(4)]
    begun = threading.Barrier(101)

    def flood(number):
        with Connection(writers[number % 4]) as connection:
            connection.send(request)
            begun.wait()
            with contextlib.suppress(exceptions.GoogleAPICallError, StopIteration):
                while True:
                    connection.send(request)

    threads = [threading.Thread(target=flood, args=(i,), daemon=True) for i in range(100)]
    for thread in threads:
        thread.start()
    begun.wait(timeout=60)
    time.sleep(0.3)
    told = time.monotonic()
    # Slow machines are ended by the kernel, in time all the same.
    assert process.end() in {0, -signal.SIGALRM}
    assert time.monotonic() - told < 2
    for thread in threads:
        thread.join(timeout=30)
    (row,) = start().bq.client().query_and_wait("SELECT MOD(COUNT(*), 500) AS part FROM d.t")
    assert row.part == 0


def test_kill_9_between_and_within_appends_loses_no_row_and_doubles_none(start):
    """A writer that repeats what was not acknowledged ends with every row once."""
    process = start()
    client = process.bq.client()
    client.create_dataset("d")
    client.query_and_wait("CREATE TABLE d.t (n INT64 NOT NULL)")
    stream = committed(process.bq.write_client(), "projects/local/datasets/d/tables/t")
    rng = random.Random(7)
    size, acknowledged, kills = 50, 0, 0
    connection = Connection(process.bq.write_client())
    is_first = True
    killer = None
    while kills < 3 or is_first:  # to the first append after the last kill
        if killer is None and kills < 3:
            killer = threading.Timer(rng.uniform(0.02, 0.4), process.popen.kill)
            killer.start()
        rows = pa.table({"n": list(range(acknowledged, acknowledged + size))})
        try:
            answer = connection.send(
                arrow_request(rows, stream=stream, offset=acknowledged, with_schema=is_first)
            )
        except exceptions.GoogleAPICallError:
            process.popen.wait(timeout=30)
            process.end(signal.SIGKILL)
            kills, killer = kills + 1, None
            process = start()
            connection, is_first = Connection(process.bq.write_client()), True
            stored = next(iter(process.bq.client().query_and_wait("SELECT COUNT(*) AS n FROM d.t")))
            assert stored.n in {acknowledged, acknowledged + size}
            continue
        assert answer.error.code in {0, code_pb2.ALREADY_EXISTS}, answer
        is_first = False
        acknowledged += size
    client = process.bq.client()
    (row,) = client.query_and_wait(
        "SELECT COUNT(*) AS n, COUNT(DISTINCT n) AS d, MAX(n) AS m FROM d.t"
    )
    assert row.values() == (acknowledged, acknowledged, acknowledged - 1)
    assert process.bq.write_client().finalize_write_stream(name=stream).row_count == acknowledged


# Every file ends at 4 or 8 MB, by shell, as on a disk that is full.
SMALL_FILES = ("sh", "-c", 'ulimit -f 8192; exec "$0" "$@"')


def test_a_full_disk_is_told_and_keeps_what_was_acknowledged(start):
    process = start(prefix=SMALL_FILES)
    client = process.bq.client()
    client.create_dataset("d")
    client.query_and_wait("CREATE TABLE d.t (n INT64)")
    stream = committed(process.bq.write_client(), "projects/local/datasets/d/tables/t")
    acknowledged, refusal = 0, None
    with Connection(process.bq.write_client()) as connection:
        while refusal is None and acknowledged < 10_000_000:
            rows = pa.table({"n": range(acknowledged, acknowledged + 20_000)})
            try:
                connection.send(arrow_request(rows, stream=stream, offset=acknowledged))
                acknowledged += 20_000
            except exceptions.ResourceExhausted as error:
                refusal = error
    assert "the disk refused" in refusal.message
    process.end(signal.SIGKILL)
    bq = start().bq
    (row,) = bq.client().query_and_wait("SELECT COUNT(*) AS n, MAX(n) AS m FROM d.t")
    assert row.values() == (acknowledged, acknowledged - 1)
    assert bq.write_client().finalize_write_stream(name=stream).row_count == acknowledged


def test_a_query_that_needs_too_much_memory_is_told_and_the_server_lives(start):
    client = start("--memory-limit-mb", "100").bq.client()
    wide = (
        "SELECT CONCAT(REPEAT('x', 1000), CAST(x AS STRING)) AS v "
        "FROM UNNEST(GENERATE_ARRAY(1, 150000)) AS x"
    )
    with pytest.raises(exceptions.BadRequest, match="Resources exceeded") as refusal:
        client.query_and_wait(f"SELECT ARRAY_AGG(v) AS a FROM ({wide})", job_retry=None)
    assert refusal.value.errors[0]["reason"] == "resourcesExceeded"
    # What can be done in parts is done on disk.
    distinct = f"SELECT COUNT(*) AS n FROM (SELECT v FROM ({wide}) GROUP BY v)"
    assert [row.n for row in client.query_and_wait(distinct)] == [150_000]


def test_many_writers_and_readers_at_once_end_with_every_row(bq, client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (w INT64, n INT64)")
    parent = f"projects/local/datasets/{dataset}/tables/t"
    failures = []

    def write(number):
        try:
            writer = bq.write_client()
            stream = committed(writer, parent)
            with Connection(writer) as connection:
                for i in range(10):
                    rows = pa.table({"w": [number] * 20, "n": list(range(i * 20, i * 20 + 20))})
                    request = arrow_request(rows, stream=stream, offset=i * 20)
                    assert not connection.send(request).error.code
        except Exception as error:  # noqa: BLE001  # whatever fails in a thread fails the test
            failures.append(error)

    def read():
        try:
            for _ in range(10):
                (row,) = client.query_and_wait(f"SELECT COUNT(*) AS n FROM {dataset}.t")
                assert row.n % 20 == 0
        except Exception as error:  # noqa: BLE001  # whatever fails in a thread fails the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    threads += [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    (row,) = client.query_and_wait(
        f"SELECT COUNT(*) AS n, COUNT(DISTINCT w * 1000 + n) AS d FROM {dataset}.t"
    )
    assert row.values() == (1600, 1600)


def test_it_listens_on_one_loopback_address_only(bq):
    """A server on every address would answer at 127.0.0.2 too."""
    for address in (bq.rest, bq.storage):
        port = int(address.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))
