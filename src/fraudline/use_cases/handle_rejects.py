"""Messages that could not be decoded: listing them, looking at one, sending them again."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from fraudline import flows
from fraudline.contract import RejectRecord
from fraudline.errors import InputError
from fraudline.stream.pending_rejects import (
    MessagePosition,
    PendingSummary,
    RejectSurvey,
    reject_history,
    summarize_pending,
    survey_rejects,
)
from fraudline.stream.replay_rejects import RejectReplay, replay_rejects
from fraudline.use_cases.project import Project


@dataclass(frozen=True)
class PendingRejects:
    """The rejects whose originals were not sent again.

    Attributes:
        since: Those before were not looked at.
        survey: What the topic of rejects holds since then.
        pending: Their counts, and the newest of them without their originals.
    """

    since: dt.datetime
    survey: RejectSurvey
    pending: PendingSummary


def list_rejects(
    project: Project, days: float, *, reason: str | None = None, most: int = 20
) -> PendingRejects:
    """Count the pending rejects by reason, and give the newest.

    Args:
        project: Whose topic of rejects.
        days: Look at what was rejected in so many days.
        reason: Only rejects of this reason, if given.
        most: How many of the newest to give.

    Raises:
        BrokerError: the topic cannot be read.
    """
    since = _since(days)
    survey = survey_rejects(project.kafka, since)
    return PendingRejects(since, survey, summarize_pending(project.kafka, survey, reason, most))


def show_reject(project: Project, position: str, days: float) -> list[RejectRecord]:
    """The reject of a message, with its original, and the marker behind it if it was sent again.

    Args:
        project: Whose topic of rejects.
        position: `topic:partition:offset` of the message.
        days: Look at what was rejected in so many days.

    Raises:
        InputError: that is no position, or it has no reject.
        BrokerError: the topic cannot be read.
    """
    records = reject_history(project.kafka, _since(days), MessagePosition.parse(position))
    if not records:
        raise InputError(
            f"{position} has no reject in topic '{project.kafka.topic(flows.REJECTS)}' in the "
            f"last {days:g} days; `--days` reaches further back."
        )
    return records


def send_rejects_again(
    project: Project,
    days: float,
    *,
    positions: Collection[str] = (),
    reason: str | None = None,
    is_dry_run: bool = False,
    stop: threading.Event,
    on_sent: Callable[[int], None],
) -> RejectReplay:
    """Send the originals of pending rejects again, exactly once, after the fault was mended.

    Args:
        project: Whose topics.
        days: Look at what was rejected in so many days.
        positions: Only these, each `topic:partition:offset`; all that are pending if none.
        reason: Only rejects of this reason, if given.
        is_dry_run: Whether nothing is sent.
        stop: Ends it after the transaction in hand.
        on_sent: Told how many were sent so far.

    Raises:
        InputError: a position is none, or has no pending reject; nothing was sent.
        BrokerError: the broker refuses, or another replay was started.
    """
    return replay_rejects(
        project.kafka,
        {project.kafka.topic(flow): flow.decoder(project.contract) for flow in flows.FLOWS},
        project.forms,
        since=_since(days),
        reason=reason,
        positions={MessagePosition.parse(text) for text in positions},
        is_dry_run=is_dry_run,
        stop=stop,
        on_sent=on_sent,
    )


def _since(days: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
