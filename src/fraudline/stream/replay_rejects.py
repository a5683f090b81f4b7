"""Sending the originals of rejects again, exactly once.

An original is sent in the same Kafka transaction as a marker in the topic of rejects, which
says that it was sent: neither exists without the other. The marker is in the partition of its
reject, so that retention deletes the reject first.

One replay runs at a time: its transactional id is fixed, so a new one fences the one before
it, and only then reads what is pending. It waits for the end of every transaction that is
open by then, so no marker is missed.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import KafkaError, KafkaException

from fraudline import flows
from fraudline.contract import REPLAYED, Decoder, RejectReason, RejectRecord
from fraudline.errors import BrokerError, InputError
from fraudline.schemas import MessageForms
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import raise_if_permanent
from fraudline.stream.kafka_transaction import ProducerRecord, TransactionalProducer
from fraudline.stream.pending_rejects import (
    MessagePosition,
    RejectSurvey,
    read_pending,
    source_position,
    survey_rejects,
)
from fraudline.stream.read_topic import offset_ranges

_FENCED = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - the client's own name
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
    }
)


@dataclass
class UnsentRejects:
    """Pending rejects that are not sent again, all for the same reason.

    Attributes:
        count: How many.
        position: The first one.
        message: What is wrong with that one.
    """

    position: MessagePosition
    message: str
    count: int = 0


@dataclass
class RejectReplay:
    """What a replay did.

    Attributes:
        sent: How many originals were sent again; in a dry run, how many would be.
        transactions: In how many transactions.
        unsent: The others, by why they are not sent.
        is_cut_short: Whether it was stopped before it had looked at all of them.
    """

    sent: int = 0
    transactions: int = 0
    is_cut_short: bool = False
    unsent: dict[str, UnsentRejects] = field(default_factory=dict)


def replay_rejects(
    kafka: KafkaSettings,
    decoders: Mapping[str, Decoder],
    forms: MessageForms | None = None,
    *,
    since: dt.datetime,
    reason: str | None,
    positions: Collection[MessagePosition],
    is_dry_run: bool,
    stop: threading.Event,
    on_sent: Callable[[int], None],
) -> RejectReplay:
    """Send originals of pending rejects to the topic and partition that they came from.

    Only those that can be decoded now: the others would be rejected again. Rejects that say
    nothing against the message itself are sent only if asked for by reason or position.

    Args:
        kafka: Broker and topics.
        decoders: For each topic, what decodes its messages.
        forms: Makes JSON of transactions in other forms, where there is a schema registry.
        since: Older rejects are left alone.
        reason: Only rejects with this reason, if given.
        positions: Only these, if there are any.
        is_dry_run: Whether to send nothing.
        stop: Ends the replay after the current transaction when set.
        on_sent: Called after each transaction with how many were sent so far.

    Raises:
        BrokerError: the broker refuses, or another replay was started.
        SchemaRegistryError: a schema of a reject could not be asked for.
        InputError: a position has no pending reject; nothing was sent.
    """
    done = RejectReplay()
    transactions = None
    try:
        if not is_dry_run:
            transactions = TransactionalProducer(kafka, "rejects", is_sole=True)
        found = survey_rejects(kafka, since, positions)
        _require_pending(positions, found)
        is_asked_for = reason is not None or bool(positions)
        sendable = _Sendable(kafka, decoders, forms, done.unsent, is_asked_for=is_asked_for)
        for partition, records in read_pending(kafka, found):
            if stop.is_set():
                done.is_cut_short = True
                break
            chosen = sendable.choose(
                [
                    record
                    for record in records
                    if (reason is None or record.reason == reason)
                    and (not positions or source_position(record) in positions)
                ]
            )
            if chosen and transactions is not None:
                _send(transactions, kafka.topic(flows.REJECTS), partition, chosen)
                done.transactions += 1
            done.sent += len(chosen)
            on_sent(done.sent)
    except KafkaException as error:
        raise _explained(error, kafka, done) from None
    finally:
        if transactions is not None:
            transactions.close()
    return done


class _Sendable:
    """Picks the rejects whose originals would be accepted now; counts the others by why not."""

    def __init__(
        self,
        kafka: KafkaSettings,
        decoders: Mapping[str, Decoder],
        forms: MessageForms | None,
        unsent: dict[str, UnsentRejects],
        *,
        is_asked_for: bool,
    ) -> None:
        self._kafka = kafka
        self._decoders, self._forms = decoders, forms
        self._staying = unsent
        self._left_alone = {
            reason.value for reason in RejectReason if not reason.is_in_message and not is_asked_for
        }
        self._partitions: dict[str, Collection[int]] = {}

    def choose(self, records: list[RejectRecord]) -> list[RejectRecord]:
        """Those that can be sent again, in the order in which they came."""
        chosen = []
        for record in records:
            decoder = self._decoders.get(record.source_topic)
            if decoder is None:
                self._leave("other_topic", record, "no topic of the settings has this name")
            elif record.source_partition not in self._partitions_of(record.source_topic):
                self._leave("no_partition", record, "its topic no longer has this partition")
            elif len(record.original) != record.original_size_bytes:
                self._leave(
                    "cut",
                    record,
                    f"of its {record.original_size_bytes:,} bytes only the first "
                    f"{len(record.original):,} were kept",
                )
            elif record.reason in self._left_alone:
                self._leave(record.reason, record, record.message)
            else:
                original: Sequence[bytes | None] = [record.original]
                if self._forms is not None:
                    original = self._forms.as_json(original)
                _, _, refused = decoder.decode(original)
                if refused:
                    self._leave(refused[0].reason.value, record, refused[0].message)
                else:
                    chosen.append(record)
        return chosen

    def _partitions_of(self, topic: str) -> Collection[int]:
        if topic not in self._partitions:
            self._partitions[topic] = offset_ranges(self._kafka, topic)
        return self._partitions[topic]

    def _leave(self, reason: str, record: RejectRecord, message: str) -> None:
        first = UnsentRejects(source_position(record), message)
        self._staying.setdefault(reason, first).count += 1


def _send(
    transactions: TransactionalProducer,
    topic_rejects: str,
    partition: int,
    chosen: list[RejectRecord],
) -> None:
    originals: list[ProducerRecord] = [
        (record.source_topic, record.source_partition, record.original_key, record.original)
        for record in chosen
    ]

    def markers(offsets: list[int]) -> list[ProducerRecord]:
        now = dt.datetime.now(dt.UTC)
        return [
            (topic_rejects, partition, None, msgspec.json.encode(_marker(record, offset, now)))
            for record, offset in zip(chosen, offsets, strict=True)
        ]

    transactions.commit_with_followups(originals, markers)


def _marker(record: RejectRecord, offset: int, replayed_at: dt.datetime) -> RejectRecord:
    again = MessagePosition(record.source_topic, record.source_partition, offset)
    return msgspec.structs.replace(
        record,
        reason=REPLAYED,
        message=f"sent again as {again}",
        original=b"",
        original_key=None,
        rejected_at=replayed_at,
    )


def _require_pending(positions: Collection[MessagePosition], found: RejectSurvey) -> None:
    for position in positions:
        if position not in found.found:
            raise InputError(
                f"{position} has no reject in this period. `fraudline rejects list` prints the "
                "pending ones; `--days` looks further back. Nothing was sent."
            )
        if position not in found.pending:
            raise InputError(
                f"the reject of {position} was already sent again; `fraudline rejects show "
                f"{position}` says where it is now. Nothing was sent."
            )


def _explained(error: KafkaException, kafka: KafkaSettings, done: RejectReplay) -> BrokerError:
    reason = error.args[0]
    raise_if_permanent(reason)
    so_far = (
        f"{done.sent:,} rejects were sent again and are marked; run the command again for the "
        "rest; none is sent twice."
    )
    if reason.code() in _FENCED:
        return BrokerError(
            f"another `fraudline rejects replay` of group '{kafka.group}' was started and took "
            f"over. Until then {so_far}"
        )
    return BrokerError(f"the replay was cut short: {reason.str()} ({reason.name()}). {so_far}")
