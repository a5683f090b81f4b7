"""Whether a loop is healthy, judged by what it did, never by what it claims.

A loop is healthy if, a moment ago, each of its partitions had a message finished or certainly
had nothing to do. This evidence ages by itself, so a loop that hangs, keeps retrying or waits
for a silent broker becomes unhealthy without having to notice.
"""

from __future__ import annotations

from dataclasses import dataclass

from fraudline.stream.client_statistics import ClientStatistics
from fraudline.stream.progress import FRESH_S, LoopState


@dataclass(frozen=True)
class Health:
    """The health of a loop.

    Attributes:
        is_healthy: Whether every partition was certainly fine a moment ago.
        silent_s: Age of the oldest evidence, seconds; infinite if there never was any.
        waiting: Messages that wait, as far as is known.
        reason: Why it is not healthy, in words; empty if it is.
    """

    is_healthy: bool
    silent_s: float
    waiting: int
    reason: str


def assess_health(state: LoopState, now: float, stalled_after_s: float) -> Health:
    """Assess a loop.

    Args:
        state: What is known of it.
        now: By `time.monotonic`.
        stalled_after_s: How old the evidence may be.
    """
    silent_s = state.silent_s(now)
    waits = state.waits_for is not None and now - state.waits_since > stalled_after_s
    unseen_s = 0.0 if state.topics_seen_at is None else now - state.topics_seen_at
    is_healthy = silent_s <= stalled_after_s and not waits and unseen_s <= stalled_after_s
    waiting = sum(state.waiting_messages().values())
    return Health(
        is_healthy,
        silent_s,
        waiting,
        "" if is_healthy else _reason(state, now, stalled_after_s),
    )


def _reason(state: LoopState, now: float, stalled_after_s: float) -> str:
    """The most informative of the things that are wrong."""
    in_step_s = now - state.step_since
    if state.waits_for is not None:
        return f"has been waiting for {now - state.waits_since:.0f} s: {state.waits_for}"
    if state.failed_with is not None:
        count = state.failures.total
        return f"retries after {count} failure{'s' * (count > 1)}: {state.failed_with}"
    if in_step_s > stalled_after_s:
        return f"has been in step '{state.step}' for {in_step_s:.0f} s"
    if state.statistics_fault is not None:
        return state.statistics_fault
    found = state.statistics
    if found is None:
        return "starting: has not joined its consumer group yet"
    return _reason_in_kafka(state, found, now, stalled_after_s)


def _reason_in_kafka(
    state: LoopState, found: ClientStatistics, now: float, stalled_after_s: float
) -> str:
    silence_s = found.silence_s(now)
    if silence_s > FRESH_S:
        return f"the broker does not answer; its last answer came {_ago(silence_s)}"
    if state.topics_seen_at is not None and now - state.topics_seen_at > stalled_after_s:
        return (
            "the broker has not said which topics there are, and with how many partitions, for "
            f"{now - state.topics_seen_at:.0f} s"
        )
    if not found.is_steady:
        return f"the consumer group is not stable: {found.group}"
    waiting = state.waiting_messages()
    oldest = min(state.proved_at, key=lambda key: state.proved_at[key])
    if oldest is None or oldest not in found.partitions:
        return "no partition has shown progress yet"
    silent_s = now - state.proved_at[oldest]
    since = f"for {silent_s:.0f} s" if silent_s < float("inf") else "so far"
    where = f"topic '{oldest[0]}', partition {oldest[1]}"
    fetched = found.partitions[oldest]
    if state.positions.get(oldest, 0) >= fetched.stable < fetched.end:
        return (
            f"{where}: an open transaction of its producer holds back {waiting[oldest]:,} "
            f"messages; nothing has come through {since}"
        )
    return f"{where}: {waiting[oldest]:,} messages wait, and none has been finished {since}"


def _ago(duration_s: float) -> str:
    return f"{duration_s:.0f} s ago" if duration_s < float("inf") else "before it was lost"
