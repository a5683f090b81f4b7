"""A scorer: every transaction of the topic decided, exactly once, until it is stopped."""

from __future__ import annotations

import gc
import threading

from fraudline import flows
from fraudline.metrics import serving
from fraudline.scoring import RepeatMemory
from fraudline.stream.broker import require_topics
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.repeat_restore import RepeatRestore
from fraudline.stream.score_loop import score_loop
from fraudline.use_cases.follow_champion import (
    ChampionFollower,
    Tell,
    told_of_exploring,
)
from fraudline.use_cases.project import Project


class ScorerRun:
    """A scorer with the champion, ready to begin.

    Any number of them, in any number of processes, share the topic's partitions.

    Args:
        project: Whose champion, topics and contract.

    Attributes:
        topic: What it scores.
        progress: What it does, for whoever watches.
        look: What a person should know of how it decides at first, if there is anything.

    Raises:
        SettingsError: there is a schema registry, and what reads schemas is not installed.
        BundleError: there is no champion, or it was altered.
        BrokerError: a topic is missing, or the broker cannot be reached.
    """

    def __init__(self, project: Project) -> None:
        kafka = project.kafka
        self.topic = kafka.topic(flows.TRANSACTIONS)
        self.progress = Progress(Task.SCORE)
        self._project = project
        memory = None
        if project.contract.id is not None:
            window = project.settings.scoring.repeat_window_offsets
            memory = RepeatMemory(project.contract, window)
        self._forms = project.forms
        self._champion = ChampionFollower(project, memory, self.progress)
        self.look = self._champion.look
        needed = (flows.TRANSACTIONS, flows.DECISIONS, flows.REJECTS)
        require_topics(kafka, [kafka.topic(flow) for flow in needed])
        self._restore = RepeatRestore(kafka, memory) if memory is not None else None

    @property
    def version(self) -> str:
        """The version that decides."""
        return self._champion.model.version

    @property
    def decided_by(self) -> str:
        """The version that decides, and what share it explores, in words."""
        model = self._champion.model
        return f"{model.version}{told_of_exploring(model.explore_share)}"

    def until(self, stop: threading.Event, tell: Tell = lambda _: None) -> None:
        """Score until told to stop; metrics and health are served if a port is set.

        Whatever is promoted or rolled back to meanwhile takes over between two transactions.

        Args:
            stop: Set it to end after the batch in hand.
            tell: Called with a sentence for people when another version takes over.

        Raises:
            BrokerError: the broker refuses for good.
            ServiceError: the port cannot be listened at.
        """
        settings = self._project.settings
        # All that exists by now stays: the collector need not look at it again and again.
        gc.freeze()
        with serving(self.progress, settings.metrics), self._champion.following(tell):
            score_loop(
                self._project.kafka,
                self._champion.decider,
                batch_rows=settings.scoring.batch_rows,
                stop=stop,
                progress=self.progress,
                restore=self._restore,
                forms=self._forms,
            )
