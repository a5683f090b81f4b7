"""The check that a sink does not store again what is stored, where a group's offsets are gone."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException

from fraudline.contract import Messages
from fraudline.contract.messages import NO_TIME_STAMP
from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.group_offsets import stored_end
from fraudline.stream.intake import PartitionKey, Partitions
from fraudline.stream.offset_lookup import OffsetLookup
from fraudline.stream.sink_partition import Route


class SinkStart:
    """Sees that a partition without an offset has no rows yet.

    The offset is committed before the first row is sent, so one that has rows had an offset.
    The first message that the topic still holds is the one most surely stored. Where it is not,
    rows may begin later, as in a data set that took over: the topic is read back for the last one.

    Args:
        kafka: Broker and group.
        routes: Where each topic's rows go.
    """

    def __init__(self, kafka: KafkaSettings, routes: Mapping[str, Route]) -> None:
        self._kafka = kafka
        self._routes = routes

    def check(self, committed: Partitions) -> None:
        """Check partitions that are to be stored by this process from now on.

        Raises:
            BrokerError: one has no offset, and has rows.
            KafkaException: that could not be learnt from the broker.
            WarehouseError: nor from BigQuery.
        """
        bare = {(one.topic, one.partition) for one in committed if one.offset < 0}
        if not bare:
            return
        lookup = OffsetLookup(self._kafka)
        try:
            wrong = self._find_stored(lookup, bare)
        except BrokerError as error:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, str(error))) from None  # noqa: SLF001 - its only name
        finally:
            lookup.close()
        if wrong is not None:
            raise BrokerError(wrong)

    def _find_stored(self, lookup: OffsetLookup, bare: set[PartitionKey]) -> str | None:
        """What is wrong with the first topic that is stored already, in words."""
        topics = sorted({topic for topic, _ in bare})
        ends = lookup.ends(topics)
        filled = {key: ends[key].low for key in bare if ends[key].low < ends[key].stable}
        heads = lookup.heads(filled)
        for topic in topics:
            of_topic = sorted(key for key in filled if key[0] == topic)
            found = [(key, head) for key in of_topic if (head := heads.get(key)) is not None]
            route = self._routes[topic]
            if not found:
                continue
            if route.are_stored is not None:
                stored = route.are_stored(
                    Messages(
                        topic=topic,
                        partitions=[number for (_, number), _ in found],
                        offsets=[head.offset for _, head in found],
                        keys=[None] * len(found),
                        values=[head.value for _, head in found],
                        sent_at_ms=[NO_TIME_STAMP] * len(found),
                    )
                )
                wrong = [
                    key for (key, _), is_stored in zip(found, stored, strict=True) if is_stored
                ]
                if not wrong and not route.is_empty():
                    wrong = [
                        key
                        for key, _ in found
                        if stored_end(
                            self._kafka, key, (filled[key], ends[key].stable), route.are_stored
                        )
                        > filled[key]
                    ]
            elif lookup.committed(f"{self._kafka.group}.sink", [k for k in ends if k[0] == topic]):
                wrong = []  # the others of this topic have offsets, so this one was added to it
            else:
                wrong = [] if route.is_empty() else of_topic
            if wrong:
                return self._message(route, wrong, filled)
        return None

    def _message(
        self, route: Route, wrong: list[PartitionKey], filled: Mapping[PartitionKey, int]
    ) -> str:
        place = "stored" if route.are_stored is not None else "PLACE"
        return (
            f"group '{self._kafka.group}.sink' has no offset for topic '{route.topic}', partition"
            f"{'s' * (len(wrong) > 1)} {', '.join(str(number) for _, number in wrong)}, but "
            f"table {route.table} has rows {'of it' if route.are_stored else 'already'}: to begin "
            f"at offset {filled[wrong[0]]} would store them twice. Nothing was stored. A group's "
            "offsets expire while no sink runs, and go with a topic that is deleted. "
            f"`fraudline offsets show` tells where each partition begins and ends; set the place "
            f"with `fraudline offsets set sink --topic {route.topic} --to {place}`."
        )
