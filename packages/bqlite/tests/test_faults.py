"""Faults on request: each happens to the call it names, when it was asked for, and not before."""

import threading

import pyarrow as pa
import pytest
import requests
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types
from google.rpc import code_pb2

import appends
import bqlite
from appends import Connection, arrow_request, committed

Codes = types.StorageError.StorageErrorCode
TABLE = "projects/local/datasets/d/tables/t"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    with bqlite.serve(tmp_path_factory.mktemp("faulty"), faults=True) as running:
        running.client().create_dataset("d")
        yield running


@pytest.fixture
def address(faulty):
    """Where faults are armed; the test's end clears them."""
    address = f"{faulty.rest}/bqlite/faults"
    yield address
    requests.delete(address, timeout=5)


@pytest.fixture
def arm(address):
    def arm(call, effect, **options):
        body = {"call": call, "effect": effect, **options}
        answer = requests.post(address, json=body, timeout=5)
        assert answer.status_code == 200, answer.text

    return arm


@pytest.fixture
def fired(address):
    return lambda: [one["fired"] for one in requests.get(address, timeout=5).json()["faults"]]


@pytest.fixture
def client(faulty):
    return faulty.client()


@pytest.fixture
def writer(faulty, client):
    client.query_and_wait("CREATE OR REPLACE TABLE d.t (n INT64)")
    return faulty.write_client()


def rows_of(client):
    return sorted(row.n for row in client.query_and_wait("SELECT n FROM d.t"))


def one(number):
    return pa.table({"n": [number]})


def test_a_server_not_started_with_faults_has_none(bq):
    answer = requests.get(f"{bq.rest}/bqlite/faults", timeout=5)
    assert answer.status_code == 501


def test_a_lost_answer_leaves_the_rows_stored_and_a_repeat_already_exists(
    arm, fired, client, writer
):
    stream = committed(writer, TABLE)
    arm("AppendRows", "lose_answer", nth=2)
    connection = Connection(writer)
    connection.send(arrow_request(one(0), stream=stream, offset=0))
    with pytest.raises(exceptions.ServiceUnavailable, match="Socket closed"):
        connection.send(arrow_request(one(1), offset=1, with_schema=False))
    assert rows_of(client) == [0, 1]
    with Connection(writer) as again:
        answer = again.send(arrow_request(one(1), stream=stream, offset=1))
        assert answer.error.code == code_pb2.ALREADY_EXISTS
        assert not again.send(arrow_request(one(2), offset=2, with_schema=False)).error.code
    assert fired() == [1]


def test_a_connection_dropped_before_the_work_leaves_nothing_stored(arm, client, writer):
    stream = committed(writer, TABLE)
    arm("AppendRows", "drop")
    with pytest.raises(exceptions.ServiceUnavailable):
        Connection(writer).send(arrow_request(one(0), stream=stream, offset=0))
    assert rows_of(client) == []
    with Connection(writer) as again:
        assert not again.send(arrow_request(one(0), stream=stream, offset=0)).error.code
    assert rows_of(client) == [0]


@pytest.mark.parametrize("code", ["INTERNAL", "RESOURCE_EXHAUSTED"])
def test_an_error_in_an_answer_leaves_the_connection_open(arm, client, writer, code):
    stream = committed(writer, TABLE)
    arm("AppendRows", "error", code=code)
    with Connection(writer) as connection:
        answer = connection.send(arrow_request(one(0), stream=stream, offset=0))
        assert answer.error.code == code_pb2.Code.Value(code)
        assert answer.write_stream == stream
        assert not connection.send(arrow_request(one(0), stream=stream, offset=0)).error.code
    assert rows_of(client) == [0]


def test_unavailable_ends_the_connection(arm, writer):
    arm("AppendRows", "error", code="UNAVAILABLE")
    with pytest.raises(exceptions.ServiceUnavailable, match="armed fault"):
        Connection(writer).send(arrow_request(one(0), stream=f"{TABLE}/_default"))


def test_an_expired_stream_is_not_found_from_then_on_and_its_rows_stay(arm, client, writer):
    stream, other = committed(writer, TABLE), committed(writer, TABLE)
    connection = Connection(writer)
    connection.send(arrow_request(one(0), stream=stream, offset=0))
    arm("AppendRows", "expire_stream", entity=stream)
    with Connection(writer) as another:
        assert not another.send(arrow_request(one(1), stream=other, offset=0)).error.code
    with pytest.raises(exceptions.NotFound) as refusal:
        connection.send(arrow_request(one(2), offset=1, with_schema=False))
    assert appends.storage_error(refusal.value).code == Codes.STREAM_NOT_FOUND
    for call in (writer.finalize_write_stream, writer.get_write_stream):
        with pytest.raises(exceptions.NotFound):
            call(name=stream)
    assert rows_of(client) == [0, 1]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("CreateWriteStream", lambda w, _: committed(w, TABLE)),
        ("GetWriteStream", lambda w, s: w.get_write_stream(name=s, retry=None)),
        ("FinalizeWriteStream", lambda w, s: w.finalize_write_stream(name=s, retry=None)),
    ],
)
def test_an_error_comes_to_each_method_of_a_write_stream(arm, writer, name, call):
    stream = committed(writer, TABLE)
    arm(name, "error", code="INTERNAL")
    with pytest.raises(exceptions.InternalServerError):
        call(writer, stream)
    call(writer, stream)


