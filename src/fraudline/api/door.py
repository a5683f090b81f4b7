"""Who may come in, and how often: keys, roles and rates, before a request is read."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from fraudline.access import ApiKey, ApiKeys, Role
from fraudline.api.problems import Refused, refused

MOST_FAILURES_A_MINUTE = 30
"""Of one address; who shows keys that are none is then not even looked at."""
_MOST_ADDRESSES = 10_000
_MINUTE_S = 60.0
_LOG = logging.getLogger(__name__)


@dataclass
class _Bucket:
    """What a key may still ask for; it may be overdrawn once, and then waits."""

    level: float
    at: float


class Door:
    """Lets in who shows a key with the right role.

    Args:
        keys: Of the project.
        rate: How many transactions a key may ask for in a second, in the long run; 0: any number.
    """

    def __init__(self, keys: ApiKeys, rate: float) -> None:
        self._keys, self._rate = keys, rate
        self._buckets: dict[str, _Bucket] = {}
        self._failures: dict[str, deque[float]] = {}
        self._used_at: dict[str, dt.datetime] = {}

    def admit(
        self, headers: Iterable[tuple[bytes, bytes]], address: str, roles: frozenset[Role]
    ) -> ApiKey:
        """The key that a request shows.

        Args:
            headers: Of the request, their names in lower case.
            address: Who sends it.
            roles: Those that may.

        Raises:
            Refused: it shows none that may.
        """
        shown = next((value for name, value in headers if name == b"authorization"), b"")
        scheme, _, key_text = shown.decode("latin-1").partition(" ")
        key = self._keys.holder(key_text.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise self._refusal(address, is_missing=not shown)
        if key.role not in roles:
            raise refused(
                HTTPStatus.FORBIDDEN,
                "wrong_role",
                f"The key {key.id} ({key.name}) is for the role {key.role}, and this needs "
                f"{' or '.join(sorted(roles))}.",
            )
        self._used_at[key.id] = dt.datetime.now(dt.UTC).replace(microsecond=0)
        return key

    def spend(self, key: ApiKey, transactions: int) -> None:
        """Count what a key asks for.

        A request that is larger than what is left is let in if anything is left: so is one that is
        larger than a second's rate.

        Raises:
            Refused: nothing is left.
        """
        if not self._rate:
            return
        now = time.monotonic()
        bucket = self._buckets.setdefault(key.id, _Bucket(self._rate, now))
        bucket.level = min(self._rate, bucket.level + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.level <= 0:
            wait_s = int(-bucket.level / self._rate) + 1
            raise refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_transactions",
                f"The key {key.id} ({key.name}) has {self._rate:g} transactions a second "
                f"(api.rate), and has used them; ask again in {wait_s} s.",
                {"Retry-After": str(wait_s)},
            )
        bucket.level -= transactions

    def take_used(self) -> dict[str, dt.datetime]:
        """When each key was used since this was asked last."""
        used, self._used_at = self._used_at, {}
        return used

    def give_back(self, used_at: dict[str, dt.datetime]) -> None:
        """Take these for used again: they could not be kept."""
        self._used_at = used_at | self._used_at

    def _refusal(self, address: str, *, is_missing: bool) -> Refused:
        now = time.monotonic()
        if len(self._failures) >= _MOST_ADDRESSES:
            self._failures.clear()
        failures = self._failures.setdefault(address, deque(maxlen=MOST_FAILURES_A_MINUTE))
        while failures and failures[0] < now - _MINUTE_S:
            failures.popleft()
        if len(failures) == MOST_FAILURES_A_MINUTE:
            wait_s = int(failures[0] + _MINUTE_S - now) + 1
            return refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_wrong_keys",
                f"This address has shown {MOST_FAILURES_A_MINUTE} wrong keys within a minute; ask "
                f"again in {wait_s} s.",
                {"Retry-After": str(wait_s)},
            )
        failures.append(now)
        if len(failures) == MOST_FAILURES_A_MINUTE:
            _LOG.warning(
                "serve: %s has shown %d keys within a minute that open nothing",
                address,
                MOST_FAILURES_A_MINUTE,
            )
        what = (
            "The request shows no API key"
            if is_missing
            else "What the request shows is no API key that is in force"
        )
        return refused(
            HTTPStatus.UNAUTHORIZED,
            "no_key",
            f"{what}. Send `Authorization: Bearer fl_…`; `fraudline keys create` makes a key.",
            {"WWW-Authenticate": "Bearer"},
        )
