"""Decisions as the demo watches them."""

from __future__ import annotations

import time

import msgspec

from fraudline.contract import Messages
from fraudline.stream.observed_decisions import ObservedDecisions


def test_what_is_blocked_and_what_is_to_be_reviewed_are_counted_apart() -> None:
    verdicts = ("approve", "review", "block", "review")
    values = [msgspec.json.encode({"received_at": None, "decision": one}) for one in verdicts]
    seen = ObservedDecisions()
    seen.add(Messages("t", [0] * 4, [0, 1, 2, 3], [None] * 4, values, [-1] * 4), time.time())
    assert (seen.count, seen.reviewed, seen.blocked) == (4, 2, 1)


def test_a_decision_on_a_message_without_a_time_is_counted_without_a_latency() -> None:
    values = [
        msgspec.json.encode({"received_at": at, "decision": "block"})
        for at in (None, "2026-01-01T00:00:00Z")
    ]
    seen = ObservedDecisions()
    seen.add(Messages("t", [0, 0], [0, 1], [None] * 2, values, [-1, 1]), time.time())
    assert (seen.count, seen.blocked, len(seen.latencies_ms)) == (2, 2, 1)
