"""From the start of a process to its first decision, and what a million decisions cost.

A few transactions wait in the topic; the clock runs from the start of the process to the
moment at which a consumer that reads committed messages only has the first decision.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import psutil
from benchmarks.measure import median, ratio, say, spread, table, take_turns
from benchmarks.place import Place, throughput
from benchmarks.scorer import keras_command, quix_command

from fraudline import local
from fraudline.bundle.bundle_files import GRAPH_FILE
from fraudline.stream.read_topic import watch_topic

TITLE = "Start, and what a million transactions cost"
ROUNDS = 3
TRANSACTIONS = 200_000
# Google Compute Engine, E2 machines in us-central1, on demand: the price of a vCPU-hour in the
# Cloud Billing Catalog as of September 2026. A vCPU there is one hyper-thread, often less than
# a core here; memory, disks and traffic are not in it.
VCPU_HOUR_USD = 0.02181159
_OURS = "`fraudline score`"
_COMMANDS = ("--help", "settings", "models list", "rejects list --help")
COMMAND_ROUNDS, COMMAND_FLOOR_S = 5, 0.6


def measure(place: Place) -> list[str]:
    """Three tables."""
    bundle = place.train("default")
    place.fill(place.kafka.topic_transactions, place.lines(), TRANSACTIONS)
    graph, keras_file = bundle.path / GRAPH_FILE, bundle.path / "model.keras"
    found = take_turns(
        {
            _OURS: lambda: _first(place, lambda _: ("score",)),
            "Quix Streams, commits every 20 ms": lambda: _first(
                place, lambda here: quix_command(here, graph, "often")
            ),
            "Keras in a consumer loop": lambda: _first(
                place, lambda here: keras_command(here, keras_file, 1)
            ),
        },
        ROUNDS,
    )
    return [
        "Seconds from the start of the process to its first committed decision, median (least to "
        "most):",
        table(
            ("", "s", "times as long as ours"),
            [
                (name, spread(values, 2), f"{ratio(values, found[_OURS]):.1f}")
                for name, values in found.items()
            ],
        ),
        *_commands(place),
        *_cost(place),
    ]


def _first(place: Place, command: Callable[[Place], tuple[str, ...]]) -> float:
    here = place.sibling()
    came, ready, stop = threading.Event(), threading.Event(), threading.Event()
    watcher = threading.Thread(
        target=lambda: watch_topic(
            here.kafka,
            here.kafka.topic_decisions,
            stop=stop,
            on_messages=lambda *_: came.set(),
            ready=ready,
        ),
        daemon=True,
    )
    watcher.start()
    if not ready.wait(30):
        raise RuntimeError("the topic of decisions could not be watched")
    begun = time.perf_counter()
    with here.running(*command(here)):
        if not came.wait(60):
            raise RuntimeError(f"{command(here)} decided nothing within a minute")
        took_s = time.perf_counter() - begun
    stop.set()
    watcher.join()
    return took_s


def _commands(place: Place) -> list[str]:
    """Seconds that commands take which do nothing but start, read settings and print."""
    found = take_turns(
        {f"`fraudline {words}`": partial(_whole, place, *words.split()) for words in _COMMANDS},
        COMMAND_ROUNDS,
    )
    return [
        "Seconds that a command takes from its start to its end, and the floor of 0.6 s:",
        table(
            ("", "s", "of the floor"),
            [
                (name, spread(values, 2), f"{median(values) / COMMAND_FLOOR_S:.0%}")
                for name, values in found.items()
            ],
        ),
    ]


def _whole(place: Place, *arguments: str) -> float:
    begun = time.perf_counter()
    place.run(*arguments)
    return time.perf_counter() - begun


def _cost(place: Place) -> list[str]:
    """Processor seconds of scorer and broker for a million transactions, and their price."""
    scorer, broker = [], []
    for _ in range(ROUNDS):
        before_s = _broker_cpu_s(place)
        run = throughput(place.sibling(), ("score",), TRANSACTIONS)
        scorer.append(run.cpu_us)
        broker.append((_broker_cpu_s(place) - before_s) / TRANSACTIONS * 1e6)
        say(f"scorer {scorer[-1]:.1f}, broker {broker[-1]:.1f} s a million")

    def price(seconds: list[float]) -> str:
        return f"{median(seconds) * 1000 / 3600 * VCPU_HOUR_USD:.2f}"

    both = [a + b for a, b in zip(scorer, broker, strict=True)]
    return [
        "Processor seconds for a million transactions, all threads, and the price of those at "
        f"{VCPU_HOUR_USD} USD a vCPU-hour (Google Compute Engine E2, us-central1, on demand, "
        "September 2026; processor time alone, fully used). The broker's share includes reading "
        "the decisions back, once, for this figure:",
        table(
            ("", "processor s a million", "USD a thousand million"),
            [
                ("scorer, start not counted", spread(scorer, 1), price(scorer)),
                ("broker, one copy of each message", spread(broker, 1), price(broker)),
                ("both", spread(both, 1), price(both)),
            ],
        ),
    ]


def _broker_cpu_s(place: Place) -> float:
    (pid,) = (
        service.pid for service in local.status(place.project.settings) if service.name == "kafka"
    )
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
