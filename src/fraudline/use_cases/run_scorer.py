"""A scorer: every transaction of the topic decided, exactly once, until it is stopped."""

from __future__ import annotations

import gc
import threading

import msgspec

from fraudline import flows
from fraudline.bundle.bundle import open_bundle
from fraudline.metrics import serving
from fraudline.scoring import Decider, RepeatMemory
from fraudline.stream.broker import require_topics
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.repeat_restore import RepeatRestore
from fraudline.stream.score_loop import score_loop
from fraudline.use_cases.own_costs import tell_foreign_costs
from fraudline.use_cases.project import Project


class ScorerRun:
    """A scorer with the champion, ready to begin.

    Any number of them, in any number of processes, share the topic's partitions.

    Args:
        project: Whose champion, topics and contract.

    Attributes:
        topic: What it scores.
        version: The champion that it scores with.
        progress: What it does, for whoever watches.
        look: What a person should know of how it decides, if there is anything.

    Raises:
        BundleError: there is no champion, or it was altered.
        BrokerError: a topic is missing, or the broker cannot be reached.
    """

    def __init__(self, project: Project) -> None:
        kafka = project.kafka
        self.topic = kafka.topic(flows.TRANSACTIONS)
        self.version = project.registry.champion()
        self.progress = Progress(Task.SCORE)
        self._project = project
        bundle = open_bundle(project.registry.path(self.version), project.contract)
        costs = msgspec.structs.asdict(bundle.manifest.policy)
        self.look = tell_foreign_costs(project, self.version, costs)
        needed = (flows.TRANSACTIONS, flows.DECISIONS, flows.REJECTS)
        require_topics(kafka, [kafka.topic(flow) for flow in needed])
        memory = self._restore = None
        if project.contract.id is not None:
            window = project.settings.scoring.repeat_window_offsets
            memory = RepeatMemory(project.contract, window)
            self._restore = RepeatRestore(kafka, memory)
        self._decider = Decider(bundle, memory)

    def until(self, stop: threading.Event) -> None:
        """Score until told to stop; metrics and health are served if a port is set.

        Raises:
            BrokerError: the broker refuses for good.
            ServiceError: the port cannot be listened at.
        """
        settings = self._project.settings
        # All that exists by now stays: the collector need not look at it again and again.
        gc.freeze()
        with serving(self.progress, settings.metrics, self.version):
            score_loop(
                self._project.kafka,
                lambda: self._decider.decide,
                batch_rows=settings.scoring.batch_rows,
                stop=stop,
                progress=self.progress,
                restore=self._restore,
            )
