"""Decisions as the demo watches them."""

from __future__ import annotations

import time

import msgspec

from fraudline.contract import Messages
from fraudline.reconcile.live import Seen


def test_a_decision_on_a_message_without_a_time_is_counted_without_a_latency() -> None:
    values = [
        msgspec.json.encode({"received_at": at, "decision": "block"})
        for at in (None, "2026-01-01T00:00:00Z")
    ]
    seen = Seen()
    seen.add(Messages("t", [0, 0], [0, 1], [None] * 2, values, [-1, 1]), time.time())
    assert (seen.count, seen.blocked, len(seen.latencies_ms)) == (2, 2, 1)
