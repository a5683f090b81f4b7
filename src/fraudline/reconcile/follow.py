"""The live ledger: where everything is, which stage is stalled, what is wrong.

Two threads look again and again: one at positions, one at what has become complete since, offset
by offset and value by value. Neither looks at everything again, so a step costs the same
however much is stored. What the proof found wrong stays so until the rows say otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Self

from fraudline.contract import Contract
from fraudline.reconcile.incremental_proof import IncrementalProof
from fraudline.reconcile.stages import PartitionReach, StageTracker
from fraudline.schemas import MessageForms
from fraudline.settings import KafkaSettings
from fraudline.stream.intake import PartitionKey
from fraudline.warehouse.client import Warehouse

_LOOK_EVERY_S = 1.0
# Google bills each query for 10 MiB a table at least; a BigQuery of this machine bills nothing.
_PROVE_EVERY_S = 10.0
_PROVE_EVERY_S_LOCAL = 1.0
_LAST_ANSWER_S = 5.0


class Colour(StrEnum):
    """The state of the pipeline as a whole."""

    GREEN = "green"
    """Everything is scored, stored and proved."""
    IDLE = "idle"
    """Nothing came since the start, so nothing was proved."""
    MOVING = "moving"
    """Something is on its way, and every stage with work to do makes progress."""
    RED = "red"
    """A stage is stalled, or the proof found something wrong."""


@dataclass(frozen=True)
class PartitionStatus:
    """One partition of the input topic.

    Attributes:
        reach: How far its messages have come.
        proved: Before this offset, every message has been compared with its row.
        rejected: Rejects among the proved messages.
        wrong: How many the proof found missing, doubled, differing or unexpected.
    """

    reach: PartitionReach
    proved: int
    rejected: int
    wrong: int


@dataclass(frozen=True)
class FollowStatus:
    """The pipeline at one moment.

    Attributes:
        colour: Its state in a word.
        reasons: Why it is not green, each in a sentence.
        partitions: Each partition of the input topic, by number.
        proved: How many messages were proved since the start.
        examples: Some of what is wrong.
    """

    colour: Colour
    reasons: list[str]
    partitions: dict[int, PartitionStatus]
    proved: int
    examples: list[str]

    def total(self, of: Callable[[PartitionStatus], int]) -> int:
        """A sum over all partitions."""
        return sum(map(of, self.partitions.values()))


class Follower:
    """Follows the stream from now on; use it as a context manager.

    Args:
        kafka: Broker, topics and groups.
        warehouse: Where the rows are.
        contract: What a transaction looks like.
        stalled_after_s: For how long a stage may commit nothing while something waits.
        forms: Makes JSON of messages in other forms, where there is a schema registry.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        warehouse: Warehouse,
        contract: Contract,
        stalled_after_s: float,
        forms: MessageForms | None = None,
    ) -> None:
        self._stalled_after_s = stalled_after_s
        self._stages = StageTracker(kafka)
        self._proof = IncrementalProof(kafka, warehouse, contract, forms)
        self._stop = threading.Event()
        self._looking = _RepeatedStep("broker", self._stages.look, self._stop, _LOOK_EVERY_S)
        self._prove_every_s = _PROVE_EVERY_S_LOCAL if warehouse.is_local else _PROVE_EVERY_S
        self._proving = _RepeatedStep("proof", self._prove, self._stop, self._prove_every_s)

    def __enter__(self) -> Self:
        self._stages.look()  # what is stored from now on is proved
        self._prove()
        self._looking.start()
        self._proving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in (self._looking, self._proving):
            thread.join(_LAST_ANSWER_S)
        if not self._looking.is_alive():
            self._stages.close()

    def status(self) -> FollowStatus:
        """What is known now. Never waits."""
        reaches = self._stages.reaches
        found = self._proof.state
        partitions = {
            number: PartitionStatus(
                reach,
                found.cursors.get(number, 0),
                found.rejected.get(number, 0),
                found.wrong.get(number, 0),
            )
            for number, reach in reaches.items()
        }
        wrong = [f"proof: {found.summary}"] if found.summary else []
        recreated = self._stages.recreated
        if recreated:
            wrong.append(
                f"topic: partitions {', '.join(map(str, sorted(recreated)))} of the input end "
                "before what was stored of them, or their topic has another id: it was deleted "
                "and made anew. Start again to follow it."
            )
        stalls = self._stalls(partitions)
        is_behind = not partitions or any(one.proved < one.reach.end for one in partitions.values())
        if wrong or stalls:
            colour = Colour.RED
        else:
            colour = Colour.MOVING if is_behind or not found.is_counted else Colour.GREEN
            if colour is Colour.GREEN and not found.proved:
                colour = Colour.IDLE
        return FollowStatus(colour, wrong + stalls, partitions, found.proved, found.examples)

    def _prove(self) -> None:
        for number, reach in self._stages.reaches.items():
            if reach.stored is not None and not self._stop.is_set():
                self._proof.advance(number, reach.stored)
        reaches = self._stages.reaches
        cursors = self._proof.state.cursors
        self._proof.count_again(
            is_caught_up=all(
                cursors.get(number, 0) >= (reach.stored or 0) for number, reach in reaches.items()
            )
        )

    def _stalls(self, partitions: dict[int, PartitionStatus]) -> list[str]:
        limit_s = self._stalled_after_s
        stalls = [
            complaint
            for thread, pause_s in (
                (self._looking, 0.0),
                (self._proving, self._prove_every_s - _LOOK_EVERY_S),
            )
            if (complaint := thread.complaint(limit_s + pause_s)) is not None
        ]
        if self._looking.complaint(limit_s) is not None:
            return stalls  # positions are stale, and say nothing about a stage
        reaches = [one.reach for one in partitions.values()]
        waiting = {
            "scorer": sum(reach.end - reach.scored for reach in reaches),
            "sink": sum(reach.scored - (reach.stored or 0) for reach in reaches),
        }
        held_back = sum(reach.held_back for reach in reaches)
        for stage, count in waiting.items():
            still_s, where = self._stages.still(stage, limit_s)
            if where and stage == "scorer" and held_back == count:
                stalls.append(
                    f"producer: an open transaction has held back {count:,} messages for "
                    f"{still_s:.0f} s in {_places(where)}"
                )
            elif where:
                stalls.append(
                    f"{stage}: no commit for {still_s:.0f} s while {count:,} messages wait in "
                    f"{_places(where)}"
                )
        return stalls


def _places(where: list[PartitionKey]) -> str:
    return "; ".join(
        f"{topic} {', '.join(str(partition) for _, partition in of)}"
        for topic, of in groupby(where, key=itemgetter(0))
    )


class _RepeatedStep(threading.Thread):
    """Repeats a step until it is over; keeps what went wrong."""

    def __init__(
        self, name: str, step: Callable[[], None], over: threading.Event, every_s: float
    ) -> None:
        super().__init__(daemon=True)
        self._every_s = every_s
        self._what = name
        self._step = step
        self._over = over
        self._well_at = time.monotonic()
        self._fault: str | None = None

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - given by `complaint`; the next attempt may succeed
                self._fault = str(error) or type(error).__name__
            else:
                self._fault = None
                self._well_at = time.monotonic()
            self._over.wait(self._every_s)

    def complaint(self, limit_s: float) -> str | None:
        """Why the step has not succeeded for a while, if it has not."""
        silent_s = time.monotonic() - self._well_at
        if silent_s <= limit_s:
            return None
        return f"{self._what}: no answer for {silent_s:.0f} s: {self._fault or 'it hangs'}"
