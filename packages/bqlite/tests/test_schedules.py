"""Random schedules of appends, repeats, gaps, finalizes, commits and kills, against a small model.

`make bqlite-schedules` runs a thousand of them.
"""

import os
import signal
import threading
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types
from google.rpc import code_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appends import Connection, arrow_request
from bqlite.database.engine import ROW_GROUP_SIZE
from server_process import Process

SCHEDULES = int(os.environ.get("BQLITE_SCHEDULES", "16"))
OK, DEFAULT = 0, "_default"
pytestmark = pytest.mark.timeout(3600)


@dataclass
class Stream:
    kind: str
    rows: list[int] = field(default_factory=list)
    is_finalized: bool = False
    is_committed: bool = False


class Model:
    """What a table and its streams must hold and say, without a database."""

    def __init__(self):
        self.streams = {DEFAULT: Stream("COMMITTED")}

    def append(self, name, offset, values):
        stream = self.streams[name]
        if stream.is_finalized:
            return code_pb2.INVALID_ARGUMENT
        end = len(stream.rows)
        if name != DEFAULT and offset != end:
            return code_pb2.ALREADY_EXISTS if offset < end else code_pb2.OUT_OF_RANGE
        stream.rows += values
        return OK

    def commit(self, names):
        streams = [self.streams[name] for name in names]
        is_good = all(
            s.kind == "PENDING" and s.is_finalized and not s.is_committed for s in streams
        )
        for stream in streams if is_good else ():
            stream.is_committed = True
        return is_good

    def visible(self):
        shown = [s for s in self.streams.values() if s.kind == "COMMITTED" or s.is_committed]
        return sorted(value for stream in shown for value in stream.rows)


def sizes(most):
    """Rows of an append: few, or now and then so many that they pass by the write-ahead log."""
    many = st.integers(ROW_GROUP_SIZE, 2 * ROW_GROUP_SIZE)
    return st.integers(1, 8).flatmap(lambda n: many if n == 8 else st.integers(1, most))


@st.composite
def schedules(draw, *, has_kill):
    which, size = st.integers(0, 3), sizes(40)
    steps = st.one_of(
        st.tuples(st.just("create"), st.sampled_from(["COMMITTED", "PENDING"])),
        st.tuples(st.just("append"), which, st.just(0), size),
        st.tuples(st.just("append"), which, st.sampled_from([0, -1, -3, 1]), size),
        st.tuples(st.just("finalize"), which),
        st.tuples(st.just("commit"), st.lists(which, min_size=1, max_size=3)),
    )
    schedule = draw(st.lists(steps, min_size=4, max_size=14))
    if has_kill:
        kill = ("kill", draw(which), draw(sizes(400)), draw(st.floats(0, 0.015)))
        schedule.insert(draw(st.integers(0, len(schedule))), kill)
    return schedule


class Runner:
    """Does a schedule's steps on a real server and holds each answer against the model's."""

    def __init__(self, directory):
        self.directory, self.kills, self.tables, self.next_value = directory, 0, 0, 0
        self.start()
        self.process.bq.client().create_dataset("d")

    def start(self):
        self.process = Process(self.directory)
        self.client, self.writer = self.process.bq.client(), self.process.bq.write_client()

    def run(self, schedule):
        self.tables += 1
        self.table = f"d.t{self.tables}"
        self.parent = f"projects/local/datasets/d/tables/t{self.tables}"
        self.client.query_and_wait(f"CREATE TABLE {self.table} (n INT64 NOT NULL)")
        self.model = Model()
        for step, *arguments in schedule:
            getattr(self, step)(*arguments)
        self.check()
        self.client.query_and_wait(f"DROP TABLE {self.table}")

    def name_of(self, which):
        return list(self.model.streams)[which % len(self.model.streams)]

    def full(self, name):
        return f"{self.parent}/streams/{name}"

    def create(self, kind):
        stream = types.WriteStream(type_=types.WriteStream.Type[kind])
        made = self.writer.create_write_stream(parent=self.parent, write_stream=stream)
        self.model.streams[made.name.rpartition("/")[2]] = Stream(kind)

    def values(self, size):
        self.next_value += size
        return list(range(self.next_value - size, self.next_value))

    def send(self, name, offset, values):
        """The code of the answer; UNAVAILABLE if there is none."""
        wanted = None if name == DEFAULT else offset
        request = arrow_request(pa.table({"n": values}), stream=self.full(name), offset=wanted)
        try:
            with Connection(self.writer) as connection:
                return connection.send(request).error.code
        except exceptions.InvalidArgument:
            return code_pb2.INVALID_ARGUMENT
        except (exceptions.GoogleAPICallError, StopIteration):
            return code_pb2.UNAVAILABLE

    def append(self, which, shift, size):
        name = self.name_of(which)
        offset = max(0, len(self.model.streams[name].rows) + shift)
        values = self.values(size)
        assert self.send(name, offset, values) == self.model.append(name, offset, values)

    def finalize(self, which):
        name = self.name_of(which)
        if name == DEFAULT:
            return
        stream = self.model.streams[name]
        stream.is_finalized = True
        answer = self.writer.finalize_write_stream(name=self.full(name))
        assert answer.row_count == len(stream.rows)

    def commit(self, several):
        names = list(dict.fromkeys(map(self.name_of, several)))
        names = [name for name in names if name != DEFAULT]
        if not names:
            return
        request = types.BatchCommitWriteStreamsRequest(
            parent=self.parent, write_streams=map(self.full, names)
        )
        answer = self.writer.batch_commit_write_streams(request=request)
        assert (not answer.stream_errors) == self.model.commit(names)

    def kill(self, which, size, delay_s):
        """Kills the server while an append is under way, and finds out what became of it."""
        self.kills += 1
        name, values, codes = self.name_of(which), self.values(size), []
        offset = len(self.model.streams[name].rows)
        append = threading.Thread(target=lambda: codes.append(self.send(name, offset, values)))
        killer = threading.Timer(delay_s, self.process.popen.kill)
        append.start()
        killer.start()
        append.join()
        killer.join()
        self.process.end(signal.SIGKILL)
        self.start()
        if codes != [code_pb2.UNAVAILABLE]:
            assert codes == [self.model.append(name, offset, values)]
        elif name != DEFAULT:
            again = self.send(name, offset, values)
            assert again in {self.model.append(name, offset, values), code_pb2.ALREADY_EXISTS}
        elif set(values) & set(self.stored()):
            self.model.append(name, None, values)
        self.check()

    def stored(self):
        return sorted(row.n for row in self.client.query_and_wait(f"SELECT n FROM {self.table}"))

    def check(self):
        assert self.stored() == self.model.visible()
        for name, stream in self.model.streams.items():
            if stream.is_finalized:
                answer = self.writer.finalize_write_stream(name=self.full(name))
                assert answer.row_count == len(stream.rows)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    runner = Runner(tmp_path_factory.mktemp("schedules"))
    yield runner
    runner.process.end(signal.SIGKILL)


def run(runner, schedules, count):
    hypothesis = settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    hypothesis(given(schedules)(runner.run))()


def test_any_schedule_ends_with_what_the_model_says(runner):
    run(runner, schedules(has_kill=False), SCHEDULES - SCHEDULES // 8)


def test_any_schedule_with_a_kill_in_it_ends_with_what_the_model_says(runner):
    run(runner, schedules(has_kill=True), SCHEDULES // 8)
    assert runner.kills >= SCHEDULES // 8
