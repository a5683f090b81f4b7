"""Appends that wait for their turn: how much of them is in memory, over all connections."""

import queue
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pyarrow as pa
import pytest
import requests
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import descriptor_pb2
from google.rpc import code_pb2

import bqlite
from appends import Connection, arrow_request, proto_request
from bqlite.storage import write
from server_process import Process, most_held_mb

STREAM = "projects/local/datasets/d/tables/t/streams/_default"
LIMIT_BYTES = 210 << 20
METHOD = "/google.cloud.bigquery.storage.v1.BigQueryWrite/AppendRows"


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


# As `python -m bqlite`, with less memory and a lower limit, so that little has to be sent.
LOWERED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
from bqlite.storage import write
write.MAX_WAITING_BYTES = {LIMIT_BYTES}
from bqlite.server import main
main(sys.argv[4:])
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_appends_that_wait_are_in_memory_as_they_came_and_not_unpacked(tmp_path):
    """Each of them is 10 MB, and some 100 MB once it is unpacked: 2.5 GB of all of them."""
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    descriptor.field.add(name="n", number=1, type=3, label=1)
    request = proto_request([], stream=STREAM, descriptor=descriptor)
    request.proto_rows.rows.serialized_rows.extend([b""] * 5_200_000)
    raw = types.AppendRowsRequest.serialize(request)
    taken, refused = LIMIT_BYTES // len(raw), 5
    answers, ends = queue.SimpleQueue(), [queue.SimpleQueue() for _ in range(taken + refused)]
    process = Process(tmp_path / "data", "--faults", prefix=(sys.executable, "-c", LOWERED))
    try:
        make_table(process.bq, "n INT64, m INT64")
        arm(process.bq, call="AppendRows", effect="delay", delay_s=3600, times=None)
        with (
            grpc.insecure_channel(process.bq.storage) as channel,
            ThreadPoolExecutor(len(ends)) as pool,
        ):
            append = channel.stream_stream(METHOD)

            def send(end):
                end.put(raw)
                for answer in append(iter(end.get, None)):
                    answers.put(types.AppendRowsResponse.deserialize(answer).error.code)
                    end.put(None)

            for end in ends:
                pool.submit(send, end)
            codes = [answers.get(timeout=60) for _ in range(refused)]
            most = most_held_mb(process.popen.pid)
            clear(process.bq)
            codes += [answers.get(timeout=60) for _ in range(taken)]
        exhausted, too_many_rows = code_pb2.RESOURCE_EXHAUSTED, code_pb2.INVALID_ARGUMENT
        assert codes == [exhausted] * refused + [too_many_rows] * taken
        assert most < 1500
    finally:
        process.end(signal.SIGKILL)
