"""Which version is the champion of each contract, and which were before it: a file for each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from fraudline.errors import BundleError
from fraudline.registry.promotions import PROMOTED, Promotion, standing
from fraudline.registry.store import Held, Store

CHAMPION = "champion"


@dataclass(frozen=True)
class ChampionFile:
    """What is written of a contract's champions at one moment.

    Attributes:
        contract: Its name.
        own: What its own file holds; None while it has none.
        shared: What the file holds that contracts shared, if it has no own.
    """

    contract: str
    own: Held | None
    shared: Held | None = None

    @property
    def text(self) -> str:
        """All of it; empty before the first promotion. Another text is another promotion."""
        held = self.own or self.shared
        return _text(held) if held is not None else ""

    @property
    def champion(self) -> str | None:
        """The version that scores the contract's transactions; None before the first."""
        if self.own is not None:
            return _first_line(self.own)
        if self.shared is not None:
            first = _first_line(self.shared)
            if contract_of(first) == self.contract:
                return first
        promotions = self.promotions()
        return promotions[-1].version if promotions else None

    def promotions(self) -> list[Promotion]:
        """Every promotion and rollback of the contract, oldest first.

        Of a file that contracts shared, only the promotions of champions that were not rolled
        back: who was rolled back to could be another contract's.

        Raises:
            BundleError: the file was altered.
        """
        if self.own is not None:
            return _promotions(self.own, file_of(self.contract))
        shared = _promotions(self.shared, CHAMPION) if self.shared is not None else []
        promoted_at = {each.version: each.at for each in shared}
        return [
            Promotion(promoted_at[version], PROMOTED, version)
            for version in standing(shared)
            if contract_of(version) == self.contract
        ]


@dataclass(frozen=True)
class LastKnown:
    """Who was the champion when that was last read.

    Attributes:
        version: The champion.
        text: As `ChampionFile.text`.
        at: When, UTC.
    """

    version: str
    text: str
    at: dt.datetime


class Champions:
    """The files `champion.<contract>` of a registry, each replaced in one step.

    The first line of a file is the champion's name, the others are every promotion and rollback
    there was for that contract, so the two can never disagree. A version's name begins with
    its contract's.

    Until there was a file for each contract, all shared one, `champion`. What it says of a
    contract counts until that contract has a file of its own; it is never written again.

    Args:
        store: Where the registry's files lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def contracts(self) -> list[str]:
        """Names of the contracts that have a champion."""
        own = {name.removeprefix(f"{CHAMPION}.") for name in self._store.names(f"{CHAMPION}.")}
        held = self._store.read(CHAMPION)
        versions = standing(_promotions(held, CHAMPION)) if held is not None else []
        return sorted(own | {contract_of(version) for version in versions})

    def read(self, contract: str) -> ChampionFile:
        """What is written of a contract's champions now."""
        own = self._store.read(file_of(contract))
        return ChampionFile(contract, own, self._store.read(CHAMPION) if own is None else None)

    def last_known(self, contract: str) -> LastKnown | None:
        """Who was the champion when this machine read an object store last."""
        own = self._store.remembered(file_of(contract))
        shared = self._store.remembered(CHAMPION) if own is None else None
        found, held = ChampionFile(contract, own, shared), own or shared
        if held is None or found.champion is None:
            return None
        return LastKnown(found.champion, found.text, held.modified_at)

    def write(self, promotion: Promotion, before: ChampionFile) -> bool:
        """Make a version the champion of its contract; a reader sees it whole or not at all.

        Args:
            promotion: Of which version.
            before: What was written when that was decided.

        Returns:
            Whether it still was. If not, nothing was written.
        """
        lines = [promotion.version, *map(str, [*before.promotions(), promotion])]
        content = ("\n".join(lines) + "\n").encode()
        return self._store.replace(file_of(before.contract), content, before.own)


def contract_of(version: str) -> str:
    """The name of the contract for which a version was trained: its own name begins with it."""
    return version.partition("-")[0]


def file_of(contract: str) -> str:
    """Name of the file of a contract's champions."""
    return f"{CHAMPION}.{contract}"


def _text(held: Held) -> str:
    return held.content.decode(errors="replace")


def _first_line(held: Held) -> str:
    return _text(held).partition("\n")[0].strip()


def _promotions(held: Held, file: str) -> list[Promotion]:
    champion, *lines = (line.strip() for line in _text(held).splitlines() or [""])
    promotions = [Promotion.parse(line, file) for line in lines]
    if not promotions:  # written by hand: the file tells when
        return [Promotion(held.modified_at, PROMOTED, champion)]
    if promotions[-1].version != champion:
        raise BundleError(
            f"the file `{file}` was altered: its first line names "
            f"{champion[:300]!r}, its last {promotions[-1].version!r}. Remove all of its lines "
            "but the first: that only forgets the earlier champions."
        )
    return promotions
