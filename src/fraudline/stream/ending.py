"""Ending Kafka clients without waiting for ever.

While its broker is away, closing a client may not return: a consumer goes on looking for its
group's coordinator (librdkafka issue 3740), and a producer waits for its threads. Nothing
depends on it: what was not committed did not happen, and the broker removes a silent member.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 10.0


def in_thread(step: Callable[[], object], name: str) -> Future[None]:
    """Run a step in a thread of its own, so that one that never returns blocks nobody.

    Args:
        step: Holds all that it needs: it may go on after everybody has given it up.
        name: Of the thread.
    """
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - raised again for whoever asks for the result
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


def end_client(end: Callable[[], object], what: str) -> None:
    """End a client; one that does not come to its end in time is left alone, in its thread.

    Args:
        end: What ends it.
        what: Which client it is, for people.
    """
    try:
        in_thread(end, f"end the {what}").result(_TIMEOUT_S)
    except TimeoutError:
        _LOG.warning(
            "the Kafka client of the %s did not end within %.0f s, as while its broker is away; "
            "it is left alone, and nothing depends on it",
            what,
            _TIMEOUT_S,
        )
    except RuntimeError as error:  # this process ends, and starts no thread any more
        _LOG.debug("the Kafka client of the %s: %s", what, error)
