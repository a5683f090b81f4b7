"""The end of a server: soon and whole, whatever its clients do or wait for."""

import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
from google.cloud import bigquery

import bqlite
from bqlite.database import engine as engine_module
from bqlite.database.engine import Engine
from bqlite.errors import EndingError, ServerStartError
from bqlite.faults import Faults
from bqlite.server import Server
from bqlite.work import jobs, queries

ENDLESS = (
    "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) a "
    "CROSS JOIN UNNEST(GENERATE_ARRAY(1, 1000000)) b WHERE MOD(a * b, 7) = 3"
)


def start(client, sql, id_):
    """Begin a job that nobody waits for."""
    configuration = {"query": {"query": sql, "useLegacySql": False}}
    client._connection.api_request(
        "POST",
        "/projects/local/jobs",
        data={"jobReference": {"jobId": id_}, "configuration": configuration},
    )


def test_whoever_waits_for_a_query_is_told_to_ask_again_be_it_begun_or_not(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "CONCURRENT", 1)
    ids = ["begun", "waits"]
    with ThreadPoolExecutor(len(ids)) as pool:
        with bqlite.serve(tmp_path) as bq:
            for id_ in ids:
                start(bq.client(), ENDLESS, id_)
            at = f"{bq.rest}/bigquery/v2/projects/local/queries"
            waiting = [
                pool.submit(requests.get, f"{at}/{id_}?timeoutMs=200000", timeout=30) for id_ in ids
            ]
            requests.get(f"{at}/{ids[-1]}?timeoutMs=1", timeout=30)  # theirs came before
        answers = [one.result() for one in waiting]
    assert {one.status_code for one in answers} == {503}
    assert {one.json()["error"]["errors"][0]["reason"] for one in answers} == {"backendError"}


def test_a_statement_that_begins_after_what_runs_was_stopped_is_stopped_too(tmp_path, monkeypatch):
    """It would hold the lock of all writers, and so the end, for as long as it lasts."""
    stopped = threading.Event()
    interrupt, first = Engine.interrupt, queries.first
    monkeypatch.setattr(Engine, "interrupt", lambda self: [interrupt(self), stopped.set()])
    monkeypatch.setattr(queries, "first", lambda *asked: stopped.wait() and first(*asked))
    with Server(tmp_path) as server:
        client = bqlite.Bqlite(server.rest, server.storage, server.project).client()
        client.create_dataset("d")
        client.create_table(bigquery.Table("local.d.t", [bigquery.SchemaField("n", "INTEGER")]))
        start(client, f"INSERT d.t {ENDLESS}", "late")
        while not server._engine._write_lock.locked():
            time.sleep(0.01)
    monkeypatch.undo()
    with bqlite.serve(tmp_path) as bq:
        assert bq.client().get_table("d.t").num_rows == 0


@contextmanager
def held(server):
    """A writer that hears nothing."""
    begun, let_go = threading.Event(), threading.Event()

    def write():
        with suppress(EndingError), server._engine.write():
            begun.set()
            let_go.wait()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    yield
    let_go.set()
    writer.join()


def test_a_write_that_does_not_end_keeps_the_directory_and_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(engine_module, "CLOSED_WITHIN_S", 0.1)
    server = Server(tmp_path)
    with server, held(server):
        server.__exit__(None, None, None)
        assert "is not closed: a statement does not end" in caplog.text
        with pytest.raises(ServerStartError, match="in use by another bqlite"):
            Server(tmp_path)


