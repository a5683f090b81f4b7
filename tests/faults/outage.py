"""BigQuery is away for a while, and the sinks wait for it in their place."""

from __future__ import annotations

import time

from tests.faults.trial import Trial

_MOST_GROWTH_BYTES = 160 * 2**20  # the client's queue holds 32 MiB, a batch in hand is smaller
_BACKLOG = 40_000  # twice what that queue holds


def outage(trial: Trial, for_s: float) -> str:
    """End bqlite by force, let messages pile up, start it again, and prove that all arrive.

    Returns:
        What was seen, in words.

    Raises:
        AssertionError: a sink left its group, grew with the backlog, or anything was lost.
    """
    pipeline = trial.pipeline
    members, before_bytes = pipeline.sink_members, pipeline.sink_bytes
    trial.traffic.begin()
    pipeline.kill("bqlite")
    trial.traffic.burst(_BACKLOG)
    most_bytes = 0
    ends_at = time.monotonic() + for_s
    while time.monotonic() < ends_at:
        most_bytes = max(most_bytes, pipeline.sink_bytes)
        time.sleep(0.2)
    assert pipeline.sink_members == members, "a sink has left its group"
    growth_bytes = most_bytes - before_bytes
    assert growth_bytes < _MOST_GROWTH_BYTES, f"a sink grew by {growth_bytes / 2**20:.0f} MiB"
    pipeline.start("bqlite")
    took_s = trial.prove()
    return (
        f"BigQuery was away for {for_s:.0f} s: no sink left its group, the larger one grew by "
        f"{growth_bytes / 2**20:.0f} MiB, all was stored {took_s:.1f} s after its return"
    )
