"""Beginning anew after a failure, with patience and in plain sight."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from confluent_kafka import KafkaException

from fraudline.errors import BrokerError, WarehouseAwayError

_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 10.0


def persist(session: Callable[[], None], *, name: str, stop: threading.Event) -> None:
    """Run a session again after each failure that time may heal, until told to stop.

    What a session had not committed did not happen, so beginning anew from what is
    committed is always right. Each failure is logged; pauses grow to ten seconds while
    failures follow upon each other.

    Args:
        session: Returns when `stop` is set; calls may follow one upon the other.
        name: What is running, for the log.
        stop: Ends the waiting.

    Raises:
        BrokerError: the broker refuses for good.
    """
    failures = 0
    while not stop.is_set():
        try:
            session()
            failures = 0
        except (KafkaException, WarehouseAwayError) as error:
            failures += 1
            pause_s = min(0.25 * 2**failures, _LONGEST_PAUSE_S)
            reason = error.args[0] if error.args else error
            if isinstance(error, KafkaException) and "authori" in str(reason).lower():
                raise BrokerError(
                    f"{name}: the broker refuses: {reason}. Check the rights of the user."
                ) from None
            _LOG.warning(
                "%s: makes no progress, failure %d in a row: %s. Nothing is lost; "
                "it tries again in %.1f s",
                name,
                failures,
                reason,
                pause_s,
            )
            stop.wait(pause_s)
