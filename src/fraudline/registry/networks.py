"""Which network scores: versions of one network rank alike, whatever their scores mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

from fraudline.bundle.bundle_files import GRAPH_FILE
from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError, InputError
from fraudline.registry.champions import ChampionFile
from fraudline.registry.promotions import Promotion, standing
from fraudline.registry.store import Store


class _Network(NamedTuple):
    """What a manifest says of its network.

    Attributes:
        of: As `Manifest.network`.
        made_of: The version that it ranks as, being but its calibration or its policy; empty if
            none, as where money comes to it in another unit.
        graph: SHA-256 of its graph; None if it has none.
    """

    of: str
    made_of: str
    graph: str | None


def _made_of(version: Manifest) -> str:
    if version.calibrated and not version.calibrated.unit:
        return version.calibrated.of
    return version.derived_from


class Networks:
    """The networks behind a contract's champions.

    Args:
        store: Where the registry's versions lie.
        read: Gives what is written of the contract's champions now.
    """

    def __init__(self, store: Store, read: Callable[[], ChampionFile]) -> None:
        self._store, self._read = store, read
        self._known: dict[str, _Network] = {}  # a version never changes

    def of(self, version: str) -> str:
        """The version whose network this one has, by its manifest; itself, if it has none.

        Of one that is broken or was removed nobody knows: it stands for itself.
        """
        found = self._of(version)
        return version if found is None else found.of

    def _of(self, version: str) -> _Network | None:
        if version not in self._known:
            self._known |= {
                each.version: _Network(each.network, _made_of(each), each.files.get(GRAPH_FILE))
                for each in self._store.manifests()
                if not isinstance(each, BundleError)
            }
        return self._known.get(version)

    def are_alike(self, one: str | None, other: str) -> bool:
        """Whether two versions differ in nothing but what their scores mean."""
        return one not in {None, other} and self.of(str(one)) == self.of(other)

    def require_another(self, version: str, champion: str, what: str) -> None:
        """Refuse what a bet on who ranks better is to decide where both rank alike.

        Args:
            version: Which one.
            champion: The champion.
            what: What it cannot do, such as `challenge it`.

        Raises:
            InputError: only its policy or its calibration is another one, or it is the champion.
        """
        if self._root(version) != self._root(champion):
            one, other = self._of(version), self._of(champion)
            if one is None or other is None or one.graph is None or one.graph != other.graph:
                return
        raise InputError(
            f"{version} cannot {what}: it has the network of the champion {champion}, and no more "
            "than policy and calibration are its own. So it ranks as that does, and a bet on who "
            "ranks better is never won. Nothing was changed. `fraudline backtest --from TIME --to "
            f"TIME --model {version}` says what it would have decided, and at which cost; "
            f"`fraudline models promote {version}` makes it the champion, and --share without "
            "--widen lets it decide a share first."
        )

    def _root(self, version: str) -> str:
        """The version that its network was made with, whatever policies were changed since."""
        at, passed = version, set[str]()
        while at not in passed and (found := self._of(at)) is not None and found.made_of:
            passed.add(at)
            at = found.made_of
        return at

    def stint(self) -> list[Promotion]:
        """What made the present champion's network score, and what kept it, oldest first.

        Raises:
            BundleError: the file of champions was altered.
        """
        found: list[Promotion] = []
        for each in reversed(self._read().promotions()):
            if found and self.of(each.version) != self.of(found[-1].version):
                break
            found.append(each)
        return found[::-1]

    def since(self) -> dt.datetime:
        """Since when the present champion's network scores, whatever its calibration was.

        Raises:
            BundleError: as for `stint`.
        """
        return next((each.at for each in self.stint()), dt.datetime.now(dt.UTC))

    def earlier_champion(self) -> str | None:
        """The last champion that was not rolled back and had another network, if there was one.

        Raises:
            BundleError: as for `stint`.
        """
        versions = standing(self._read().promotions())
        others = [each for each in versions if self.of(each) != self.of(versions[-1])]
        return others[-1] if others else None
