"""Who changed what of a contract's versions, and why: a line for each change, never altered.

The file of champions says what is so, this one what was done. A change is written here first, under
the registry's lock: one that then did not happen is here and not there, and is told as such.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import platform
import pwd
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Self

import msgspec

from fraudline.registry.promotions import PROMOTED, ROLLED_BACK, Promotion
from fraudline.registry.store import Store

POLICY_CHANGED = "policy-changed"
LABEL_RULE_CHANGED = "label-rule-changed"
_OF_CHAMPIONS = frozenset({PROMOTED, ROLLED_BACK})

logger = logging.getLogger(__name__)


class Signature(msgspec.Struct, frozen=True):
    """Who changes something, and why.

    Attributes:
        by: Who says to have done it.
        user: The system's account that did.
        reason: Why, in words; empty if nobody said.
        host: The machine on which that was; empty where it was not kept.
    """

    by: str
    user: str
    reason: str = ""
    host: str = ""

    @classmethod
    def of_this_process(cls, by: str | None = None, reason: str = "") -> Self:
        """Signed by the account that runs this, in another name if one is given."""
        try:
            user = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container's
            user = f"uid {os.getuid()}"
        return cls(by or user, user, reason, platform.node())


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change of a contract's versions.

    Attributes:
        at: When, UTC.
        change: `promoted`, `rolled-back-to`, `policy-changed`, `challenged`, `rolled-out`,
            `rollout-ended`, `label-rule-changed`, or what a later release has.
        version: The champion from then on, the version that was made, the challenger, or the
            version that decides a share; of a rule that concerns all versions, the contract.
        before: The champion until then, the version that it was made from, or the champion that it
            challenges or that decides the other transactions.
        signature: Who and why; None for what was done before that was kept.
        fields: What became of a policy's fields, a rollout's share or a rule's, by name: before and
            after.
        until: When a challenger expires.
        is_live: Whether a challenger scores in the scorers, too.
        is_recalibrated: Whether the champion has the network of the one before, and another
            calibration: it ranks as that did.
        is_done: Whether it happened; a process that died, or a full disk, may have come between.
    """

    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    change: str
    version: str
    before: str | None = None
    signature: Signature | None = None
    fields: dict[str, tuple[object, object]] = {}
    until: Annotated[dt.datetime, msgspec.Meta(tz=True)] | None = None
    is_live: bool = False
    is_recalibrated: bool = False
    is_done: bool = True

    def makes_champion_after(self, champion: str | None) -> bool:
        """Whether another version is the champion from then on than was before."""
        return self.change in _OF_CHAMPIONS and self.is_done and self.version != champion

    def makes_network_after(self, champion: str | None) -> bool:
        """Whether the champion from then on ranks in another way than the one before."""
        return self.makes_champion_after(champion) and not self.is_recalibrated

    @property
    def is_of_champion(self) -> bool:
        """Whether another version became the champion."""
        return self.is_done and self.change in _OF_CHAMPIONS

    @property
    def what(self) -> str:
        """What was done, in words."""
        words = self.change.replace("-", " ")
        return (
            words if self.is_done else f"{words}: did not happen (cut short, or another was first)"
        )

    @property
    def who(self) -> str:
        """Who did it, and by which account if that is another name."""
        if self.signature is None:
            return "was not kept"
        by, user = self.signature.by, self.signature.user
        return by if by == user else f"{by} (account {user})"

    @property
    def why(self) -> str:
        """Why, and which fields of a policy became what."""
        fields = ", ".join(f"{name} {a} -> {b}" for name, (a, b) in self.fields.items())
        until = f"until {self.until:%Y-%m-%d %H:%M} UTC" if self.until is not None else ""
        reason = self.signature.reason if self.signature is not None else ""
        live = "scores live" if self.is_live else ""
        same = "calibrated anew, the same network" if self.is_recalibrated else ""
        return "; ".join(filter(None, [reason, fields, until, live, same]))


_decode_change = msgspec.json.Decoder(Change).decode


class Changes:
    """The files `changes.<contract>` of a registry; each only ever gets longer.

    Args:
        store: Where the registry's files lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, contract: str, change: Change) -> None:
        """Write a change down; it is stored when this returns."""
        self._store.append(_file_of(contract), msgspec.json.encode(change))

    def text(self, contract: str) -> bytes:
        """All that is written of a contract's changes."""
        held = self._store.read(_file_of(contract))
        return held.content if held is not None else b""

    def all(self, contract: str, promotions: Iterable[Promotion]) -> list[Change]:
        """Every change of a contract, in the order in which they were made, whatever clocks said.

        Args:
            contract: Its name.
            promotions: What the file of champions says: what is only there was done before
                changes were kept, or by hand; what is only here did not happen.
        """
        happened = [(each.at, each.change, each.version) for each in promotions]
        recorded = self._read(contract)
        keys = {(each.at, each.change, each.version) for each in recorded}
        changes: list[Change] = []
        begin = 0  # of what happened and was not met yet
        for each in recorded:
            key = each.at, each.change, each.version
            is_done = each.change not in _OF_CHAMPIONS
            stop = begin
            if not is_done and key in happened[begin:]:
                stop = happened.index(key, begin)
                is_done = True
            else:  # of what only the champion's file knows, no more than its time tells
                while stop < len(happened) and happened[stop] not in keys:
                    if happened[stop][0] > each.at:
                        break
                    stop += 1
            changes += [Change(*one) for one in happened[begin:stop]]
            changes.append(msgspec.structs.replace(each, is_done=is_done))
            begin = stop + int(is_done and each.change in _OF_CHAMPIONS)
        return changes + [Change(*one) for one in happened[begin:]]

    def _read(self, contract: str) -> list[Change]:
        name = _file_of(contract)
        held = self._store.read(name)
        changes = []
        lines = held.content.splitlines() if held is not None else []
        for number, line in enumerate(lines, start=1):
            try:
                changes.append(_decode_change(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                if line:
                    where = f"{self._store.where}/{name}"
                    logger.warning("%s, line %d is no change: %s", where, number, error)
        return changes


def with_champions(changes: Sequence[Change]) -> Iterator[tuple[Change, str | None]]:
    """Each change of a contract with its champion until then; None before the first is known.

    Args:
        changes: All of the contract's, oldest first.
    """
    champion: str | None = None
    for each in changes:
        yield each, champion
        if each.makes_champion_after(champion):
            champion = each.version


def _file_of(contract: str) -> str:
    return f"changes.{contract}"
