"""Which versions scorers may have to open at any moment."""

from __future__ import annotations

import datetime as dt
import logging

from fraudline.errors import BundleError
from fraudline.registry.challengers import live_of
from fraudline.registry.champions import Champions
from fraudline.registry.changes import Changes
from fraudline.registry.rollouts import rollout_of
from fraudline.registry.store import Store

logger = logging.getLogger(__name__)


def versions_in_use(files: Store, at: dt.datetime) -> set[str]:
    """The champions, the versions that decide a share, and those that score live beside them.

    Of a contract whose files were altered it is the champion alone.

    Args:
        files: The registry's.
        at: The moment; a challenger that has expired by then does not score.

    Raises:
        RegistryError: the object store cannot be reached.
    """
    found: set[str] = set()
    champions = Champions(files)
    for contract in champions.contracts():
        file = champions.read(contract)
        found |= {file.champion} if file.champion is not None else set()
        try:
            changes = Changes(files).all(contract, file.promotions())
        except BundleError as error:
            logger.debug("what decides beside the champion is not known: %s", error)
            continue
        rollout = rollout_of(changes)
        found |= {rollout.version} if rollout is not None else set()
        found |= {each.version for each in live_of(changes, at)}
    return found
