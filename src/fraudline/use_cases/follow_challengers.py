"""Which challengers score beside the champion in a scorer that runs, whatever becomes of them."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from fraudline.registry import Challenger
from fraudline.scoring import LiveChallenger
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.project import Project

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0
_NEWER = "newer challengers"  # in the place of a version: who they are cannot be read


@dataclass
class _Fault:
    """Why a challenger does not score, and when it is tried again, by `time.monotonic`."""

    why: str
    retry_at: float
    pause_s: float


class ChallengerFollower:
    """Opens the live challengers of a champion; for the thread that follows the champion.

    One that cannot be opened or whose scores cannot be computed is told once, left out, and tried
    again, ever more rarely, while it is a challenger. Nothing else is the worse for it.

    Args:
        project: Whose registry and contract.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._seen: tuple[str, bytes] | None = None
        self._wanted: list[Challenger] = []
        self._open: dict[str, LiveChallenger] = {}
        self._faults: dict[str, _Fault] = {}

    @property
    def faults(self) -> dict[str, str]:
        """Why each challenger that does not score does not, in words."""
        return {version: fault.why for version, fault in self._faults.items()}

    def look(
        self, champions: str | None, tell: Callable[[str], None]
    ) -> tuple[LiveChallenger, ...]:
        """Look once which challengers are live.

        Args:
            champions: What `Registry.champion_text` gave, since a promotion ends challenges; None
                while the registry cannot be read.
            tell: Called with a sentence for people when one begins to score.

        Returns:
            Those that score from now on.
        """
        if champions is not None:
            self._read(champions)
        now = dt.datetime.now(dt.UTC)
        wanted = [each.version for each in self._wanted if now < each.until]
        for known in (self._open, self._faults):
            for version in known.keys() - {*wanted, _NEWER}:
                del known[version]
        for version in wanted:
            opened = self._open.get(version)
            if opened is not None and opened.fault is not None:
                del self._open[version]
                self._fail(version, f"its scores cannot be computed: {opened.fault}")
            elif opened is None:
                self._try(version, tell)
        return tuple(self._open[version] for version in wanted if version in self._open)

    def _read(self, champions: str) -> None:
        registry = self._project.registry
        try:
            seen = champions, registry.changes_text()
            if seen != self._seen:
                self._wanted = registry.live_challengers()
                self._seen = seen
        except Exception as error:  # noqa: BLE001 - whatever it is, the champion decides
            self._fail(_NEWER, _in_words(error))
        else:
            self._faults.pop(_NEWER, None)

    def _try(self, version: str, tell: Callable[[str], None]) -> None:
        fault = self._faults.get(version)
        if fault is not None and time.monotonic() < fault.retry_at:
            return
        try:
            self._open[version] = LiveChallenger(open_version(self._project, version))
        except Exception as error:  # noqa: BLE001 - whatever it is, the champion decides
            self._fail(version, _in_words(error))
            return
        self._faults.pop(version, None)
        tell(f"challenger {version} scores beside the champion from now on, and decides nothing")

    def _fail(self, version: str, why: str) -> None:
        before = self._faults.get(version)
        pause_s = _FIRST_PAUSE_S if before is None else min(2 * before.pause_s, _LONGEST_PAUSE_S)
        if before is None:  # a reason may hold a time, and so differ each time
            _LOG.warning(
                "score: no live scores of %s, and nothing else is the worse for it: %s It is tried "
                "again while it is a challenger",
                version,
                why,
            )
        self._faults[version] = _Fault(why, time.monotonic() + pause_s, pause_s)


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__
