"""Clients that take their time, or promise more than they send, cost bqlite little."""

import json
import socket
import time

import pytest
import requests

from bqlite import slow_clients
from bqlite.rest import slow_bodies, uploads


@pytest.fixture
def connect(bq):
    opened = []

    def connect(sent=b""):
        one = socket.create_connection(("127.0.0.1", int(bq.rest.rpartition(":")[2])), timeout=30)
        opened.append(one)
        one.sendall(sent)
        return one

    yield connect
    for one in opened:
        one.close()


def ended(one):
    """What came before the server closed the connection."""
    try:
        return b"".join(iter(lambda: one.recv(65_536), b""))
    except ConnectionResetError:
        return b""


def trickle(one):
    for _ in range(300):
        one.sendall(b"X: y\r\n")
        time.sleep(0.1)


def test_a_head_that_does_not_come_ends_its_connection(connect, monkeypatch):
    monkeypatch.setattr(slow_clients, "HEADERS_WITHIN_S", 0.5)
    assert ended(connect()) == b""
    trickling = connect(b"GET / HTTP/1.1\r\n")
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        trickle(trickling)
    again = connect(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n")
    assert ended(again).startswith(b"HTTP/1.1 200")


def test_a_body_that_does_not_come_is_told_so(connect, monkeypatch):
    monkeypatch.setattr(slow_bodies, "BODY_WITHIN_S", 0.5)
    head = (
        b"POST /bigquery/v2/projects/local/queries HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    answer = ended(connect(head))
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"1 bytes of the request" in answer


def test_many_idle_connections_keep_nobody_out(bq, connect, monkeypatch):
    monkeypatch.setattr(slow_clients, "MAX_CONNECTIONS", 20)
    idle = [connect(b"GET / HT") for _ in range(60)]
    assert requests.get(f"{bq.rest}/", timeout=30).json() == {"name": "bqlite"}
    for one in idle[:30]:
        assert ended(one) == b""


@pytest.fixture
def begin(bq, dataset):
    table = {"projectId": "local", "datasetId": dataset, "tableId": "t"}
    schema = {"fields": [{"name": "a", "type": "INT64"}]}
    load = {"destinationTable": table, "sourceFormat": "CSV", "schema": schema}

    def begin():
        return requests.post(
            f"{bq.rest}/upload/bigquery/v2/projects/local/jobs?uploadType=resumable",
            json={"configuration": {"load": load}},
            timeout=30,
        )

    return begin


def put(where, data, content_range):
    return requests.put(where, data, headers={"Content-Range": content_range}, timeout=30)


@pytest.mark.parametrize(
    ("content_range", "status"),
    [
        ("bytes 0-1/6", 400),  # fewer than come
        ("bytes 5-3/6", 400),
        ("bytes 0-9/6", 400),
        ("bytes */4", 400),  # a question sends nothing
        (f"bytes 0-3/{1 << 50}", 413),
        ("bytes 0-3/" + "9" * 30, 400),
        ("bytes 1-4/6", 400),
    ],
)
def test_a_piece_that_is_not_what_its_range_says_is_refused(begin, content_range, status):
    where = begin().headers["Location"]
    assert put(where, b"1\n2\n", content_range).status_code == status
    assert put(where, b"", "bytes */*").status_code == 308
    assert json.loads(put(where, b"1\n2\n", "bytes 0-3/4").text)["kind"] == "bigquery#job"


def test_uploads_are_limited_in_number_and_forgotten_when_idle(begin, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_OPEN", 0)
    refused = begin()
    assert refused.status_code == 400
    assert "uploads are under way" in refused.json()["error"]["message"]
    monkeypatch.setattr(uploads, "MAX_OPEN", 64)
    where = begin().headers["Location"]
    monkeypatch.setattr(uploads, "IDLE_FOR_S", 0)
    begin()
    assert put(where, b"1\n", "bytes 0-1/2").status_code == 404


def test_fifty_clients_that_wait_for_a_query_keep_nobody_else_waiting(bq, client, connect):
    job = client.query(
        "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) a "
        "CROSS JOIN UNNEST(GENERATE_ARRAY(1, 1000000)) b WHERE MOD(a * b, 7) = 3"
    )
    wait = f"GET /bigquery/v2/projects/local/queries/{job.job_id}?timeoutMs=200000 HTTP/1.1\r\n"
    waiting = [connect(f"{wait}Host: localhost\r\n\r\n".encode()) for _ in range(50)]
    answer = requests.get(f"{bq.rest}/bigquery/v2/projects/local/datasets", timeout=30)
    assert answer.status_code == 200
    client.cancel_job(job.job_id, timeout=30)
    assert waiting[-1].recv(65_536).startswith(b"HTTP/1.1 499")
