"""Backing off while BigQuery is unavailable: when to retry, and what to log about it."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_LOG_EVERY_S = 5.0


class Backoff:
    """When to try again to store one topic's messages.

    Args:
        topic: Its name, for people.

    Attributes:
        is_held: Whether the last attempt failed.
        reason: Why it failed, in words.
    """

    def __init__(self, topic: str) -> None:
        self.is_held = False
        self.reason = ""
        self._topic = topic
        self._failures = 0
        self._since = 0.0
        self._retry_at = 0.0
        self._logged_at = float("-inf")
        self._is_logged = False

    @property
    def is_due(self) -> bool:
        """Whether it is time for an attempt."""
        return not self.is_held or time.monotonic() >= self._retry_at

    @property
    def priority(self) -> tuple[bool, float]:
        """Sort key: topics that can be stored first, then the others by when they are due."""
        return self.is_held, self._retry_at

    def record_failure(self, reason: str) -> None:
        """Note that an attempt failed; the next one is due after a pause that grows."""
        if not self.is_held:
            self._since = time.monotonic()
            self._failures = 0
        self.is_held = True
        self.reason = reason
        pause_s = min(_FIRST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S)
        self._failures = min(self._failures + 1, 10)
        self._retry_at = time.monotonic() + pause_s

    def record_success(self) -> None:
        """Note that an attempt succeeded."""
        if self._is_logged:
            lasted_s = time.monotonic() - self._since
            _LOG.warning(
                "sink: topic '%s' is being stored again, after %.0f s", self._topic, lasted_s
            )
        self.is_held = self._is_logged = False

    def log_if_due(self, waiting: Callable[[], str]) -> None:
        """Log every few seconds what is held up, since when and why.

        Args:
            waiting: Gives how many messages wait, in words; called only when a line is due.
        """
        now = time.monotonic()
        if not self.is_held or now - self._logged_at < _LOG_EVERY_S:
            return
        self._logged_at = now
        self._is_logged = True
        held_s = now - self._since
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=held_s)
        _LOG.warning(
            "sink: topic '%s' has not been stored since %s UTC (%.0f s): %s %s Nothing is lost, "
            "and storing resumes by itself once BigQuery is back; if this lasts, check the "
            "network, BigQuery's status and the project's quotas",
            self._topic,
            since.strftime("%H:%M:%S"),
            held_s,
            self.reason,
            waiting(),
        )
