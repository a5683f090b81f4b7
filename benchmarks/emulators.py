"""bqlite beside bqemulator, each through Google's own clients: `make bench-bqlite`.

bqemulator copies the whole table at each write, so its fillings are bound in time, and growth to
millions of rows is measured of bqlite alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from benchmarks.appends import COLUMNS, Filling, appending, fill, request_of
from benchmarks.bigquery_servers import Running, bqemulator_in, bqlite_in
from benchmarks.measure import median, ratio, say, spread, table, take_turns
from benchmarks.results import measured
from google.api_core import exceptions
from google.cloud import bigquery

from fraudline import datasets

ROUNDS = 3
GROWN_ROWS = 3_000_000
_STEP_ROWS = 500_000
_WITHIN_S = 8.0  # for one filling
_OURS, _RIVAL = "bqlite", "bqemulator"
_SERVERS: dict[str, Callable[[Path], AbstractContextManager[Running]]] = {
    _OURS: bqlite_in,
    _RIVAL: bqemulator_in,
}
_APPENDS = {500: 500, 5_000: 100}  # how many appends of so many rows
_BESIDE_S, _BESIDE_ROWS, _A_SECOND = 30, 500, 20
_PATIENCE_S = 20


def main() -> None:
    """Print the tables, and keep them in `RESULTS.md`."""
    measured("bqlite beside bqemulator", "make bench-bqlite", measure)


def measure() -> list[str]:
    """Appends, growth, appends beside queries, a load and a read."""
    with tempfile.TemporaryDirectory() as directory:
        places = (Path(directory) / str(number) for number in range(1000))
        return [*_rates(places), *_growth(places), *_beside(places), *_files(places)]


@dataclass
class _Filled:
    filling: Filling
    started_mb: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.filling.rate():,.0f} rows/s"


def _rates(places: Iterator[Path]) -> list[str]:
    lines = []
    for rows, count in _APPENDS.items():
        contenders = {
            (name, way): _filler(name, way, rows, count, places)
            for way in ("Arrow", "protobuf")
            for name in _SERVERS
        }
        found = take_turns(
            {f"{name}, {way}, {rows:,} rows": run for (name, way), run in contenders.items()},
            ROUNDS,
        )
        for (name, way), runs in zip(contenders, found.values(), strict=True):
            rates = [run.filling.rate() for run in runs]
            theirs = [run.filling.rate() for run in found[f"{_RIVAL}, {way}, {rows:,} rows"]]
            lines.append(
                (
                    f"{name}, {way}, {rows:,} rows",
                    spread(rates),
                    f"{median([run.filling.rate(0.8) for run in runs]):,.0f}",
                    f"{max(len(run.filling.ends_s) for run in runs) * rows:,}",
                    f"{ratio(rates, theirs):,.1f}",
                    f"{median([run.started_mb for run in runs]):,.0f}",
                    f"{max(run.peak_mb for run in runs):,.0f}",
                )
            )
    return [
        f"Appends of {COLUMNS} columns to the default stream of a new table, each sent when the "
        "one before is acknowledged. bqlite has each on disk by then; bqemulator, as it starts by "
        "itself, keeps all in memory, and copies the table at each write: a filling therefore ends "
        f"after {_WITHIN_S:.0f} s, if not with the rows that are wanted. Rates are medians (least "
        "to most):",
        table(
            (
                "", "rows/s", "rows/s, the last fifth", "rows in the table at most",
                "times as fast as bqemulator", "memory at start, MB", "at most, MB",
            ),
            lines,
        ),
    ]  # fmt: skip


def _filler(
    name: str, way: str, rows: int, count: int, places: Iterator[Path]
) -> Callable[[], _Filled]:
    request = request_of(way.lower(), rows)

    def run() -> _Filled:
        with _SERVERS[name](next(places)) as running:
            started_mb = running.memory_mb
            with appending(running.clients, "bench.appended", timeout_s=60) as appender:
                filling = fill(appender, request, rows, count, _WITHIN_S)
            return _Filled(filling, started_mb, running.peak_memory_mb)

    return run


def _growth(places: Iterator[Path]) -> list[str]:
    """Bqlite alone, to millions of rows."""
    rows, lines = 5_000, []
    request = request_of("arrow", rows)
    with (
        bqlite_in(next(places)) as running,
        appending(running.clients, "bench.grown") as appender,
    ):
        for end in range(_STEP_ROWS, GROWN_ROWS + 1, _STEP_ROWS):
            filling = fill(appender, request, rows, _STEP_ROWS // rows, 600)
            cells = (f"{filling.rate():,.0f}", f"{filling.longest_ms:,.0f}")
            say(f"{end:,} rows: {cells[0]} rows/s, {running.memory_mb:,.0f} MB")
            lines.append((f"{end:,}", *cells, f"{running.memory_mb:,.0f}"))
        peak_mb = running.peak_memory_mb
    return [
        f"bqlite's rate while one table grows, by Arrow, {rows:,} rows at a time; at most it held "
        f"{peak_mb:,.0f} MB:",
        table(
            (
                "rows in the table",
                "rows/s of the last 500,000",
                "the longest append of these, ms",
                "memory, MB",
            ),
            lines,
        ),
    ]


def _beside(places: Iterator[Path]) -> list[str]:
    """Paced appends, each timed from when it was due, beside a client that asks without pause."""
    lines = []
    for name, start in _SERVERS.items():
        with start(next(places)) as running:
            paced = _paced(running)
        say(f"{name}: {paced}")
        lines.append((name, *paced.cells()))
    return [
        f"{_A_SECOND} appends/s of {_BESIDE_ROWS:,} rows for {_BESIDE_S} s by Arrow, beside a "
        "client that asks for counts, means and maxima of the whole table by groups as soon as it "
        "is answered. Milliseconds from when an append was due to its acknowledgement; an append "
        f"that waits {_PATIENCE_S} s ends the run, and one without an answer counts with its wait:",
        table(
            ("", "appends", "p50", "p99", "at most", "queries answered", "p50 of these", "ended"),
            lines,
        ),
    ]


@dataclass
class _Paced:
    late_ms: list[float] = field(default_factory=list)
    asked_ms: list[float] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(self.cells())

    def cells(self) -> list[str]:
        """What the table shows."""
        found = np.percentile(self.late_ms, (50, 99, 100)) if self.late_ms else [np.nan] * 3
        return [
            f"{len(self.late_ms):,}",
            *(f"{value:,.0f}" for value in found),
            f"{len(self.asked_ms):,}",
            f"{median(self.asked_ms):,.0f}" if self.asked_ms else "none",
            "; ".join(self.ended) or "as planned",
        ]


def _paced(running: Running) -> _Paced:
    found, request = _Paced(), request_of("arrow", _BESIDE_ROWS)
    with appending(running.clients, "bench.beside", _BESIDE_S + _PATIENCE_S) as appender:
        appender.append(request)
        with _asking(running, found):
            begun = time.monotonic()
            for number in range(_BESIDE_S * _A_SECOND):
                due = begun + number / _A_SECOND
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    appender.append(request)
                except (exceptions.GoogleAPICallError, StopIteration) as error:
                    found.ended.append(f"an append had no answer: {_told(error)}")
                found.late_ms.append((time.monotonic() - due) * 1000)
                if not found.ended and found.late_ms[-1] > _PATIENCE_S * 1000:
                    found.ended.append(f"an append waited {_PATIENCE_S} s")
                if found.ended:
                    break
    return found


@contextmanager
def _asking(running: Running, found: _Paced) -> Iterator[None]:
    asking = subprocess.Popen(
        [
            sys.executable, "-m", "benchmarks.asking", running.clients.rest,
            running.clients.project, "bench.beside", str(_BESIDE_S),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        asking.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
        yield
        out, err = asking.communicate(timeout=_PATIENCE_S)
        found.asked_ms += json.loads(out) if out else []
        if asking.returncode:
            found.ended.append(f"a query failed: {err.strip().splitlines()[-1][:120]}")
    except subprocess.TimeoutExpired:
        found.ended.append(f"a query waited {_PATIENCE_S} s")
    finally:
        asking.kill()
        asking.wait()


def _files(places: Iterator[Path]) -> list[str]:
    """The real transactions: a load job, and all of them in a DataFrame."""
    file = datasets.fetch(datasets.find("creditcard"), datasets.user_cache(), lambda *_: None)
    loads: dict[str, list[float]] = {name: [] for name in _SERVERS}
    reads: dict[str, list[float | str]] = {name: [] for name in _SERVERS}
    peaks = dict.fromkeys(_SERVERS, 0.0)
    for _ in range(ROUNDS):
        for name, start in _SERVERS.items():
            with start(next(places)) as running:
                loads[name].append(_load(running, file))
                reads[name].append(_read(running))
                peaks[name] = max(peaks[name], running.peak_memory_mb)
            say(f"{name}: loaded in {loads[name][-1]:.2f} s, read: {reads[name][-1]}")
    return [
        "The 284,807 transactions of the creditcard data: a load job of the CSV file, and "
        "`list_rows(…).to_dataframe()` through the Storage Read API. Seconds, median (least to "
        "most):",
        table(
            ("", "load", "read", "memory at most, MB"),
            [
                (name, spread(loads[name], 2), _seconds(reads[name]), f"{peaks[name]:,.0f}")
                for name in _SERVERS
            ],
        ),
    ]


def _load(running: Running, file: Path) -> float:
    client = running.clients.client()
    client.create_dataset("bench")
    with file.open("rb") as lines:
        names = lines.readline().decode().strip().replace('"', "").split(",")
    schema = [
        bigquery.SchemaField(name, "INTEGER" if name == "Class" else "FLOAT") for name in names
    ]
    job = bigquery.LoadJobConfig(schema=schema, source_format="CSV", skip_leading_rows=1)
    begun = time.monotonic()
    with file.open("rb") as lines:
        client.load_table_from_file(lines, "bench.payments", job_config=job).result(timeout=60)
    return time.monotonic() - begun


def _read(running: Running) -> float | str:
    client, reader = running.clients.client(), running.clients.read_client()
    rows = client.get_table("bench.payments").num_rows
    begun = time.monotonic()
    try:
        frame = client.list_rows("bench.payments", timeout=60).to_dataframe(
            bqstorage_client=reader, timeout=60
        )
    except Exception as error:  # noqa: BLE001  # whatever a rival answers is what is told
        return f"fails: {_told(error)}"
    if len(frame) != rows:
        return f"fails: {len(frame):,} of {rows:,} rows"
    return time.monotonic() - begun


def _seconds(found: list[float | str]) -> str:
    texts = [one for one in found if isinstance(one, str)]
    return texts[0] if texts else spread([float(one) for one in found], 2)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:120]


if __name__ == "__main__":
    main()
