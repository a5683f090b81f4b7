"""What decides in a scorer that runs: the champion, and the next one as soon as there is one.

A thread of its own looks who the champion is, and opens and tries a new one while the old one goes
on deciding; another thread does so for what scores or decides a share beside it. The loop asks once
for each Kafka transaction what decides its messages, so a swap is one assignment, and no
transaction holds decisions of two champions.
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
from fraudline.scoring import Decider, RepeatMemory, RolloutJudge
from fraudline.stream.score_loop import Decide
from fraudline.stream.served_model import ModelWatch, ServedModel
from fraudline.use_cases.follow_beside import UNKNOWN_ROLLOUT, Beside, BesideFollower
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
        has_challengers: Whether challengers score beside it, where the registry says so.

    Attributes:
        look: What a person should know of how the first one decides, if there is anything.

    Raises:
        BundleError: there is no champion, or it cannot be opened; nothing decided before it.
        RegistryError: its object store is away, and this machine does not know a champion.
    """

    def __init__(
        self,
        project: Project,
        memory: RepeatMemory | None,
        progress: ModelWatch,
        *,
        has_challengers: bool = True,
    ) -> None:
        self._project = project
        self._memory = memory
        self._progress = progress
        self._every_s = project.registry.look_every_s
        version, self._seen, unread, look = _first(project)
        bundle = open_version(project, version)
        self.look = " ".join(filter(None, [look, _look(project, bundle)])) or None
        self._bundle = bundle
        self._follower = BesideFollower(project)
        self._has_challengers = has_challengers
        self._beside = Beside()
        self._judge: RolloutJudge | None = None
        self._decider = Decider(bundle, memory)
        self._changing = threading.RLock()  # what decides, and what is told of it
        self._is_taking_over = False  # what is beside the champion may be another one's
        self._following_faults: dict[str, str] = {}
        self._retry_at = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._told: tuple[str, str] | None = None
        explored_share = bundle.manifest.policy.explored_share
        self._model = replace(ServedModel(version, explored_share), **unread)
        progress.record_model(self._model)

    @property
    def model(self) -> ServedModel:
        """What decides."""
        return self._model

    def decider(self) -> Decide:
        """What decides a Kafka transaction that begins now."""
        return self._decider.decide

    @property
    def deciding(self) -> Decider:
        """What decides now; to be asked for anew for each batch."""
        return self._decider

    @contextmanager
    def following(self, tell: Tell) -> Iterator[None]:
        """Look for another champion while the block runs.

        Args:
            tell: Called with a sentence for people when another version took over.
        """
        over = threading.Event()

        def tell_if_read(sentence: str) -> None:
            with suppress(OSError):  # nobody reads any more what is told
                tell(sentence)

        def follow(what: str, look: Callable[[Tell], None], first_s: float) -> None:
            wait_s = first_s
            while not over.wait(wait_s):
                wait_s = self._every_s
                try:
                    look(tell_if_read)
                except Exception as error:  # noqa: BLE001 - it is told, and looked again
                    self._following_fails(what, _in_words(error))
                else:
                    self._following_goes_on(what)

        # Each its own: what is to score beside it may take long to open, and holds up no promotion.
        threads = [
            threading.Thread(target=follow, args=arguments, name=arguments[0], daemon=True)
            for arguments in (
                ("champion", self.look_for_champion, self._every_s),
                ("versions beside the champion", self.look_beside, 0.0),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(_JOIN_S)  # not for longer: it may wait for a disk

    def look_for_champion(self, tell: Tell) -> None:
        """Look once who the champion is, and let it decide if it is another one."""
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
        with self._changing:
            self._is_taking_over = True  # until then what was beside the one before goes on
            self._seen = text
        try:
            if version == self._model.version:
                self._tell(refused=None, refused_because="")
                return
            self._take_over(version, tell)
        finally:
            self._is_taking_over = False

    def _take_over(self, version: str, tell: Tell) -> None:
        begun_at = time.monotonic()
        try:
            bundle = open_version(self._project, version)
            decider = Decider(bundle, self._memory)  # another champion ends what was beside it
            look = _look(self._project, bundle)
        except Exception as error:  # noqa: BLE001 - whatever it is, the one that decides goes on
            self._refuse(version, _in_words(error))
            return
        share = bundle.manifest.policy.explored_share
        with self._changing:
            before = self._model
            self._bundle, self._decider = bundle, decider
            self._beside, self._judge = Beside(), None
            refusals = before.refusals
            self._model = ServedModel(
                version,
                share,
                swaps=before.swaps + 1,
                refusals=refusals,
                following_fault=before.following_fault,
            )
            self._progress.record_model(self._model)
        self._pause_s = _FIRST_PAUSE_S
        tell(
            f"{version} is the champion and decides from now on, instead of {before.version}; "
            f"opened and tried in {time.monotonic() - begun_at:.1f} s{told_of_exploring(share)}"
        )
        if look is not None:
            tell(f"LOOK: {look}")

    def look_beside(self, tell: Tell) -> None:
        """Look once what is to score, or to decide a share, beside the champion, and let it."""
        with self._changing:
            champion, champions, judge = self._bundle, self._seen, self._judge
            is_taking_over = self._is_taking_over
            is_read = self._model.registry_fault is None
        if is_taking_over:
            return
        follower = self._follower
        if judge is not None and judge.fault is not None:
            follower.rollout_failed(judge.fault)
        beside = follower.look(champions if is_read else None, tell)
        if not self._has_challengers:
            beside = replace(beside, challengers=())
        newer, rollout = beside.newer, follower.rollout
        with self._changing:
            has_changed = self._bundle is not champion or self._seen != champions
            if has_changed or self._is_taking_over:
                return  # another champion has ended it, or is about to
            if beside != self._beside:
                self._beside = beside
                judge = RolloutJudge(champion, newer.bundle, newer.share) if newer else None
                self._judge = judge
                self._decider = Decider(champion, self._memory, beside.challengers, judge)
            self._tell(
                challengers=tuple(each.version for each in beside.challengers),
                challenger_faults=follower.challenger_faults,
                rollout=rollout.version if rollout is not None else None,
                rollout_share=rollout.share if rollout is not None else 0.0,
                rollout_fault=follower.rollout_fault,
            )

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
        self._tell(refused=version, refused_because=why, refusals=refusals)

    def _following_fails(self, name: str, why: str) -> None:
        fault = f"the {name} cannot be followed: {why}"
        with self._changing:
            is_told = name in self._following_faults
            self._following_faults[name] = fault
            self._tell_following()
        if not is_told:
            _LOG.warning("score: %s It is looked again every %.1f s", fault, self._every_s)

    def _following_goes_on(self, name: str) -> None:
        with self._changing:
            if self._following_faults.pop(name, None) is not None:
                _LOG.warning("score: the %s can be followed again", name)
                self._tell_following()

    def _tell_following(self) -> None:
        self._tell(following_fault="; ".join(self._following_faults.values()) or None)

    def _registry_is_away(self, why: str) -> None:
        if self._model.registry_fault is None:
            _LOG.warning(
                "score: it cannot be read who the champion is, and %s decides on: %s It is read "
                "again every %.1f s",
                self._model.version,
                why,
                self._every_s,
            )
        self._tell(registry_fault=why)

    def _registry_is_read(self) -> None:
        if self._model.registry_fault is not None:
            _LOG.warning("score: it can be read again who the champion is")
        self._tell(registry_fault=None, read_at=time.time())

    def _tell(self, **changes: Any) -> None:
        """Let whoever watches know what is now so."""
        with self._changing:
            self._model = replace(self._model, **changes)
            self._progress.record_model(self._model)


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
            f"promoted or rolled back since is taken as soon as it can be read. Nor is it "
            f"known whether a version decides a share: until then the champion decides all. {error}"
        )
        _LOG.warning("score: %s", look)
        unread = {
            "registry_fault": str(error),
            "read_at": known.at.timestamp(),
            "rollout_fault": UNKNOWN_ROLLOUT,
        }
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
