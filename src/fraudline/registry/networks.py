"""Which network scores: versions of one network rank alike, whatever their scores mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from fraudline.errors import BundleError
from fraudline.registry.champions import ChampionFile
from fraudline.registry.promotions import Promotion, standing
from fraudline.registry.store import Store


class Networks:
    """The networks behind a contract's champions.

    Args:
        store: Where the registry's versions lie.
        read: Gives what is written of the contract's champions now.
    """

    def __init__(self, store: Store, read: Callable[[], ChampionFile]) -> None:
        self._store, self._read = store, read
        self._known: dict[str, str] = {}  # a version never changes

    def of(self, version: str) -> str:
        """The version whose network this one has, by its manifest; itself, if it has none.

        Of one that is broken or was removed nobody knows: it stands for itself.
        """
        if version not in self._known:
            self._known |= {
                each.version: each.network
                for each in self._store.manifests()
                if not isinstance(each, BundleError)
            }
        return self._known.get(version, version)

    def are_alike(self, one: str | None, other: str) -> bool:
        """Whether two versions differ in nothing but what their scores mean."""
        return one not in {None, other} and self.of(str(one)) == self.of(other)

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
