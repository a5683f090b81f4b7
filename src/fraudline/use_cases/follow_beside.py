"""What decides or scores beside the champion in a scorer that runs, whatever becomes of it."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from fraudline.bundle.bundle import Bundle
from fraudline.registry import Challenger, Rollout
from fraudline.scoring import LiveChallenger
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.project import Project

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0
UNKNOWN_ROLLOUT = "it is not known whether a version decides a share"
_NEWER = "newer challengers"  # in the place of a version: who they are cannot be read

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Newer:
    """A version that decides a share of the transactions.

    Attributes:
        bundle: The version, open.
        share: Its share.
    """

    bundle: Bundle
    share: float

    @property
    def version(self) -> str:
        """Its name."""
        return self.bundle.manifest.version


@dataclass(frozen=True)
class Beside:
    """What is open beside the champion.

    Attributes:
        challengers: Those that score, and decide nothing.
        newer: What decides a share; None without a rollout, or where its version cannot be opened.
    """

    challengers: tuple[LiveChallenger, ...] = ()
    newer: Newer | None = None


@dataclass
class _Fault:
    """Why a version is not open, and when it is tried again, by `time.monotonic`."""

    why: str
    retry_at: float
    pause_s: float


class BesideFollower:
    """Opens live challengers, and a rollout's version; for the thread that follows the champion.

    One that cannot be opened, or whose scores cannot be computed, is told once, left out, and tried
    again, ever more rarely, while it is wanted. The champion decides all that it would have.

    Args:
        project: Whose registry and contract.

    Attributes:
        rollout: The one that stands, whether its version can be opened or not.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._seen: tuple[str, bytes] | None = None
        self._challengers: list[Challenger] = []
        self.rollout: Rollout | None = None
        self._live: dict[str, LiveChallenger] = {}
        self._newer: Newer | None = None
        self._faults: dict[str, _Fault] = {}
        self._past_faults: dict[str, _Fault] = {}  # of those that are open again

    @property
    def challenger_faults(self) -> dict[str, str]:
        """Why each challenger that does not score does not, in words."""
        wanted = {_NEWER, *(each.version for each in self._challengers)}
        return {name: fault.why for name, fault in self._faults.items() if name in wanted}

    @property
    def rollout_fault(self) -> str | None:
        """Why the version that should decide a share does not, in words; None if it does.

        Nor is it known whether there is one until that was read once.
        """
        if self._seen is None:
            return UNKNOWN_ROLLOUT
        fault = self._faults.get(self.rollout.version) if self.rollout is not None else None
        return fault.why if fault is not None else None

    def look(self, champions: str | None, tell: Tell) -> Beside:
        """Look once what is wanted beside the champion.

        Args:
            champions: What `Registry.champion_text` gave, since a promotion ends challenges; None
                while the registry cannot be read.
            tell: Called with a sentence for people when something begins or ends.

        Returns:
            What is open from now on.
        """
        if champions is not None:
            self._read(champions)
        now = dt.datetime.now(dt.UTC)
        wanted = [each.version for each in self._challengers if now < each.until]
        rollout = self.rollout
        named = {*wanted, _NEWER, *([rollout.version] if rollout is not None else [])}
        for faults in (self._faults, self._past_faults):
            for version in faults.keys() - named:
                del faults[version]
        for version in self._live.keys() - set(wanted):
            del self._live[version]
        return Beside(
            tuple(one for version in wanted if (one := self._challenger(version, tell))),
            self._rolled_out(rollout, tell),
        )

    def rollout_failed(self, why: str) -> None:
        """Leave a rollout's version out that is open and could not judge, and open it anew later.

        Args:
            why: In words.
        """
        if self._newer is not None:
            self._fail(self._newer.version, f"it could not judge a transaction: {why}")
            self._newer = None

    def _read(self, champions: str) -> None:
        registry = self._project.registry
        try:
            seen = champions, registry.changes_text()
            if seen != self._seen:
                self._challengers = registry.live_challengers()
                self.rollout = registry.rollout()
                self._seen = seen
        except Exception as error:  # noqa: BLE001 - whatever it is, the champion decides
            self._fail(_NEWER, _in_words(error))
        else:
            self._faults.pop(_NEWER, None)

    def _challenger(self, version: str, tell: Tell) -> LiveChallenger | None:
        found = self._live.get(version)
        if found is not None and found.fault is not None:
            del self._live[version]
            self._fail(version, f"its scores cannot be computed: {found.fault}")
            return None
        if found is None and (bundle := self._opened(version)) is not None:
            found = self._live[version] = LiveChallenger(bundle)
            tell(f"challenger {version} scores beside the champion from now on")
        return found

    def _rolled_out(self, rollout: Rollout | None, tell: Tell) -> Newer | None:
        before = self._newer
        if before is not None and (rollout is None or rollout.version != before.version):
            tell(f"the rollout of {before.version} is over: the champion decides all that it did")
            before = self._newer = None
        if rollout is None:
            return None
        bundle = before.bundle if before is not None else self._opened(rollout.version)
        if bundle is None:
            return None
        if before is None or before.share != rollout.share:
            tell(f"{rollout} from now on, and the champion the others")
            self._newer = Newer(bundle, rollout.share)
        return self._newer

    def _opened(self, version: str) -> Bundle | None:
        fault = self._faults.get(version)
        if fault is not None and time.monotonic() < fault.retry_at:
            return None
        try:
            bundle = open_version(self._project, version)
        except Exception as error:  # noqa: BLE001 - whatever it is, the champion decides
            self._fail(version, _in_words(error))
            return None
        if fault is not None:
            self._past_faults[version] = self._faults.pop(version)
        return bundle

    def _fail(self, version: str, why: str) -> None:
        now, past = self._faults.get(version), self._past_faults.get(version)
        before = now or past
        pause_s = _FIRST_PAUSE_S if before is None else min(2 * before.pause_s, _LONGEST_PAUSE_S)
        # While it lasts a reason may hold a time, and so differ at each look.
        if now is None and (past is None or past.why != why):
            _LOG.warning(
                "score: no scores of %s beside the champion, and nothing else is the worse for "
                "it: %s It is tried again while it is to score",
                version,
                why,
            )
        self._faults[version] = _Fault(why, time.monotonic() + pause_s, pause_s)


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__
