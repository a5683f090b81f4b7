"""Starting a session of a loop again after a failure, with growing pauses and a log line."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException

from fraudline.errors import RegistryError, StreamFinalizedError, WarehouseAwayError
from fraudline.stream.broker import raise_if_permanent
from fraudline.stream.counts import FailedSide
from fraudline.stream.progress import Progress

_TRANSIENT = (KafkaException, StreamFinalizedError, WarehouseAwayError, RegistryError)
_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 10.0
_WENT_WELL_S = 30.0


def supervise(session: Callable[[], None], *, progress: Progress, stop: threading.Event) -> None:
    """Run a session, and run it again after each transient failure, until `stop` is set.

    What a session had not committed did not happen, so starting again from what is committed
    is always right. Each failure is logged; pauses grow to ten seconds while sessions fail
    soon after their start.

    Args:
        session: Returns when `stop` is set; may be called again and again.
        progress: Names what is running, and counts the failures.
        stop: Ends the loop.

    Raises:
        BrokerError: the broker refuses permanently.
    """
    failures = 0
    while not stop.is_set():
        begun_at = time.monotonic()
        progress.begin_step("start")
        try:
            session()
        except _TRANSIENT as error:
            reason = error.args[0]
            if isinstance(reason, KafkaError):
                raise_if_permanent(reason)
            went_well = time.monotonic() - begun_at > _WENT_WELL_S
            failures = 1 if went_well else failures + 1
            pause_s = min(0.25 * 2**failures, _LONGEST_PAUSE_S)
            progress.record_failure(_side(error), str(reason))
            _LOG.warning(
                "%s: no progress, failure %d in a row: %s. Nothing is lost; retrying in %.1f s",
                progress.task,
                failures,
                reason,
                pause_s,
            )
            stop.wait(pause_s)


def _side(error: Exception) -> FailedSide:
    if isinstance(error, KafkaException):
        return FailedSide.BROKER
    return FailedSide.REGISTRY if isinstance(error, RegistryError) else FailedSide.WAREHOUSE
