"""Whether a version decides a share of the transactions beside the champion, and which share.

It follows from the list of changes, as who challenges does: each change of the share is a line
there, with the share before and after.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fraudline.errors import InputError
from fraudline.registry.champions import Champions, contract_of
from fraudline.registry.changes import Change, Changes, Signature, with_champions
from fraudline.registry.networks import Networks
from fraudline.registry.store import Store

ROLLED_OUT = "rolled-out"
ROLLOUT_ENDED = "rollout-ended"
_SHARE, _WIDENS = "share", "widens"


@dataclass(frozen=True)
class Rollout:
    """A version that decides a share of the transactions, while the champion decides the others.

    Attributes:
        version: Which one.
        share: Its share of the transactions, above 0 and below 1.
        since: Since when it decides any.
        widened_at: Since when it has this share.
        widens: Whether it is widened by itself, as whoever gave it this share has asked.
    """

    version: str
    share: float
    since: dt.datetime
    widened_at: dt.datetime
    widens: bool = False

    def __str__(self) -> str:
        return f"{self.version} decides {100 * self.share:g} % of the transactions"


def rollout_of(changes: Sequence[Change]) -> Rollout | None:
    """The rollout that stands after these changes, if there is one.

    It ends by word, and when another version becomes the champion, by promotion or rollback. One
    that was decided on beside another champion never stood: in an object store a machine may
    promote while another one begins or widens a rollout.

    Args:
        changes: All of the contract's, oldest first.
    """
    found: Rollout | None = None
    for each, champion in with_champions(changes):
        _, share = each.fields.get(_SHARE, (None, None))
        if each.change == ROLLED_OUT and isinstance(share, float):
            if champion is not None and each.before not in {None, champion}:
                continue
            _, widens = each.fields.get(_WIDENS, (None, None))
            if found is not None and found.version == each.version:
                found = replace(found, share=share, widened_at=each.at)
            else:
                found = Rollout(each.version, share, each.at, each.at)
            if isinstance(widens, bool):  # written where it changes
                found = replace(found, widens=widens)
        elif each.change == ROLLOUT_ENDED or each.makes_champion_after(champion):
            found = None
    return found


class Rollouts:
    """Begins, widens and ends rollouts.

    Args:
        store: Where the registry's files lie.
        champions: Who the champion is.
        changes: Where a change of the share is written.
        require: Refuses what is no version of the registry.
        networks: Which versions rank alike.
    """

    def __init__(
        self,
        store: Store,
        champions: Champions,
        changes: Changes,
        require: Callable[[str], None],
        networks: Networks,
    ) -> None:
        self._store, self._champions, self._changes = store, champions, changes
        self._require, self._networks = require, networks

    def of(self, contract: str) -> Rollout | None:
        """The rollout of a contract, if one stands.

        Raises:
            BundleError: the file of its champions was altered.
        """
        promotions = self._champions.read(contract).promotions()
        return rollout_of(self._changes.all(contract, promotions))

    def begin(
        self, version: str, share: float, signature: Signature, *, widens: bool = False
    ) -> Rollout:
        """Let a version decide a share of its contract's transactions, from now on.

        Args:
            version: Which one.
            share: Of the transactions, above 0 and below 1.
            signature: Who does it and why.
            widens: Whether it is to be widened by itself.

        Returns:
            What stands from now on.

        Raises:
            InputError: there is no such version, no champion beside which it could decide, it is
                the champion, another rollout stands, or that is no share; or it is to widen by
                itself and has the champion's network.
        """
        self._require(version)
        with self._store.changing():
            self._require(version)  # else it was removed meanwhile
            contract = contract_of(version)
            champion = self._champions.read(contract).champion
            if champion is None or champion == version:
                why = "has no champion yet" if champion is None else "has it as its champion"
                raise InputError(
                    f"{version} cannot decide a share: contract '{contract}' {why}. "
                    "`fraudline models promote` without --share makes a version the champion."
                )
            found = self.of(contract)
            if found is not None:
                raise InputError(
                    f"{found} already. `fraudline models rollout --share` widens that, `fraudline "
                    "models rollback` ends it; then another one can begin."
                )
            self._require_proof(version, champion, widens=widens)
            return self._write(version, (0.0, share), (False, widens), signature)

    def widen(
        self,
        version: str,
        share: float,
        signature: Signature,
        *,
        widens: bool = False,
        of: Rollout | None = None,
    ) -> Rollout:
        """Let the version that decides a share decide a larger one.

        Args:
            version: Which one the caller means; it is to be the one that stands.
            share: Above its present one, below 1: all of them is a promotion.
            signature: As for `begin`.
            widens: As for `begin`, from now on.
            of: The rollout that this was decided of; whichever stands, without one.

        Returns:
            What stands from now on.

        Raises:
            InputError: it decides no share, that is no larger one, or the rollout was changed
                meanwhile; or it is to widen by itself from now on and has the champion's network.
        """
        with self._store.changing():
            found = self._standing(version, of)
            if share <= found.share:
                raise InputError(
                    f"{found} already, and a rollout only widens: {100 * share:g} % is no more. "
                    "`fraudline models rollback` ends it."
                )
            champion = self._champions.read(contract_of(version)).champion
            self._require_proof(version, champion, widens=widens and not found.widens)
            shares, are = (found.share, share), (found.widens, widens)
            return self._write(version, shares, are, signature)

    def end(self, version: str, signature: Signature, *, of: Rollout | None = None) -> None:
        """Let the champion decide all transactions again.

        Args:
            version: As for `widen`.
            signature: As for `begin`.
            of: As for `widen`.

        Raises:
            InputError: it decides no share, or the rollout was changed meanwhile.
        """
        with self._store.changing():
            found = self._standing(version, of)
            self._append(ROLLOUT_ENDED, version, {_SHARE: (found.share, 0.0)}, signature)

    def require(self, of: Rollout) -> None:
        """Refuse what was decided of a rollout that is not the one that stands any more.

        Raises:
            InputError: it ended, or has another share.
        """
        self._standing(of.version, of)

    def _require_proof(self, version: str, champion: str | None, *, widens: bool) -> None:
        """Refuse to let widen by itself what can never be proved to rank better."""
        if widens and champion is not None:
            self._networks.require_another(version, champion, "widen by itself beside it")

    def _standing(self, version: str, of: Rollout | None = None) -> Rollout:
        contract = contract_of(version)
        found = self.of(contract)
        if found is None or found.version != version:
            stands = f"{found}" if found is not None else "no version does"
            raise InputError(
                f"{version[:300]} decides no share of contract '{contract}'; {stands}. Nothing was "
                "changed. `fraudline models promote VERSION --share` begins a rollout."
            )
        if of is not None and found != of:
            raise InputError(
                f"the rollout of {version} was changed meanwhile, at {found.widened_at:%H:%M:%S} "
                f"UTC: {found}. Nothing was done, as that was decided of another share."
            )
        return found

    def _write(
        self,
        version: str,
        shares: tuple[float, float],
        are: tuple[bool, bool],
        signature: Signature,
    ) -> Rollout:
        share = shares[1]
        fields: dict[str, tuple[object, object]] = {_SHARE: shares}
        if not 0 < share < 1:
            raise InputError(
                f"{share:g} is no share of the transactions: give one above 0 and below 1, such as "
                "0.05 for 5 %. `fraudline models promote` without --share gives all of them."
            )
        if are[0] != are[1]:
            fields |= {_WIDENS: are}
        self._append(ROLLED_OUT, version, fields, signature)
        return self._standing(version)

    def _append(
        self,
        change: str,
        version: str,
        fields: dict[str, tuple[object, object]],
        signature: Signature,
    ) -> None:
        contract, at = contract_of(version), _now()
        champion = self._champions.read(contract).champion
        self._changes.append(contract, Change(at, change, version, champion, signature, fields))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
