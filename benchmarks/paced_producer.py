"""A producer that keeps its pace, in a process of its own, and tells how well it kept it.

Each message is dated by when it was due, not by when it was sent: a producer that falls
behind would otherwise hide the wait of those that it sends late.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

_TICK_S = 0.001


def main(broker: str, topic: str, partitions: str, rate: str, seconds: str, lines: str) -> None:
    """Send lines at a rate, then print how late they were, as JSON.

    Args:
        broker: Its address.
        topic: Where to.
        partitions: How many it has; they take turns.
        rate: Messages a second.
        seconds: For how long.
        lines: File with a message a line, sent over and over.
    """
    messages = Path(lines).read_bytes().splitlines()
    count = int(float(rate) * float(seconds))
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 1, "acks": "all"})
    producer.list_topics(topic, timeout=10)  # the connection is open before the clock starts
    late_s = np.empty(count)
    begun_at, sent = time.time(), 0
    while sent < count:
        now = time.time()
        due = min(count, int((now - begun_at) * float(rate)) + 1)
        for index in range(sent, due):
            due_at = begun_at + index / float(rate)
            late_s[index] = now - due_at
            producer.produce(
                topic,
                messages[index % len(messages)],
                partition=index % int(partitions),
                timestamp=round(due_at * 1000),
            )
        sent = due
        producer.poll(0)
        time.sleep(_TICK_S)
    left = producer.flush(30)
    late_ms = np.percentile(late_s * 1000, (50, 99))
    print(json.dumps({"left": left, "late_ms_p50": late_ms[0], "late_ms_p99": late_ms[1]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
