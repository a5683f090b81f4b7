"""Noticing a Kafka client that has lost its brokers and does not know it.

A broker that starts or stops may answer which brokers there are with none. librdkafka (2.13 to
2.16, its issue 5301) then forgets all of them, and may never look for one again: the consumer
says nothing, delivers nothing, and goes on with its heartbeats, so that no other member is given
its partitions. Only a new client helps, so the session ends, as after any failure.
"""

from __future__ import annotations

import time

from confluent_kafka import KafkaError, KafkaException

from fraudline.stream.progress import FRESH_S, Progress

# While a broker is elected anew, or starts, a client finds back by itself.
_LONGEST_SILENCE_S = 30.0
# To join a group may take as long as the slowest member may: max.poll.interval.ms.
_LONGEST_JOIN_S = 90.0


class FetchWatch:
    """Watches over the consumer of one session, by what it reports of itself.

    What counts is the time in which nothing could be taken and the client had no fresh answer.
    A session that waits on purpose, and fetches nothing meanwhile, has its heartbeats answered.

    Args:
        progress: Given the client's statistics.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._silent_since: float | None = None

    def took_some(self) -> None:
        """Hear that messages came."""
        self._silent_since = None

    def took_nothing(self) -> None:
        """Hear that none came, and see whether the broker answers at all.

        Raises:
            KafkaException: it has not for so long that this client will not find it any more.
        """
        (found, wanted), now = self._progress.client_statistics, time.monotonic()
        if found is None or (
            found.group == "steady"
            and len(found.partitions) >= wanted
            and found.silence_s(now) <= FRESH_S
        ):
            self._silent_since = None
            return
        if self._silent_since is None:
            self._silent_since = now
        silent_s = now - self._silent_since
        if silent_s > (_LONGEST_SILENCE_S if found.partitions else _LONGEST_JOIN_S):
            raise KafkaException(
                KafkaError(
                    KafkaError._TIMED_OUT,  # noqa: SLF001 - its only name
                    f"no message and no answer of the broker came for {silent_s:.0f} s (consumer "
                    f"group: {found.group}, {len(found.partitions)} of {wanted} partitions "
                    "fetched); a new client takes this one's place",
                )
            )
