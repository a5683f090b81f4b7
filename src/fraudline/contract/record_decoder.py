"""Records of ours, of this release, an earlier or a later one.

The columns of a record grow at their end only, by nullable ones, so each release can tell what
another one wrote: a column that a record lacks is null, and one that only the record has names a
later release, or a contract with more columns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
from msgspec.structs import astuple

from fraudline.contract.columns import Column
from fraudline.contract.decoder import Decoder, Row, repeated_key
from fraudline.contract.rejects import Reject, RejectReason
from fraudline.contract.row_structs import row_struct

_OTHER_COLUMNS = frozenset({RejectReason.MISSING_COLUMN, RejectReason.UNKNOWN_COLUMN})
_NOT_DECODED = (msgspec.DecodeError, ValueError, RecursionError)  # not UTF-8 is a ValueError


class RecordDecoder(Decoder):
    """Decodes decisions and rejects, which only fraudline writes, and labels, which others may.

    As strict as any decoder, but that a nullable column may be absent.

    Args:
        columns: What this release knows, in this order.
        max_message_bytes: Largest record that is decoded.
        always: How many of the first columns must be there, even if they are nullable.
        is_patient: Whether columns that are not known are ignored; otherwise a record with one
            is a reject, of which `newer_column` tells whether a later release wrote it.
        is_own: Whether only fraudline writes them. What anybody may write is of no release.
    """

    _tells_keys = False

    def __init__(
        self,
        columns: Sequence[Column],
        max_message_bytes: int,
        *,
        always: int = 0,
        is_patient: bool = False,
        is_own: bool = True,
    ) -> None:
        super().__init__(columns, max_message_bytes)
        self._is_own = is_own
        closed, whatever = (
            msgspec.json.Decoder(row_struct(columns, always=always, is_open=is_open)).decode
            for is_open in (False, True)
        )
        self._whatever = whatever
        self._own = whatever if is_patient else closed
        known = list(columns)
        self._earlier = {self.fingerprint}
        while known and known[-1].is_nullable:
            known.pop()
            self._earlier.add(Decoder(known, max_message_bytes).fingerprint)

    def continues(self, fingerprint: str) -> bool:
        """As for any decoder; the one before may also have known fewer of the last columns."""
        return fingerprint in self._earlier

    def newer_column(self, message: bytes | None) -> str | None:
        """The first column that is not known, of a record that has all those that are."""
        if not self._is_own:
            return None
        try:
            self._whatever(message or b"")
            names: list[str] = list(json.loads(message or b""))
        except _NOT_DECODED:
            return None
        return next((name for name in names if name not in self._names), None)

    def decode_rows(
        self, messages: Sequence[bytes | None]
    ) -> tuple[list[Row], list[int], list[Reject]]:
        """As any decoder does; what lacks only nullable columns is a row, too.

        A record of this release costs what it costs there; others are looked at again.
        """
        rows, accepted, rejects = super().decode_rows(messages)
        if _OTHER_COLUMNS.isdisjoint(reject.reason for reject in rejects):
            return rows, accepted, rejects
        found = dict(zip(accepted, rows, strict=True))
        left = []
        for reject in rejects:
            outcome = self._second_try(messages[reject.index], reject)
            if isinstance(outcome, Reject):
                left.append(outcome)
            else:
                found[reject.index] = outcome
        accepted = sorted(found)
        return [found[index] for index in accepted], accepted, left

    def _second_try(self, message: bytes | None, reject: Reject) -> Row | Reject:
        if reject.reason not in _OTHER_COLUMNS:
            return reject
        try:
            rows = [astuple(self._own(self._cut(message)))]
            repeated = repeated_key(message or b"")
        except _NOT_DECODED:
            return reject
        if repeated is not None:
            words = f"column '{repeated}' is there more than once"
            return Reject(reject.index, RejectReason.DUPLICATE_COLUMN, words)
        for _, fault in self._beyond(rows):
            return Reject(reject.index, fault.reason, fault.message)
        return rows[0]
