"""Which version decides what: the champion and those beside it, and who changed that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from fraudline.errors import BundleError, InputError
from fraudline.registry.challengers import (
    CHALLENGED,
    Challenger,
    challengers_of,
    live_of,
    require_place,
)
from fraudline.registry.champions import ChampionFile, Champions, LastKnown, contract_of
from fraudline.registry.changes import (
    POLICY_CHANGED,
    Change,
    Changes,
    Signature,
)
from fraudline.registry.label_rules import LabelRules
from fraudline.registry.networks import Networks
from fraudline.registry.open_store import open_store
from fraudline.registry.periods_in_use import PeriodsInUse
from fraudline.registry.promotions import PROMOTED, ROLLED_BACK, Promotion, standing
from fraudline.registry.rollouts import Rollout, Rollouts
from fraudline.registry.versions import StoredVersions
from fraudline.settings import LOCAL


class Registry(StoredVersions):
    """The bundles of one project.

    Each contract has a champion of its own; `StoredVersions` has what there is to choose from.

    Args:
        home: Directory of the project's state (`Settings.home`).
        contract: Gives the name of the contract whose champion is meant; it is asked when one
            is, for whoever only looks at versions need read no contract.
        url: `local`, or that of an object store (`RegistrySettings.url`).

    Raises:
        RegistryError: from each method: the object store cannot be reached, or refuses.
    """

    def __init__(self, home: Path, contract: Callable[[], str], url: str = LOCAL) -> None:
        super().__init__(open_store(url, home), self._changes_of)
        self._contract = contract
        self._champions = Champions(self._store)
        self._changes = Changes(self._store)
        self.networks = Networks(self._store, lambda: self._champions.read(contract()))
        self.periods = PeriodsInUse(self._store)
        self.label_rules = LabelRules(self._store, self._changes, self._changes_of)
        self.rollouts = Rollouts(
            self._store, self._champions, self._changes, self._require, self.networks
        )

    def promote(
        self,
        version: str,
        signature: Signature | None = None,
        *,
        over: str | None = None,
        of: Rollout | None = None,
    ) -> None:
        """Make a version its contract's champion, in one step that a reader sees whole or not.

        Args:
            version: Which one.
            signature: Who does it and why; the account that runs this, without one.
            over: The champion that it was found better than; any, without one.
            of: The rollout in which it was; without one none may stand where there is `over`.

        Raises:
            InputError: there is no such version, or what it was found over was changed meanwhile.
        """
        with self._changing(version):
            now = self._champions.read(contract_of(version))
            self._require_as_found(over, of, now)
            self._change_champion(PROMOTED, version, signature, now)

    def _require_as_found(self, over: str | None, of: Rollout | None, now: ChampionFile) -> None:
        """Refuse what was found of another champion, or another rollout, or while none stood."""
        if of is not None:
            self.rollouts.require(of)
        if over is None:
            return
        if now.champion != over:
            raise InputError(
                f"the champion was changed meanwhile, from {over} to {now.champion}. Nothing was "
                "done: what was found was found of the one before."
            )
        rollout = self.rollouts.of(now.contract) if of is None else None
        if rollout is not None:
            raise InputError(
                f"{rollout}, since {rollout.since:%Y-%m-%d %H:%M} UTC. Nothing was done."
            )

    def earlier_champion(self) -> str:
        """The version that `roll_back` goes back to.

        Raises:
            BundleError: no version has been promoted yet.
            InputError: none was the champion before the present one.
        """
        return self._earlier(self._champions.read(self._contract()))

    def _earlier(self, now: ChampionFile) -> str:
        champion = self._champion_of(now)
        before = standing(now.promotions())[:-1]
        if not before:
            raise InputError(
                f"no version was the champion before {champion}, so there is nothing to go back "
                "to. `fraudline models list` shows the versions, `fraudline models promote` "
                "makes another one the champion."
            )
        return before[-1]

    def roll_back(
        self, version: str, signature: Signature | None = None, *, over: str | None = None
    ) -> None:
        """Make the champion before the present one the champion again.

        Args:
            version: What `earlier_champion` gave, for the caller has looked at that.
            signature: As for `promote`.
            over: The champion that it was found better than, while no version decided a share.

        Raises:
            InputError: the champion was changed meanwhile, so it would be another one; or what it
                was found over was.
        """
        with self._changing(version):
            now = self._champions.read(self._contract())
            self._require_as_found(over, None, now)
            if version != self._earlier(now):
                raise InputError(
                    f"the champion was changed meanwhile: it is {self.champion()}. Nothing was "
                    "rolled back; look at `fraudline models list`, and then do it again."
                )
            self._change_champion(ROLLED_BACK, version, signature, now)

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
        with self._store.changing():
            self._changes.append(
                contract_of(version),
                Change(_now(), POLICY_CHANGED, version, source, _signed(signature), fields),
            )

    def challenge(
        self,
        version: str,
        until: dt.datetime,
        signature: Signature | None = None,
        *,
        is_live: bool = False,
    ) -> None:
        """Make a version a challenger of its contract's champion, from now on; again, if it is one.

        Args:
            version: Which one.
            until: When it expires, UTC.
            signature: As for `promote`.
            is_live: Whether it scores in the scorers, too.

        Raises:
            InputError: there is no such version, no champion to challenge, or it is the champion
                or has its network; or as many are live as may be.
        """
        with self._changing(version):
            contract, at = contract_of(version), _now()
            champion = self._champions.read(contract).champion
            changes = self._changes_of(contract)
            require_place(version, champion, changes, at, is_live=is_live)
            stands = {one.version for one in challengers_of(changes, at) if one.ended is None}
            if is_live or version not in stands:  # of the last release it may end to score live
                self.networks.require_another(version, str(champion), "challenge it")
            signed = _signed(signature)
            self._changes.append(
                contract,
                Change(at, CHALLENGED, version, champion, signed, until=until, is_live=is_live),
            )

    def changes_text(self) -> bytes:
        """What is written of the contract's changes: another text is another change.

        It costs a look at a small file, for who wants to know when something changes.
        """
        return self._changes.text(self._contract())

    def live_challengers(self) -> list[Challenger]:
        """The contract's challengers that score beside its champion now, at most two.

        Raises:
            BundleError: the file of its champions was altered.
        """
        return live_of(self.changes(), _now())

    def rollout(self) -> Rollout | None:
        """The version that decides a share of the contract's transactions, if there is one.

        Raises:
            BundleError: the file of its champions was altered.
        """
        return self.rollouts.of(self._contract())

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
        with self._changing(version):
            self._store.append(_verdicts_of(version), verdict)

    def verdicts(self, version: str) -> list[bytes]:
        """What `record_verdict` kept of a challenger, oldest first."""
        held = self._store.read(_verdicts_of(version))
        return held.content.splitlines() if held is not None else []

    def changes(self) -> list[Change]:
        """Every change of the contract's versions, oldest first, with who and why.

        Raises:
            BundleError: the file of its champions was altered.
        """
        return self._changes_of(self._contract())

    def _changes_of(self, contract: str) -> list[Change]:
        return self._changes.all(contract, self._champions.read(contract).promotions())

    def _change_champion(
        self, change: str, version: str, signature: Signature | None, now: ChampionFile
    ) -> None:
        """Args: `now` is what was written when it was decided to do this."""
        at = _now()
        before = now.champion
        is_alike = self.networks.are_alike(before, version)
        # First what is done, then that it is so: a change that did not happen can be told.
        done = Change(at, change, version, before, _signed(signature), is_recalibrated=is_alike)
        self._changes.append(now.contract, done)
        promotion = Promotion(at, change, version)
        if self._champions.write(promotion, now):
            return
        found = self._champions.read(now.contract)
        if promotion not in found.promotions():  # else only the answer was lost
            raise InputError(
                f"another machine changed the champion at the same moment: it is {found.champion}. "
                f"Nothing was done with {version}; look at `fraudline models changes`, and then "
                "do it again."
            )

    def promotions(self) -> list[Promotion]:
        """Every promotion and rollback of the contract, oldest first.

        Raises:
            BundleError: the file of its champions was altered.
        """
        return self._champions.read(self._contract()).promotions()

    def champion_since(self) -> dt.datetime:
        """Since when the contract's champion is the one that it is; to promote it again is nothing.

        Raises:
            BundleError: no version has been promoted yet, or the file of champions was altered.
        """
        champion, since = self.champion(), None
        for each in reversed(self.promotions()):
            if each.version != champion:
                break
            since = each.at
        return since or _now()

    def has_champion(self) -> bool:
        """Whether a version for the contract has been promoted yet."""
        return self._champions.read(self._contract()).champion is not None

    def champion(self) -> str:
        """The version that scores the contract's transactions.

        Raises:
            BundleError: no version for the contract has been promoted yet.
        """
        return self._champion_of(self._champions.read(self._contract()))

    def _champion_of(self, now: ChampionFile) -> str:
        if now.champion is None:
            others = self._champions.contracts()
            elsewhere = f" (there are some for {', '.join(others)})" if others else ""
            raise BundleError(
                f"there is no champion for contract '{now.contract}' in {self._store.where}"
                f"{elsewhere}: train a model with `fraudline train --promote`, or promote one with "
                "`fraudline models promote`."
            )
        return now.champion

    def champion_text(self) -> str:
        """What is written of the contract's champions: another text is another promotion.

        It costs a look at a small file, for who wants to know when the champion changes.
        """
        return self._champions.read(self._contract()).text

    def last_known_champion(self) -> LastKnown | None:
        """Who was the champion when this machine read an object store last; None if it never did.

        For who starts to score while the store is away. What happened there since is not known.
        """
        return self._champions.last_known(self._contract())

    def is_champion(self, version: str) -> bool:
        """Whether a version is the champion of its own contract."""
        return version == self._champions.read(contract_of(version)).champion

    def all_rollouts(self) -> list[Rollout]:
        """The rollout of each contract that has one.

        Raises:
            BundleError: a file of champions was altered.
        """
        found = [self.rollouts.of(contract) for contract in self._champions.contracts()]
        return [each for each in found if each is not None]

    def champions(self) -> list[Promotion]:
        """The champion of each contract that has one, and since when.

        Raises:
            BundleError: a file of champions was altered.
        """
        contracts = self._champions.contracts()
        return [self._champions.read(contract).promotions()[-1] for contract in contracts]


def _verdicts_of(version: str) -> str:
    return f"verdicts.{version}"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _signed(signature: Signature | None) -> Signature:
    return Signature.of_this_process() if signature is None else signature
