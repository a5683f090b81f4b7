"""Appends that wait for their turn: how much of them is in memory, over all connections."""

import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import requests
from google.rpc import code_pb2

import bqlite
from appends import Connection, arrow_request
from bqlite.storage import write

STREAM = "projects/local/datasets/d/tables/t/streams/_default"


def arm(bq, **fault):
    answer = requests.post(f"{bq.rest}/bqlite/faults", json=fault, timeout=10)
    assert answer.status_code == 200, answer.text


def seen(bq):
    return requests.get(f"{bq.rest}/bqlite/faults", timeout=10).json()["faults"][0]["seen"]


def clear(bq):
    requests.delete(f"{bq.rest}/bqlite/faults", timeout=10)


def make_table(bq, columns):
    bq.client().create_dataset("d")
    bq.client().query_and_wait(f"CREATE TABLE d.t ({columns})")


def test_an_append_beyond_what_may_wait_is_told_so_and_its_connection_goes_on(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(write, "MAX_WAITING_BYTES", 2_500_000)
    large = arrow_request(pa.table({"s": ["x" * 1_000_000]}), stream=STREAM)
    small = arrow_request(pa.table({"s": ["y"]}))
    with bqlite.serve(tmp_path, faults=True) as bq, ThreadPoolExecutor() as pool:
        make_table(bq, "s STRING")
        arm(bq, call="AppendRows", effect="delay", delay_s=3600, times=2)
        first, second, third = (Connection(bq.write_client()) for _ in range(3))
        waiting = [pool.submit(one.send, large) for one in (first, second)]
        while seen(bq) < 2:
            time.sleep(0.02)
        refused = third.send(large)
        assert refused.error.code == code_pb2.RESOURCE_EXHAUSTED
        assert "wait to be stored already" in refused.error.message
        assert not third.send(arrow_request(pa.table({"s": ["y"]}), stream=STREAM)).error.code
        clear(bq)
        assert not any(one.result(60).error.code for one in waiting)
        assert not third.send(large).error.code
        assert not third.send(small).error.code
        counted = bq.client().query_and_wait(
            "SELECT COUNTIF(s != 'y') AS large, COUNT(*) AS n FROM d.t"
        )
        assert [row.values() for row in counted] == [(3, 5)]