def test_a_call_or_request_that_does_not_end_is_left_behind(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("bqlite.server.STOPPED_WITHIN_S", 0.1)
    with Server(tmp_path) as server:
        stop = server._grpc.stop
        monkeypatch.setattr(server._grpc, "stop", lambda grace: stop(grace) and threading.Event())
        monkeypatch.setattr(server._thread, "is_alive", lambda: True)
    told = [record.getMessage() for record in caplog.records]
    assert any(line.startswith(f"calls at {server.storage} have not ended") for line in told)
    assert any(line.startswith(f"requests at {server.rest} have not ended") for line in told)


def test_a_forgotten_reader_may_be_collected_where_another_one_begins(tmp_path):
    with Server(tmp_path) as server:
        engine = server._engine
        cursor = engine.cursor()
        cursor.__enter__()

        def collect():
            with engine._cursors_lock:
                cursor.__exit__(None, None, None)

        collecting = threading.Thread(target=collect, daemon=True)
        collecting.start()
        collecting.join(10)
        assert not collecting.is_alive()


def test_nothing_is_begun_or_armed_once_it_ends(tmp_path):
    faults = Faults(lambda _: None)
    faults.calls.add("AppendRows")
    faults.close()
    with pytest.raises(EndingError):
        faults.arm(b'{"call": "AppendRows", "effect": "delay", "delay_s": 3600}')
    with Server(tmp_path) as server:
        engine = server._engine
    with pytest.raises(EndingError), engine.cursor():
        pass
    with pytest.raises(EndingError), engine.write():
        pass


PROGRAM = """
    import socket, sys, threading, time, traceback
    import pyarrow as pa, requests
    import bqlite
    from appends import Connection, arrow_request
    from bqlite.work import jobs

    def inside(function):  # how many threads are in it
        stacks = map(traceback.walk_stack, sys._current_frames().values())
        return sum(function in {frame.f_code.co_name for frame, _ in each} for each in stacks)

    jobs.CONCURRENT = 2
    endless = sys.argv[2]
    with bqlite.serve(sys.argv[1], faults=True) as bq:
        client = bq.client()
        client.create_dataset("d")
        client.query_and_wait("CREATE TABLE d.t (n INT64)")
        for number in range(3):  # one works, one waits for it to write, and one has not begun
            client.query(f"INSERT d.t {endless}", job_id=f"j{number}", job_retry=None)
        faults = f"{bq.rest}/bqlite/faults"
        project = f"{bq.rest}/bigquery/v2/projects/local"
        for call, effect in ("datasets.get", "delay"), ("datasets.list", "hold_answer"):
            fault = {"call": call, "effect": effect, "delay_s": 3600}
            requests.post(faults, json=fault, timeout=10).raise_for_status()
        waiting = [f"{project}/datasets/d", f"{project}/datasets"]
        waiting += [f"{project}/queries/j{number}?timeoutMs=200000" for number in range(3)]
        for address in waiting:
            threading.Thread(target=requests.get, args=(address,), daemon=True).start()
        rows = arrow_request(
            pa.table({"n": [1]}), stream="projects/local/datasets/d/tables/t/streams/_default"
        )
        connection = Connection(bq.write_client())  # it waits for the writers before it
        threading.Thread(target=connection.send, args=(rows,), daemon=True).start()
        silent = []
        for address in (bq.rest, bq.storage):
            port = int(address.rpartition(":")[2])
            silent.append(socket.create_connection(("127.0.0.1", port)))
        silent.append(socket.create_connection(("127.0.0.1", int(bq.rest.rpartition(":")[2]))))
        head = b"POST /upload/bigquery/v2/projects/local/jobs?uploadType=multipart HTTP/1.1\\r\\n"
        silent[-1].sendall(head + b"Host: localhost\\r\\nContent-Length: 1000\\r\\n\\r\\nhalf")
        while inside("_answer") < 3 or inside("before") < 1 or inside("append") < 1:
            time.sleep(0.02)
    with bqlite.serve(sys.argv[1]) as bq:
        print([row.n for row in bq.client().query_and_wait("SELECT COUNT(*) AS n FROM d.t")])
"""


def test_a_process_ends_with_its_server_for_no_thread_of_it_goes_on(tmp_path):
    """Python ends when the last thread does that answers a client."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path), ENDLESS],
        cwd=Path(__file__).parent,
        capture_output=True,
        timeout=50,
        check=True,
        text=True,
    )
    assert done.stdout == "[0]\n"


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_job_says_of_its_rows_what_the_next_server_finds(tmp_path, monkeypatch, is_committed):
    """A client that is told to ask again must not find that it was done."""
    held, goes_on, finish = threading.Event(), threading.Event(), engine_module.Transaction.finish

    def hold(transaction):
        if is_committed:
            finish(transaction)
        held.set()
        goes_on.wait(10)
        if not is_committed:
            finish(transaction)

    with bqlite.serve(tmp_path) as bq:
        bq.client().create_dataset("d")
        bq.client().query("CREATE TABLE d.t (n INT64)").result()
        monkeypatch.setattr(engine_module.Transaction, "finish", hold)
        start(bq.client(), "INSERT d.t VALUES (1)", "one")
        assert held.wait(10)
        threading.Timer(0.5, goes_on.set).start()
    monkeypatch.undo()
    with bqlite.serve(tmp_path) as bq:
        rows = list(bq.client().query("SELECT n FROM d.t").result())
        state = requests.get(f"{bq.rest}/bigquery/v2/projects/local/jobs/one", timeout=30)
    assert len(rows) == int(is_committed)
    if is_committed and state.status_code == 200:
        assert "errorResult" not in state.json()["status"]
