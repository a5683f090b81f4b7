"""What decides in a scorer that runs: the champion, and the next one as soon as there is one.

A thread of its own looks who the champion is, and opens and tries a new one while the old one goes
on deciding. The loop asks once for each Kafka transaction what decides its messages, so a swap is
one assignment, and no transaction holds decisions of two versions.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import msgspec

from fraudline.bundle.bundle import Bundle
from fraudline.errors import RegistryError
from fraudline.scoring import Decider, LiveChallenger, RepeatMemory
from fraudline.stream.progress import Progress
from fraudline.stream.score_loop import Decide
from fraudline.stream.served_model import ServedModel
from fraudline.use_cases.follow_challengers import ChallengerFollower
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.own_costs import tell_foreign_costs
from fraudline.use_cases.project import Project

_LOG = logging.getLogger(__name__)
_JOIN_S = 0.5
# A champion that was refused is tried again: its files may still be on their way, or be mended.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0

Tell = Callable[[str], None]


class ChampionFollower:
    """Decides with the champion, and lets the next one take over while it runs.

    Args:
        project: Whose champion and contract.
        memory: What was decided before; it is every champion's, so a repeat is known across them.
        progress: Told which version decides, and what was refused.

    Attributes:
        look: What a person should know of how the first one decides, if there is anything.

    Raises:
        BundleError: there is no champion, or it cannot be opened; nothing decided before it.
        RegistryError: its object store is away, and this machine does not know a champion.
    """

    def __init__(self, project: Project, memory: RepeatMemory | None, progress: Progress) -> None:
        self._project = project
        self._memory = memory
        self._progress = progress
        self._every_s = project.registry.look_every_s
        version, self._seen, unread, look = _first(project)
        bundle = open_version(project, version)
        self.look = " ".join(filter(None, [look, _look(project, bundle)])) or None
        self._bundle = bundle
        self._challengers = ChallengerFollower(project)
        self._live: tuple[LiveChallenger, ...] = ()
        self._decider = Decider(bundle, memory)
        self._retry_at = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._told: tuple[str, str] | None = None
        explored_share = bundle.manifest.policy.explored_share
        self._record(replace(ServedModel(version, explored_share), **unread))

    @property
    def model(self) -> ServedModel:
        """What decides."""
        return self._model

    def decider(self) -> Decide:
        """What decides a Kafka transaction that begins now."""
        return self._decider.decide

    @contextmanager
    def following(self, tell: Tell) -> Iterator[None]:
        """Look for another champion while the block runs.

        Args:
            tell: Called with a sentence for people when another version took over.
        """
        over = threading.Event()

        def follow() -> None:
            while not over.wait(self._every_s):
                with suppress(OSError):  # nobody reads any more what is told
                    self.look_once(tell)

        thread = threading.Thread(target=follow, name="champion", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(_JOIN_S)  # not for longer: it may wait for a disk

    def look_once(self, tell: Tell) -> None:
        """Look once who the champion is and who challenges it, and let the new ones begin.

        Args:
            tell: As for `following`.
        """
        self._look_for_champion(tell)
        self._look_for_challengers(tell)

    def _look_for_champion(self, tell: Tell) -> None:
        registry = self._project.registry
        try:
            text = registry.champion_text()
            is_refused = self._model.refused is not None
            if text == self._seen and not (is_refused and time.monotonic() >= self._retry_at):
                self._registry_is_read()
                return
            version = registry.champion()
        except Exception as error:  # noqa: BLE001 - whatever it is, the one that decides goes on
            self._registry_is_away(_in_words(error))
            return
        if text != self._seen:  # promoted anew, so perhaps mended
            self._pause_s, self._told = _FIRST_PAUSE_S, None
        self._registry_is_read()
        self._seen = text
        if version == self._model.version:
            self._record(replace(self._model, refused=None, refused_because=""))
            return
        self._take_over(version, tell)

    def _take_over(self, version: str, tell: Tell) -> None:
        begun_at = time.monotonic()
        try:
            bundle = open_version(self._project, version)
            decider = Decider(bundle, self._memory, self._live)
            look = _look(self._project, bundle)
        except Exception as error:  # noqa: BLE001 - whatever it is, the one that decides goes on
            self._refuse(version, _in_words(error))
            return
        before = self._model
        self._bundle, self._decider = bundle, decider
        self._pause_s = _FIRST_PAUSE_S
        share = bundle.manifest.policy.explored_share
        self._record(ServedModel(version, share, swaps=before.swaps + 1, refusals=before.refusals))
        tell(
            f"{version} is the champion and decides from now on, instead of {before.version}; "
            f"opened and tried in {time.monotonic() - begun_at:.1f} s{told_of_exploring(share)}"
        )
        if look is not None:
            tell(f"LOOK: {look}")

    def _look_for_challengers(self, tell: Tell) -> None:
        """Let those score that are live; whatever becomes of them, the champion decides on."""
        champions = self._seen if self._model.registry_fault is None else None
        live = self._challengers.look(champions, tell)
        if live != self._live:
            self._live = live
            self._decider = Decider(self._bundle, self._memory, live)
        versions = tuple(each.version for each in live)
        faults = self._challengers.faults
        if (versions, faults) != (self._model.challengers, self._model.challenger_faults):
            self._record(replace(self._model, challengers=versions, challenger_faults=faults))

    def _refuse(self, version: str, why: str) -> None:
        model = self._model
        self._retry_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        is_told = self._told == (version, why)
        if not is_told:
            self._told = version, why
            _LOG.warning(
                "score: champion %s is refused, and %s decides on: %s It is tried again while it "
                "is the champion, at once if it is promoted again; `fraudline models rollback` "
                "goes back to the one before",
                version,
                model.version,
                why,
            )
        refusals = model.refusals + (0 if is_told else 1)
        self._record(replace(model, refused=version, refused_because=why, refusals=refusals))

    def _registry_is_away(self, why: str) -> None:
        if self._model.registry_fault is None:
            _LOG.warning(
                "score: it cannot be read who the champion is, and %s decides on: %s It is read "
                "again every %.1f s",
                self._model.version,
                why,
                self._every_s,
            )
        self._record(replace(self._model, registry_fault=why))

    def _registry_is_read(self) -> None:
        if self._model.registry_fault is not None:
            _LOG.warning("score: it can be read again who the champion is")
        self._record(replace(self._model, registry_fault=None, read_at=time.time()))

    def _record(self, model: ServedModel) -> None:
        self._model = model
        self._progress.record_model(model)


def _first(project: Project) -> tuple[str, str, dict[str, Any], str | None]:
    """Who decides first, what was read of it, what is told of reading it, and what to look at.

    Where an object store is away, that is the champion as this machine read it last: a scorer that
    ran would go on with it, and one that a machine has just started again is no worse.
    """
    registry = project.registry
    try:
        text = registry.champion_text()
        return registry.champion(), text, {}, None
    except RegistryError as error:
        known = registry.last_known_champion()
        if known is None:
            raise
        look = (
            f"it cannot be read who the champion is, so it starts with {known.version}, the "
            f"champion as this machine read it last, at {known.at:%Y-%m-%d %H:%M} UTC. What was "
            f"promoted or rolled back since is taken as soon as it can be read: {error}"
        )
        _LOG.warning("score: %s", look)
        unread = {"registry_fault": str(error), "read_at": known.at.timestamp()}
        return known.version, known.text, unread, look


def told_of_exploring(share: float) -> str:
    """What a person should know of who is explored, to go on with a sentence; may be empty."""
    return f"; {100 * share:g} % of what it would block is reviewed instead" if share else ""


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _look(project: Project, bundle: Bundle) -> str | None:
    """What a person should know of how a version decides, if there is anything."""
    costs = msgspec.structs.asdict(bundle.manifest.policy)
    return tell_foreign_costs(project, bundle.manifest.version, costs)
