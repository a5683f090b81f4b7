"""Versions as directories, aliases as small files that are replaced whole."""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fraudline.bundle.bundle_files import check_bundle, read_manifest
from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError, InputError
from fraudline.home import make_private
from fraudline.registry.challengers import CHALLENGED, Challenger, challengers_of
from fraudline.registry.champions import Champions, contract_of
from fraudline.registry.changes import POLICY_CHANGED, Change, Changes, Signature, append_line
from fraudline.registry.promotions import PROMOTED, ROLLED_BACK, Promotion, standing

_CANDIDATE = ".candidate-"
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")

logger = logging.getLogger(__name__)


class Registry:
    """The bundles of one project directory.

    A version is a directory named by its content, so it never changes. Each contract has a
    champion of its own.

    Args:
        home: Directory of the project's state (`Settings.home`).
        contract: Gives the name of the contract whose champion is meant; it is asked when one
            is, for whoever only looks at versions need read no contract.
    """

    def __init__(self, home: Path, contract: Callable[[], str]) -> None:
        self.directory = home / "models"
        self._contract = contract
        self._champions = Champions(self.directory)
        self._changes = Changes(self.directory)
        self._being_built: dict[Path, int] = {}

    def new_directory(self) -> Path:
        """An empty directory in which training may build a bundle, to be given to `add`.

        What trainings that were killed have left is removed, and named in the log. A training
        that lives holds a lock on its directory.
        """
        make_private(self.directory)
        with self._changing():
            self._sweep()
            made = Path(tempfile.mkdtemp(prefix=_CANDIDATE, dir=self.directory))
            self._being_built[made] = os.open(made, os.O_RDONLY)
            fcntl.flock(self._being_built[made], fcntl.LOCK_EX)
        return made

    def discard(self, candidate: Path) -> None:
        """Remove what `new_directory` gave, unless it was added; harmless where it was."""
        shutil.rmtree(candidate, ignore_errors=True)
        descriptor = self._being_built.pop(candidate, None)
        if descriptor is not None:
            os.close(descriptor)

    def add(self, candidate: Path) -> Manifest:
        """Take over a finished bundle as a version; adding the same one again changes nothing.

        A version that is there but was altered is replaced, so that training anew mends it.
        Who ends at the same time with the same bundle is told the same version.
        """
        manifest = check_bundle(candidate)
        with self._changing():
            kept = self._take_over(candidate, manifest)
        self.discard(candidate)
        return kept

    def _take_over(self, candidate: Path, manifest: Manifest) -> Manifest:
        target = self.directory / manifest.version
        if target.exists():
            try:
                existing = check_bundle(target)
            except BundleError:
                shutil.rmtree(target)
            else:
                return existing
        candidate.rename(target)
        return manifest

    def versions(self) -> list[Manifest]:
        """Every version, oldest first; one that is broken is named in the log and left out."""
        if not self.directory.is_dir():
            return []
        manifests = []
        for path in sorted(self.directory.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                try:
                    manifests.append(read_manifest(path))
                except BundleError as error:
                    logger.warning("a version is broken and not listed: %s", error)
        return sorted(manifests, key=lambda manifest: manifest.created_at)

    def path(self, version: str) -> Path:
        """The directory of a version.

        Raises:
            InputError: there is no such version.
        """
        path = self.directory / version
        if not _VERSION.fullmatch(version) or not path.is_dir():
            known = [manifest.version for manifest in self.versions()]
            raise InputError(
                f"there is no model version {version[:300]!r} in {self.directory}; "
                f"there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}. "
                "`fraudline models list` shows them, `fraudline train` makes one."
            )
        return path

    def promote(self, version: str, signature: Signature | None = None) -> None:
        """Make a version its contract's champion, in one step that a reader sees whole or not.

        Args:
            version: Which one.
            signature: Who does it and why; the account that runs this, without one.
        """
        self.path(version)
        with self._changing():
            self._change_champion(PROMOTED, version, signature)

    def earlier_champion(self) -> str:
        """The version that `roll_back` goes back to.

        Raises:
            BundleError: no version has been promoted yet.
            InputError: none was the champion before the present one.
        """
        champion = self.champion()
        before = standing(self.promotions())[:-1]
        if not before:
            raise InputError(
                f"no version was the champion before {champion}, so there is nothing to go back "
                "to. `fraudline models list` shows the versions, `fraudline models promote` "
                "makes another one the champion."
            )
        return before[-1]

    def roll_back(self, version: str, signature: Signature | None = None) -> None:
        """Make the champion before the present one the champion again.

        Args:
            version: What `earlier_champion` gave, for the caller has looked at that.
            signature: As for `promote`.

        Raises:
            InputError: the champion was changed meanwhile, so it would be another one.
        """
        self.path(version)
        with self._changing():
            if version != self.earlier_champion():
                raise InputError(
                    f"the champion was changed meanwhile: it is {self.champion()}. Nothing was "
                    "rolled back; look at `fraudline models list`, and then do it again."
                )
            self._change_champion(ROLLED_BACK, version, signature)

    def record_policy(
        self,
        version: str,
        source: str,
        fields: dict[str, tuple[object, object]],
        signature: Signature | None = None,
    ) -> None:
        """Write down that a version was made of another one by another policy.

        Args:
            version: What was made.
            source: What it was made of.
            fields: What became of the policy's fields, by name: before and after.
            signature: As for `promote`.
        """
        with self._changing():
            self._changes.append(
                contract_of(version),
                Change(_now(), POLICY_CHANGED, version, source, _signed(signature), fields),
            )

    def challenge(
        self, version: str, until: dt.datetime, signature: Signature | None = None
    ) -> None:
        """Make a version a challenger of its contract's champion, from now on; again, if it is one.

        Args:
            version: Which one.
            until: When it expires, UTC.
            signature: As for `promote`.

        Raises:
            InputError: there is no such version, no champion to challenge, or it is the champion.
        """
        self.path(version)
        with self._changing():
            contract = contract_of(version)
            champion = self._champions.champion(contract)
            if champion is None or champion == version:
                why = "has no champion yet" if champion is None else "has it as its champion"
                raise InputError(
                    f"{version} cannot be a challenger: contract '{contract}' {why}. "
                    "`fraudline models list` shows the versions."
                )
            signed = _signed(signature)
            self._changes.append(
                contract, Change(_now(), CHALLENGED, version, champion, signed, until=until)
            )

    def challengers(self) -> list[Challenger]:
        """Every version that was made a challenger of a champion, and why it is none any more.

        Raises:
            BundleError: a file of champions was altered.
        """
        now = dt.datetime.now(dt.UTC)
        return [
            each
            for contract in self._champions.contracts()
            for each in challengers_of(self._changes_of(contract), now)
        ]

    def record_verdict(self, version: str, verdict: bytes) -> None:
        """Keep what was found of a challenger, beside its version, which never changes.

        Args:
            version: The challenger.
            verdict: A JSON object without a line end.
        """
        self.path(version)
        with self._changing():
            append_line(self.directory / f"verdicts.{version}", verdict)

    def changes(self) -> list[Change]:
        """Every change of the contract's versions, oldest first, with who and why.

        Raises:
            BundleError: the file of its champions was altered.
        """
        return self._changes_of(self._contract())

    def _changes_of(self, contract: str) -> list[Change]:
        return self._changes.all(contract, self._champions.promotions(contract))

    def _change_champion(self, change: str, version: str, signature: Signature | None) -> None:
        contract, at = contract_of(version), _now()
        before = self._champions.champion(contract)
        # First what is done, then that it is so: a change that did not happen can be told.
        self._changes.append(contract, Change(at, change, version, before, _signed(signature)))
        self._champions.write(Promotion(at, change, version))

    def promotions(self) -> list[Promotion]:
        """Every promotion and rollback of the contract, oldest first.

        Raises:
            BundleError: the file of its champions was altered.
        """
        return self._champions.promotions(self._contract())

    def has_champion(self) -> bool:
        """Whether a version for the contract has been promoted yet."""
        return self._champions.champion(self._contract()) is not None

    def champion(self) -> str:
        """The version that scores the contract's transactions.

        Raises:
            BundleError: no version for the contract has been promoted yet.
        """
        contract = self._contract()
        champion = self._champions.champion(contract)
        if champion is None:
            others = self._champions.contracts()
            elsewhere = f" (there are some for {', '.join(others)})" if others else ""
            raise BundleError(
                f"there is no champion for contract '{contract}' in {self.directory}{elsewhere}: "
                "train a model with `fraudline train --promote`, or promote one with "
                "`fraudline models promote`."
            )
        return champion

    def champion_text(self) -> str:
        """What is written of the contract's champions: another text is another promotion.

        It costs a look at a small file, for who wants to know when the champion changes.
        """
        return self._champions.text(self._contract())

    def is_champion(self, version: str) -> bool:
        """Whether a version is the champion of its own contract."""
        return version == self._champions.champion(contract_of(version))

    def champions(self) -> list[Promotion]:
        """The champion of each contract that has one, and since when.

        Raises:
            BundleError: a file of champions was altered.
        """
        contracts = self._champions.contracts()
        return [self._champions.promotions(contract)[-1] for contract in contracts]

    def _sweep(self) -> None:
        """Remove candidates that nobody builds any more."""
        for path in self.directory.glob(f"{_CANDIDATE}*"):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError:  # it was removed meanwhile, or is nothing of ours
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                shutil.rmtree(path)
                logger.warning("removed %s, which a training that was killed has left", path)
            finally:
                os.close(descriptor)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One process at a time: a promotion that another one overwrote would be forgotten."""
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _signed(signature: Signature | None) -> Signature:
    return Signature.of_this_process() if signature is None else signature
