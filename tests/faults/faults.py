"""The faults, and how a seed draws them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from tests.faults.pipeline import SERVICE_NAMES, Pipeline
from tests.faults.upheavals import Upheaval
from tests.faults.worker import WORKERS

SESSION_TIMEOUT_S = 6.0  # of the consumer groups: after it, others own the partitions
_LONG_SHARE = 0.12
_LINKS = (
    *(f"{worker} kafka" for worker in WORKERS),
    *(f"{worker} storage" for worker in WORKERS if worker.startswith("sink")),
)
# How often each kind is drawn, and what it may be aimed at.
_KINDS: dict[str, tuple[float, tuple[str, ...]]] = {
    "kill": (2, WORKERS),
    "kill service": (1.5, SERVICE_NAMES),
    "pause": (3, (*WORKERS, *SERVICE_NAMES)),
    "cut": (2, _LINKS),
    "slow": (1, _LINKS),
    "swallow": (2, _LINKS),
    "refuse": (1, _LINKS),
    "hold": (1.5, _LINKS),
    "lose": (1.5, _LINKS),
    "restart without rest": (0.5, ("sink1", "sink2")),
    "inject": (
        4,
        tuple(
            f"bqlite {call} {effect}"
            for call in ("AppendRows", "AppendRows", "CreateWriteStream", "FinalizeWriteStream")
            for effect in (
                *("drop", "lose_answer", "hold_answer", "delay"),
                *("UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL"),
            )
        ),
    ),
}

# What strikes beside the workers, so that no process of theirs is struck twice by it.
BESIDE: dict[str, tuple[float, str]] = {
    "promote and kill": (2, "registry"),
    "take away": (1, "registry"),
    "flood with junk": (1, "labels"),
    "learn and kill": (3, "learner"),
}
_BESIDE_SHARE = 0.7
_LEARNER_S = 1.5, 6.0  # while it starts, and while it judges


@contextmanager
def injected(pipeline: Pipeline, **order: object) -> Iterator[Callable[[], int]]:
    """Have bqlite fail by itself, as its reference says under "Faults".

    Yields:
        How often it has failed so far.
    """
    address = f"{pipeline.bigquery_rest}/bqlite/faults"
    requests.post(address, json=order, timeout=10).raise_for_status()
    try:
        yield lambda: requests.get(address, timeout=10).json()["faults"][0]["fired"]
    finally:
        requests.delete(address, timeout=10).raise_for_status()


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, once.

    Attributes:
        kind: One of `_KINDS` or `BESIDE`.
        target: A worker, a service, a worker and the service from which it is cut off, what bqlite
            is told to do at which call, or what is struck beside them.
        at_s: How long after the beginning of the round.
        for_s: How long it lasts.
    """

    kind: str
    target: str
    at_s: float
    for_s: float

    def __str__(self) -> str:
        return f"{self.kind} {self.target} at {self.at_s:.1f} s for {self.for_s:.1f} s"

    def strike(self, pipeline: Pipeline) -> None:
        """Wait for the time, do harm, and mend it again."""
        time.sleep(self.at_s)
        name, _, role = self.target.partition(" ")
        if self.kind in {"kill", "kill service"}:
            self._during(lambda: pipeline.kill(name), lambda: pipeline.start(name))
        elif self.kind == "pause":
            self._during(lambda: pipeline.pause(name), lambda: pipeline.resume(name))
        elif self.kind == "restart without rest":
            link = pipeline.workers[name].links["rest"]
            link.is_refusing = True
            pipeline.kill(name)
            self._during(lambda: pipeline.start(name), link.heal)
        elif self.kind == "inject":
            self._inject(pipeline, *role.split())
        elif self.kind == "promote and kill":
            pipeline.kill_promoters(self.for_s)
        elif self.kind == "take away":
            self._during(pipeline.take_registry_away, pipeline.bring_registry_back)
        elif self.kind == "flood with junk":
            pipeline.flood_labels(int(1000 * self.for_s))
        elif self.kind == "learn and kill":
            self._during(pipeline.start_learner, pipeline.kill_learner)
        else:
            self._strike_link(pipeline, name, role)

    def _strike_link(self, pipeline: Pipeline, name: str, role: str) -> None:
        link = pipeline.workers[name].links[role]

        def refuse() -> None:
            link.is_refusing = True
            link.cut()

        def slow() -> None:
            link.delay_s = self.for_s / 20

        def swallow() -> None:
            link.is_swallowing = True

        def lose() -> None:
            link.cut()
            link.heal()

        begin, end = {
            "cut": (link.cut, link.heal),
            "slow": (slow, link.heal),
            "swallow": (swallow, link.heal),
            "refuse": (refuse, link.heal),
            "hold": (link.hold, link.heal),  # what was sent arrives late
            "lose": (link.hold, lose),  # or never
        }[self.kind]
        self._during(begin, end)

    def _inject(self, pipeline: Pipeline, call: str, effect: str) -> None:
        """Have bqlite fail by itself: the next call, or at random for as long as this lasts."""
        order: dict[str, object] = {"call": call, "effect": effect}
        if effect.isupper():
            order |= {"effect": "error", "code": effect}
        if effect == "delay":
            order["delay_s"] = self.for_s
        if self.for_s > 1:
            order |= {"times": None, "probability": 0.5, "seed": int(self.for_s * 1000)}
        with injected(pipeline, **order):
            time.sleep(self.for_s)

    def _during(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        begin()
        time.sleep(self.for_s)
        end()


@dataclass(frozen=True)
class Round:
    """What goes wrong in one round, each in its own thread; and how many messages come at once.

    Once that is proved to have done no harm, there may be an upheaval.
    """

    faults: tuple[Fault, ...]
    burst: int
    upheaval: Upheaval | None = None

    def __str__(self) -> str:
        burst = f"; {self.burst:,} messages at once" if self.burst else ""
        then = f"; then {self.upheaval}" if self.upheaval else ""
        return " | ".join(map(str, self.faults)) + burst + then


def draw(chance: random.Random) -> Round:
    """Choose what goes wrong next; no process is struck twice in a round."""
    faults: list[Fault] = []
    struck: set[str] = set()
    for _ in range(chance.choices((1, 2, 3), (6, 3, 1))[0]):
        weights = [weight for weight, _ in _KINDS.values()]
        (kind,) = chance.choices(list(_KINDS), weights)
        target = chance.choice(_KINDS[kind][1])
        is_long = chance.random() < _LONG_SHARE
        for_s = chance.uniform(0.1, 2.5)
        if is_long and kind not in {"cut", "kill service"}:
            for_s = SESSION_TIMEOUT_S + chance.uniform(0.5, 3.0)
        fault = Fault(kind, target, chance.uniform(0.0, 1.5), for_s)
        name = target.partition(" ")[0]
        if name not in struck:
            struck.add(name)
            faults.append(fault)
    burst = chance.choice((1_000, 5_000)) if chance.random() < 0.1 else 0
    return Round(tuple(faults), burst)


def draw_beside(chance: random.Random) -> Fault | None:
    """Choose what strikes beside the workers in a round, if anything does."""
    if chance.random() >= _BESIDE_SHARE:
        return None
    (kind,) = chance.choices(list(BESIDE), [weight for weight, _ in BESIDE.values()])
    begins_s, most_s = _LEARNER_S if kind == "learn and kill" else (0.1, 2.5)
    for_s = chance.uniform(begins_s, most_s)
    return Fault(kind, BESIDE[kind][1], chance.uniform(0.0, 1.0), for_s)
