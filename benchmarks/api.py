"""The API: latency of single requests, and how many it answers, beside what a user would write.

Client and server share the machine. Contenders take turns; ours decides and gives reasons, records
which version decided and what each decision was, the rivals give a score.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from benchmarks.measure import ratio, spread, table, take_turns
from benchmarks.place import Place, wait_until

from fraudline.access import Role
from fraudline.local.process import free_port
from fraudline.use_cases.manage_keys import create_key

TITLE = "The API beside what a user would write"
RATE = 200
CONNECTIONS, BATCH_CONNECTIONS, BATCH = 32, 4, 1000
ROUNDS = 3
_PACED_S, _CLOSED_S = 15.0, 8.0
_NAMES = {
    "ours": "`fraudline serve`",
    "onnx": "FastAPI + ONNX Runtime",
    "keras": "FastAPI + Keras `predict`",
}


@dataclass(frozen=True)
class Found:
    """What one turn found.

    Attributes:
        p50_ms: Of single requests at the steady rate.
        p99_ms: Likewise.
        paced_us: The server's processor time for one of them.
        singles: Single requests a second, as many as it answers.
        single_us: The server's processor time for one of these.
        batched: Transactions a second, in arrays.
        batched_us: The server's processor time for one of them.
    """

    p50_ms: float
    p99_ms: float
    paced_us: float
    singles: float
    single_us: float
    batched: float
    batched_us: float


def measure(place: Place) -> list[str]:
    """Ours and the rivals, turn by turn."""
    bundle = place.train("default")
    home, contract = place.project.settings.home, place.project.contract
    lines = place.lines()
    ones, many = home / "ones.jsonl", home / "many.jsonl"
    ones.write_bytes(b"\n".join(lines[:2000]))
    arrays = [
        b"[%b]" % b",".join(lines[at : at + BATCH]) for at in range(0, len(lines) - BATCH, BATCH)
    ]
    many.write_bytes(b"\n".join(arrays))
    key = create_key(place.project, "benchmark", Role.SCORER).key
    version = place.project.registry.path(bundle.manifest.version)

    def turn(command: Sequence[str]) -> Callable[[], Found]:
        return lambda: _turn(place, command, key, ones, many)

    features = ",".join(contract.features)
    rivals = {"onnx": version / "graph.onnx", "keras": version / "model.keras"}
    contenders = {"ours": turn(("serve",))} | {
        way: turn((sys.executable, "-m", "benchmarks.rival_api", way, str(model), features))
        for way, model in rivals.items()
    }
    return _said(take_turns(contenders, ROUNDS))


def _turn(place: Place, command: Sequence[str], key: str, ones: Path, many: Path) -> Found:
    port = free_port()
    given = command if len(command) == 1 else (*command, str(port))
    settings = place.project.settings
    own = settings.model_copy(update={"api": settings.api.model_copy(update={"port": port})})
    place.project.settings = own
    try:
        with place.running(*given) as server:
            wait_until(lambda: _listens(server, port), 120, f"{given[0]} listens")
            _load(port, ones, key, "closed", 4, 2.0)
            paced, paced_s = _watched(server, port, ones, key, "paced", RATE, _PACED_S)
            single, single_s = _watched(server, port, ones, key, "closed", CONNECTIONS, _CLOSED_S)
            array, array_s = _watched(
                server, port, many, key, "closed", BATCH_CONNECTIONS, _CLOSED_S
            )
    finally:
        place.project.settings = settings
    took_ms = np.array(paced["took_s"]) * 1000
    singles, arrays = single["rate"], array["rate"]
    return Found(
        float(np.percentile(took_ms, 50)),
        float(np.percentile(took_ms, 99)),
        paced_s / (RATE * _PACED_S) * 1e6,
        singles,
        single_s / (singles * _CLOSED_S) * 1e6,
        arrays * BATCH,
        array_s / (arrays * BATCH * _CLOSED_S) * 1e6,
    )


def _listens(server: psutil.Process, port: int) -> bool:
    return any(
        each.status == psutil.CONN_LISTEN and each.laddr.port == port
        for each in server.net_connections("tcp")
    )


def _watched(
    server: psutil.Process, port: int, bodies: Path, key: str, way: str, amount: float, s: float
) -> tuple[dict, float]:
    """What the load found, and the server's processor time meanwhile."""
    before = server.cpu_times()
    found = _load(port, bodies, key, way, amount, s)
    after = server.cpu_times()
    return found, after.user + after.system - before.user - before.system


def _load(port: int, bodies: Path, key: str, way: str, amount: float, seconds: float) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.http_load", str(port), str(bodies), key, way,
         str(amount), str(seconds)],
        check=True, capture_output=True, timeout=seconds + 120,
    )  # fmt: skip
    return json.loads(done.stdout)


def _times(rival: list[Found], ours: list[Found]) -> list[str]:
    """How many times as slow, or as dear, a rival is."""

    def times(what: str, of: list[Found], to: list[Found]) -> str:
        figures = ([getattr(each, what) for each in turns] for turns in (of, to))
        return f"{ratio(*figures):.1f}"

    slower = [times(what, rival, ours) for what in ("p50_ms", "p99_ms")]
    return [
        *slower,
        times("singles", ours, rival),
        times("single_us", rival, ours),
        times("batched", ours, rival),
    ]


def _said(found: dict[str, list[Found]]) -> list[str]:
    rows, times = [], []
    for name, turns in found.items():

        def of(what: str, digits: int = 0, turns: list[Found] = turns) -> str:
            return spread([getattr(each, what) for each in turns], digits)

        rows.append(
            [
                _NAMES[name],
                of("p50_ms", 2),
                of("p99_ms", 2),
                of("paced_us"),
                of("singles"),
                of("single_us"),
                of("batched"),
                of("batched_us", 1),
            ]
        )
        if name != "ours":
            times.append([_NAMES[name], *_times(turns, found["ours"])])
    return [
        f"Recipe `default`, creditcard's columns; one process of each, the client beside it on the "
        f"same two cores. Single requests at {RATE}/s, latency from when each was due; as many as "
        f"{CONNECTIONS} connections get, each with its next request when it has its answer; arrays "
        f"of {BATCH:,} over {BATCH_CONNECTIONS} connections. Median (least to most) of {ROUNDS} "
        "turns; processor time is the server's, all its threads.",
        table(
            (
                "",
                f"p50 ms at {RATE}/s",
                "p99 ms",
                "processor us a request",
                "requests/s",
                "processor us a request",
                "transactions/s in arrays",
                "processor us a transaction",
            ),
            rows,
        ),
        "How many times as much: latency and processor time of the rival to ours, rate of ours to "
        "the rival's; the median over the turns.",
        table(
            ("", "p50", "p99", "requests/s", "processor a request", "transactions/s"),
            times,
        ),
    ]
