"""By how long periods the learner that began last judges: no two may do so by different ones."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Annotated

import msgspec

from fraudline.registry.changes import Signature
from fraudline.registry.store import Store

logger = logging.getLogger(__name__)


class PeriodInUse(msgspec.Struct, frozen=True):
    """How long periods are, since a learner began with them.

    Attributes:
        at: When it began, UTC.
        period_s: Seconds.
        signature: Who began it.
    """

    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    period_s: float
    signature: Signature


_LINE = msgspec.json.Decoder(PeriodInUse)


class PeriodsInUse:
    """The files `periods.<contract>` of a registry; each only ever gets longer.

    Args:
        store: Where the registry's files lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def last(self, contract: str) -> PeriodInUse | None:
        """What is in use; None before the first learner."""
        held = self._store.read(_file_of(contract))
        for line in reversed(held.content.splitlines() if held else []):
            try:
                return _LINE.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                logger.warning("%s/%s: %s", self._store.where, _file_of(contract), error)
        return None

    def begin(self, contract: str, period_s: float, signature: Signature) -> PeriodInUse | None:
        """Write down that a learner begins, if its periods are of another length than before.

        Returns:
            What was in use until then; None where it was the same, or nothing.

        Raises:
            InputError: another machine wrote at the same moment.
        """
        with self._store.changing():
            before = self.last(contract)
            if before is not None and before.period_s == period_s:
                return None
            now = PeriodInUse(dt.datetime.now(dt.UTC), period_s, signature)
            self._store.append(_file_of(contract), msgspec.json.encode(now))
        return before


def _file_of(contract: str) -> str:
    return f"periods.{contract}"
