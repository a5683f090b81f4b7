"""Beginning anew after a failure, with patience and in plain sight."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException

from fraudline.errors import StreamFinalizedError
from fraudline.stream.broker import raise_if_permanent
from fraudline.stream.counts import FailedSide
from fraudline.stream.progress import Progress

_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 10.0
_WENT_WELL_S = 30.0


def supervise(session: Callable[[], None], *, progress: Progress, stop: threading.Event) -> None:
    """Run a session again after each failure that time may heal, until told to stop.

    What a session had not committed did not happen, so beginning anew from what is
    committed is always right. Each failure is logged; pauses grow to ten seconds while
    sessions fail soon after they began.

    Args:
        session: Returns when `stop` is set; calls may follow one upon the other.
        progress: Names what is running, and is told of each failure.
        stop: Ends the waiting.

    Raises:
        BrokerError: the broker refuses for good.
    """
    failures = 0
    while not stop.is_set():
        begun_at = time.monotonic()
        try:
            session()
        except (KafkaException, StreamFinalizedError) as error:
            reason = error.args[0]
            if isinstance(reason, KafkaError):
                raise_if_permanent(reason)
            went_well = time.monotonic() - begun_at > _WENT_WELL_S
            failures = 1 if went_well else failures + 1
            pause_s = min(0.25 * 2**failures, _LONGEST_PAUSE_S)
            is_broker = isinstance(error, KafkaException)
            side = FailedSide.BROKER if is_broker else FailedSide.WAREHOUSE
            progress.record_failure(side, str(reason))
            _LOG.warning(
                "%s: makes no progress, failure %d in a row: %s. Nothing is lost; "
                "it tries again in %.1f s",
                progress.task,
                failures,
                reason,
                pause_s,
            )
            stop.wait(pause_s)
