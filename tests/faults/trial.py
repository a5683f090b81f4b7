"""A pipeline, what is sent into it, and the proof that all of it arrives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.pipeline import Pipeline, pipeline
from tests.faults.proof import Proof
from tests.faults.traffic import Traffic

RATE = 300.0
_CATCH_UP_TIMEOUT_S = 120.0
_LOOKS_EVERY_S = 0.25


@dataclass(frozen=True)
class Trial:
    """What all fault tests work with."""

    pipeline: Pipeline
    traffic: Traffic
    proof: Proof

    def prove(self) -> float:
        """Hold the stream; wait until all of it is stored and every worker is back; check it.

        Returns:
            Seconds until then.

        Raises:
            AssertionError: a message is lost, doubled or altered, or a worker is.
        """
        self.traffic.end()
        begun_at = time.monotonic()
        while (
            not (is_back := self._is_back()) and time.monotonic() < begun_at + _CATCH_UP_TIMEOUT_S
        ):
            time.sleep(_LOOKS_EVERY_S)
        took_s = time.monotonic() - begun_at
        self.proof.check()
        assert is_back, f"not every worker came back; see {self.pipeline.home}/logs"
        return took_s

    def use_new_tables(self) -> None:
        """Store in another data set from the workers' next start on, and prove there."""
        self.pipeline.use_new_tables()
        self.proof.go_on()

    def _is_back(self) -> bool:
        self.pipeline.tend()
        return self.proof.is_complete() and self.pipeline.is_whole and self.pipeline.is_following


@contextmanager
def trial(home: Path, on_progress: Callable[[str], None]) -> Iterator[Trial]:
    """A trial in an empty directory; it is proved once that the pipeline works at all."""
    with pipeline(home, on_progress) as made:
        traffic = Traffic(made.project.kafka, made.project.contract, RATE)
        try:
            ready = Trial(made, traffic, Proof(made, traffic))
            traffic.burst(100)
            ready.prove()
            yield ready
        finally:
            traffic.close()
