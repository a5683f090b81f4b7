"""Partitions that wait for a schema, while the others go on."""

from __future__ import annotations

import logging
import time

from confluent_kafka import TopicPartition

from fraudline.contract import Messages
from fraudline.schemas import Awaited, MessageForms
from fraudline.stream.intake import Intake
from fraudline.stream.progress import Progress

_LOG = logging.getLogger(__name__)


class SchemaWaits:
    """Makes JSON of what is taken; what cannot be yet waits in its partition, and is told.

    Nothing is rejected because a registry is away: it may answer later, and the message is good.

    Args:
        forms: Makes JSON of messages.
        topic: Whose messages are taken.
        progress: Told what is waited for.
    """

    def __init__(self, forms: MessageForms, topic: str, progress: Progress) -> None:
        self._forms, self._topic, self._progress = forms, topic, progress
        self._awaited: dict[int, Awaited] = {}
        self._since = 0.0

    def forget(self) -> None:
        """Begin anew: the partitions were assigned anew, and all of them are fetched."""
        if self._awaited:
            self._awaited = {}
            self._progress.end_waiting()

    def readable(self, messages: Messages, intake: Intake) -> Messages:
        """Those of the messages that can be decoded, as JSON; the others are taken again later."""
        readable, awaited = self._forms.translate_known(messages)
        if awaited:
            if not self._awaited:
                self._since = time.monotonic()
            self._awaited |= awaited
            intake.set_aside(self._starts(awaited))
            for partition, one in awaited.items():
                _LOG.warning(
                    "score: topic '%s', partition %d waits at offset %d for schema %d: %s. Other "
                    "partitions go on; nothing is lost or rejected",
                    *(self._topic, partition, one.offset, one.schema_id, self._why),
                )
        return readable

    def look(self, intake: Intake) -> None:
        """Go on with partitions whose schema is there, and tell of the others."""
        if not self._awaited:
            return
        ready = {
            partition: one
            for partition, one in self._awaited.items()
            if self._forms.is_answered(one.schema_id)
        }
        for partition, one in ready.items():
            del self._awaited[partition]
            waited_s = time.monotonic() - self._since
            _LOG.warning(
                "score: the registry has answered for schema %d; topic '%s', partition %d goes on "
                "after %.0f s",
                *(one.schema_id, self._topic, partition, waited_s),
            )
        if ready:
            intake.fetch_also(self._starts(ready))
        if self._awaited:
            self._progress.begin_waiting(self._told)
        else:
            self._progress.end_waiting()

    @property
    def _told(self) -> str:
        many, one = len(self._awaited), next(iter(self._awaited.values()))
        held = f"{many} partition{'' if many == 1 else 's'}"
        return f"{held} held back until schema {one.schema_id} is known: {self._why}"

    @property
    def _why(self) -> str:
        return self._forms.fault or "the registry was asked, and has not answered yet"

    def _starts(self, awaited: dict[int, Awaited]) -> list[TopicPartition]:
        return [
            TopicPartition(self._topic, partition, one.offset) for partition, one in awaited.items()
        ]
