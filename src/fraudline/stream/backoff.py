"""Waiting for a store that is away: when to try again, and telling people about it."""

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
    """Whether one topic's messages can be stored now.

    Args:
        topic: Its name, for people.

    Attributes:
        is_held: Whether the last try failed.
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
        """Whether it is time to try."""
        return not self.is_held or time.monotonic() >= self._retry_at

    @property
    def priority(self) -> tuple[bool, float]:
        """Orders topics: those that can be stored, then the others by when they are due."""
        return self.is_held, self._retry_at

    def record_failure(self, reason: str) -> None:
        """Tell that a try failed; the next one is due after a pause that grows."""
        if not self.is_held:
            self._since = time.monotonic()
            self._failures = 0
        self.is_held = True
        self.reason = reason
        pause_s = min(_FIRST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S)
        self._failures = min(self._failures + 1, 10)
        self._retry_at = time.monotonic() + pause_s

    def record_success(self) -> None:
        """Tell that a try went well."""
        if self._is_logged:
            lasted_s = time.monotonic() - self._since
            _LOG.warning("sink: topic '%s' is stored again, after %.0f s", self._topic, lasted_s)
        self.is_held = self._is_logged = False

    def log_if_due(self, waiting: Callable[[], str]) -> None:
        """Log what is held up and since when, now and then.

        Args:
            waiting: How many messages wait, in words; asked only if there is a line to write.
        """
        now = time.monotonic()
        if not self.is_held or now - self._logged_at < _LOG_EVERY_S:
            return
        self._logged_at = now
        self._is_logged = True
        held_s = now - self._since
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=held_s)
        _LOG.warning(
            "sink: topic '%s' has not been stored since %s UTC (%.0f s): %s %s. Nothing is lost, "
            "and it goes on by itself when BigQuery does; if this lasts, look at the network, "
            "BigQuery's status and the project's quotas",
            self._topic,
            since.strftime("%H:%M:%S"),
            held_s,
            self.reason,
            waiting(),
        )