def test_a_lost_answer_of_finalize_leaves_the_stream_finalized(arm, writer):
    stream = committed(writer, TABLE)
    arm("FinalizeWriteStream", "lose_answer")
    with pytest.raises(exceptions.ServiceUnavailable):
        writer.finalize_write_stream(name=stream, retry=None)
    with pytest.raises(exceptions.InvalidArgument, match="finalized"):
        Connection(writer).send(arrow_request(one(0), stream=stream, offset=0))


def test_a_held_answer_comes_when_the_faults_are_cleared(arm, address, client, writer):
    arm("AppendRows", "hold_answer")
    answers = []
    sending = threading.Thread(
        target=lambda: answers.append(
            Connection(writer).send(arrow_request(one(0), stream=f"{TABLE}/_default"))
        )
    )
    sending.start()
    while rows_of(client) != [0]:
        pass
    assert not answers
    requests.delete(address, timeout=5)
    sending.join()
    assert not answers[0].error.code


def test_a_delayed_call_has_not_worked_until_the_delay_is_over(arm, fired, address, client, writer):
    arm("AppendRows", "delay", delay_s=3600)
    sending = threading.Thread(
        target=lambda: Connection(writer).send(arrow_request(one(0), stream=f"{TABLE}/_default"))
    )
    sending.start()
    while fired() != [1]:
        pass
    assert rows_of(client) == []
    requests.delete(address, timeout=5)
    sending.join()
    assert rows_of(client) == [0]


def test_a_read_breaks_in_its_middle_and_goes_on_where_it_stood(arm, fired, faulty, client):
    client.query_and_wait(
        "CREATE OR REPLACE TABLE d.r AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 200000)) AS n"
    )
    reader = faulty.read_client()
    session = reader.create_read_session(
        parent="projects/local",
        read_session=types.ReadSession(
            table="projects/local/datasets/d/tables/r", data_format=types.DataFormat.ARROW
        ),
        max_stream_count=1,
    )
    arm("ReadRows", "drop", nth=3)
    read = reader.read_rows(session.streams[0].name)
    assert sorted(row["n"].as_py() for row in read.rows(session)) == list(range(1, 200_001))
    assert fired() == [1]


def test_a_query_whose_answer_is_lost_has_happened_once(arm, client, writer):
    """Google's client asks again on a broken connection, and its request id makes it one job."""
    arm("jobs.query", "lose_answer", times=2)
    client.query_and_wait("INSERT d.t VALUES (7)")
    assert rows_of(client) == [7]


@pytest.mark.parametrize("effect", ["drop", "lose_answer"])
def test_a_broken_rest_connection_ends_before_its_first_byte(arm, faulty, effect):
    arm("datasets.get", effect)
    url = f"{faulty.rest}/bigquery/v2/projects/local/datasets/d"
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
    assert requests.get(url, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("UNAVAILABLE", 503, "backendError"),
        ("RESOURCE_EXHAUSTED", 403, "rateLimitExceeded"),
        ("INTERNAL", 500, "internalError"),
    ],
)
def test_an_error_over_rest_has_googles_status_and_reason(arm, faulty, code, status, reason):
    arm("tables.list", "error", code=code)
    answer = requests.get(f"{faulty.rest}/bigquery/v2/projects/local/datasets/d/tables", timeout=5)
    assert answer.status_code == status
    assert answer.json()["error"]["errors"][0]["reason"] == reason


def test_a_fault_happens_to_as_many_calls_as_asked_from_the_nth_on(arm, faulty):
    arm("datasets.get", "error", nth=2, times=2)
    url = f"{faulty.rest}/bigquery/v2/projects/local/datasets/d"
    assert [requests.get(url, timeout=5).status_code for _ in range(5)] == [200, 503, 503, 200, 200]


def test_a_chance_drawn_from_a_seed_repeats_itself(arm, address, faulty):
    url = f"{faulty.rest}/bigquery/v2/projects/local/datasets/d"

    def drawn(seed):
        requests.delete(address, timeout=5)
        arm("datasets.get", "error", times=None, probability=0.5, seed=seed)
        return [requests.get(url, timeout=5).status_code for _ in range(16)]

    first = drawn(1)
    assert set(first) == {200, 503}
    assert drawn(1) == first
    assert drawn(2) != first


@pytest.mark.parametrize(
    "body",
    [
        {"call": "AppendRows"},
        {"call": "AppendRows", "effect": "explode"},
        {"call": "appendrows", "effect": "drop"},
        {"call": "AppendRows", "effect": "drop", "nth": 0},
        {"call": "AppendRows", "effect": "drop", "often": 1},
    ],
    ids=str,
)
def test_a_fault_that_says_nothing_sensible_is_refused(address, body):
    answer = requests.post(address, json=body, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("fault: ")
    assert requests.get(address, timeout=5).json() == {"faults": []}
