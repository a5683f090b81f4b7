"""Which version is the champion of each contract, and which were before it: a file for each."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from fraudline.errors import BundleError
from fraudline.registry.promotions import PROMOTED, Promotion, standing

CHAMPION = "champion"


class Champions:
    """The files `champion.<contract>` of a directory, each replaced in one step.

    The first line of a file is the champion's name, the others are every promotion and rollback
    there was for that contract, so the two can never disagree. A version's name begins with
    its contract's.

    Until there was a file for each contract, all shared one, `champion`. What it says of a
    contract counts until that contract has a file of its own; it is never written again.

    Args:
        directory: The registry's.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def contracts(self) -> list[str]:
        """Names of the contracts that have a champion."""
        own = {path.name.removeprefix(f"{CHAMPION}.") for path in self._own_files()}
        shared = {contract_of(version) for version in standing(self._read(self._shared))}
        return sorted(own | shared)

    def champion(self, contract: str) -> str | None:
        """The version that scores a contract's transactions; None before the first."""
        own = self._file(contract)
        if own.is_file():
            return _first_line(own)
        if self._shared.is_file():
            first = _first_line(self._shared)
            if contract_of(first) == contract:
                return first
        promotions = self.promotions(contract)
        return promotions[-1].version if promotions else None

    def text(self, contract: str) -> str:
        """All that is written of a contract's champions; empty before the first.

        Another text is another promotion, even of the same version.
        """
        own = self._file(contract)
        path = own if own.is_file() else self._shared
        return path.read_text(errors="replace") if path.is_file() else ""

    def promotions(self, contract: str) -> list[Promotion]:
        """Every promotion and rollback of a contract, oldest first.

        Of a file that contracts shared, only the promotions of champions that were not rolled
        back: who was rolled back to could be another contract's.

        Raises:
            BundleError: the file was altered.
        """
        own = self._file(contract)
        if own.is_file():
            return self._read(own)
        shared = self._read(self._shared)
        promoted_at = {each.version: each.at for each in shared}
        return [
            Promotion(promoted_at[version], PROMOTED, version)
            for version in standing(shared)
            if contract_of(version) == contract
        ]

    def write(self, promotion: Promotion) -> None:
        """Make a version the champion of its contract; a reader sees it whole or not at all."""
        version = promotion.version
        contract = contract_of(version)
        promotions = [*self.promotions(contract), promotion]
        draft = self._directory / f".{CHAMPION}.{contract}-{os.getpid()}"
        with draft.open("w") as file:
            file.write("\n".join([version, *map(str, promotions)]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file(contract))

    @property
    def _shared(self) -> Path:
        return self._directory / CHAMPION

    def _file(self, contract: str) -> Path:
        return self._directory / f"{CHAMPION}.{contract}"

    def _own_files(self) -> list[Path]:
        return [path for path in self._directory.glob(f"{CHAMPION}.*") if path.is_file()]

    def _read(self, path: Path) -> list[Promotion]:
        if not path.is_file():
            return []
        champion, *lines = (
            line.strip() for line in path.read_text(errors="replace").splitlines() or [""]
        )
        promotions = [Promotion.parse(line, path.name) for line in lines]
        if not promotions:  # written by hand: the file tells when
            at = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
            return [Promotion(at, PROMOTED, champion)]
        if promotions[-1].version != champion:
            raise BundleError(
                f"the file {path} was altered: its first line names "
                f"{champion[:300]!r}, its last {promotions[-1].version!r}. Remove all of its lines "
                "but the first: that only forgets the earlier champions."
            )
        return promotions


def contract_of(version: str) -> str:
    """The name of the contract for which a version was trained: its own name begins with it."""
    return version.partition("-")[0]


def _first_line(path: Path) -> str:
    return path.read_text(errors="replace").partition("\n")[0].strip()
