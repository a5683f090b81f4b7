"""Learning beside the scorers: what is done for each period that is over, until it is stopped."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fraudline.contract import Period
from fraudline.metrics import serving
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.supervise import supervise
from fraudline.use_cases.gate_periods import GatePeriods
from fraudline.use_cases.judge_periods import JudgePeriods
from fraudline.use_cases.label_rule import note_label_rule
from fraudline.use_cases.learning_steps import Due, LearningStep
from fraudline.use_cases.one_period import begin_period, require_one_period
from fraudline.use_cases.project import Project
from fraudline.use_cases.recalibrate_periods import RecalibratePeriods
from fraudline.use_cases.remove_versions import RemoveVersions
from fraudline.use_cases.retrain_periods import RetrainPeriods
from fraudline.use_cases.update_periods import UpdatePeriods
from fraudline.use_cases.watch_periods import WatchPeriods
from fraudline.use_cases.widen_rollout import WidenRollout
from fraudline.warehouse.explored import one_look
from fraudline.warehouse.learning_tables import create_learning_tables
from fraudline.warehouse.needs_time import why_not_learned

# A sink has stored by then what was decided, or told, at the end of a period. What it stores later
# is seen the next time that the period is judged.
_GRACE_S = 10.0
_GRACE_SHARE = 0.1
_LOOK_AGAIN_S = 1.0  # a clock may be set meanwhile, and health wants fresh evidence


@dataclass(frozen=True)
class StepDone:
    """Something that was done for a period.

    Attributes:
        step: Which step, a verb.
        due: Of which period, as of when.
        said: What was found, a sentence without its full stop.
    """

    step: str
    due: Due
    said: str


class LearningRun:
    """What `fraudline learn` does, ready to begin.

    It reads and writes BigQuery alone, and keeps nothing but there: it may be killed at any
    moment, and goes on where its tables end. Scorers and sinks never notice it.

    Args:
        project: Whose stream, tables and versions.
        on_created: Called with each of its tables that did not exist.
        on_done: Called with what was done, each time.
        clock: What time it is, UTC.
        steps: What is done; what is due at one moment of a period, by the first one first.

    Attributes:
        length_s: How long a period is, seconds.
        progress: What it does, for whoever watches.
        look: What a person should know before it goes on, if there is anything.

    Raises:
        WarehouseError: BigQuery cannot be reached, or a table of that name is somebody else's.
        RegistryError: its object store cannot be reached.
    """

    def __init__(
        self,
        project: Project,
        *,
        on_created: Callable[[str], None] = lambda _: None,
        on_done: Callable[[StepDone], None] = lambda _: None,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        steps: Sequence[LearningStep] | None = None,
    ) -> None:
        self.length_s = project.settings.learning.period_s
        self.progress = Progress(Task.LEARN)
        self._grace = dt.timedelta(seconds=min(_GRACE_S, _GRACE_SHARE * self.length_s))
        self._metrics = project.settings.metrics
        self._on_done = on_done
        self._clock = clock
        create_learning_tables(project.warehouse, on_created)
        self._project = project
        looks = [note_label_rule(project), begin_period(project)]
        if project.settings.learning.update != "off":
            looks.append(why_not_learned(project.contract))
        self.look = " ".join(filter(None, looks)) or None
        ours: list[LearningStep] = [
            WatchPeriods(project, self.progress),
            JudgePeriods(project, self.progress),
            UpdatePeriods(project, self.progress),
            RetrainPeriods(project, self.progress),
            GatePeriods(project, self.progress),
            RecalibratePeriods(project, self.progress),
            WidenRollout(project, self.progress),
            RemoveVersions(project),
        ]
        self._steps = ours if steps is None else list(steps)

    def until(self, stop: threading.Event) -> None:
        """Do what is due, and wait for the end of the next period, until told to stop.

        Metrics and health are served if a port is set. While BigQuery, or the registry's object
        store, does not answer, that is told in the log by its name, and it is tried again.

        Raises:
            InputError: another learner began later, with periods of another length.
            WarehouseError: BigQuery refuses for good.
            ServiceError: the port cannot be listened at.
        """
        with serving(self.progress, self._metrics):
            supervise(lambda: self._session(stop), progress=self.progress, stop=stop)

    def advance(self, stop: threading.Event | None = None) -> int:
        """Do all that is due now, period by period; gives how much that was.

        What is done may let something else be due, so steps are asked until they have nothing new.

        Args:
            stop: Ends it between two of them.

        Raises:
            WarehouseAwayError: BigQuery does not answer.
            RegistryError: the registry's object store does not.
            InputError: another learner began later, with periods of another length.
            WarehouseError: it refuses for good.
        """
        require_one_period(self._project)
        with one_look(self._project.warehouse):
            return self._advance(stop)

    def _advance(self, stop: threading.Event | None) -> int:
        now = self._clock() - self._grace
        done: set[tuple[Due, int]] = set()
        while True:
            self.progress.begin_step("look")
            dues = {(due, place) for place, step in enumerate(self._steps) for due in step.due(now)}
            if not dues - done:
                return len(done)
            for due, place in sorted(dues - done):
                if stop is not None and stop.is_set():
                    return len(done)
                step = self._steps[place]
                self.progress.begin_step(step.name)
                said = step.do(due)
                done.add((due, place))
                self.progress.record_learned(step.name)
                self._on_done(StepDone(step.name, due, said))

    def _session(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.advance(stop)
            self._wait(stop)

    def _wait(self, stop: threading.Event) -> None:
        """Until the period is over in which we are, and a sink has stored it.

        Or until a clock that was ahead is set back to before it: that end may be far.
        """
        period = Period.holding(self._clock() - self._grace, self.length_s)
        begin, end = period.start + self._grace, period.end + self._grace
        while not stop.is_set() and begin <= (now := self._clock()) < end:
            self.progress.begin_step("wait")  # and again, for whoever looks for a standstill
            self.progress.record_learned()
            stop.wait(min((end - now).total_seconds(), _LOOK_AGAIN_S))
