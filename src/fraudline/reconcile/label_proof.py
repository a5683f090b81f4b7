"""Every message of the topic of labels against the rows that BigQuery holds for it.

A sink stores labels as they come, so the proof is shorter than that of transactions: each message
is one label or one reject, whose row says what the message says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline import flows
from fraudline.contract import REPLAYED, Contract, Messages
from fraudline.contract.messages import NO_TIME_STAMP
from fraudline.contract.rejects import MAX_ORIGINAL_BYTES
from fraudline.reconcile.check_window import NO_MESSAGE, differing
from fraudline.reconcile.ledger import MOST_EXAMPLES, example
from fraudline.reconcile.stored_rows import (
    Offsets,
    Window,
    offsets_of,
    range_parameters,
    stored_rows,
)
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.stream.topic_lookup import TopicLookup
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

_WINDOW_MESSAGES = 50_000
_LOOK_AGAIN_S = 2.0


@dataclass
class LabelLedger:
    """What was sent, what is stored, and where the two disagree.

    Attributes:
        topic: The topic of labels.
        inputs: Messages in it.
        labels: Rows of labels stored for them.
        rejects: Rows of rejects stored for them.
        missing: Messages with neither.
        doubled: Messages with more than one row.
        differing: Messages whose row does not say what the message says.
        unexpected: Rows for offsets at which there is no message.
        earlier: Rows of a topic of that name that was deleted since: they are not checked. Of
            rejects, those at offsets that the topic has again.
        examples: Some disagreements in words.
    """

    topic: str
    inputs: int = 0
    labels: int = 0
    rejects: int = 0
    missing: int = 0
    doubled: int = 0
    differing: int = 0
    unexpected: int = 0
    earlier: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether every message has exactly one row that says what it says."""
        return not self.missing + self.doubled + self.differing + self.unexpected

    @property
    def disagreements(self) -> str:
        """How many there are of each kind, in words."""
        kinds = ("missing", "doubled", "differing", "unexpected")
        return ", ".join(f"{kind} {getattr(self, kind):,}" for kind in kinds)

    def add(self, partition: int, found: dict[str, Offsets], words: dict[str, str]) -> None:
        """Count what was found in a window, by attribute, with examples of what is wrong."""
        known = {each.name for each in fields(self)}
        for kind, offsets in found.items():
            assert kind in known
            setattr(self, kind, getattr(self, kind) + len(offsets))
            if kind in words:
                left = MOST_EXAMPLES - len(self.examples)
                self.examples += [
                    example(partition, offset, words[kind]) for offset in offsets[:left].tolist()
                ]


_WORDS = {
    "missing": "a label neither stored nor rejected",
    "doubled": "a label stored more than once",
    "differing": "the row does not say what the label says",
    "unexpected": NO_MESSAGE,
}


def reconcile_labels(
    kafka: KafkaSettings,
    warehouse: Warehouse,
    contract: Contract,
    *,
    wait_s: float = 0,
    on_wait: Callable[[int], None] = lambda _: None,
) -> LabelLedger:
    """Check what became of every message that the topic of labels still holds.

    Args:
        kafka: Broker and topics.
        warehouse: Where the rows are.
        contract: Of the transactions.
        wait_s: While something is missing, look again for so many seconds.
        on_wait: Called before each wait with how many labels are missing.

    Raises:
        BrokerError: the topic cannot be read.
        WarehouseError: BigQuery cannot be queried.
    """
    deadline = time.monotonic() + wait_s
    while True:
        ledger = _reconcile(kafka, warehouse, contract)
        if not ledger.missing or time.monotonic() >= deadline:
            return ledger
        on_wait(ledger.missing)
        time.sleep(min(_LOOK_AGAIN_S, max(0.0, deadline - time.monotonic())))


def _reconcile(kafka: KafkaSettings, warehouse: Warehouse, contract: Contract) -> LabelLedger:
    topic = kafka.topic(flows.LABELS)
    ledger = LabelLedger(topic)
    of_id = TopicLookup(kafka).ids([topic])[topic]
    ranges = offset_ranges(kafka, topic)
    for partition, (start, stop) in ranges.items():
        for first, end, messages in read_range(
            kafka, topic, partition, start, stop, _WINDOW_MESSAGES
        ):
            window = Window(topic, partition, first, end)
            ledger.add(partition, _check(warehouse, contract, window, messages, of_id), _WORDS)
    _count_beyond(kafka, warehouse, ledger, of_id)
    return ledger


def _check(
    warehouse: Warehouse, contract: Contract, window: Window, messages: Messages, of_id: str
) -> dict[str, Offsets]:
    """What is found in a window: the offsets, by the attribute of the ledger that counts them."""
    offsets: Offsets = np.asarray(messages.offsets, dtype=np.int64)
    decoded, accepted, refused = flows.LABELS.decoder(contract).decode(messages.values)
    good: Offsets = offsets[np.asarray(accepted, dtype=np.int64)]
    bad: Offsets = offsets[np.asarray([reject.index for reject in refused], dtype=np.int64)]
    sent = pa.Table.from_batches([decoded]).append_column(
        "source_offset", pa.array(good, pa.int64())
    )
    originals = pa.table(
        {
            "original": pa.array(
                [(messages.values[one.index] or b"")[:MAX_ORIGINAL_BYTES] for one in refused],
                pa.binary(),
            ),
            "source_offset": pa.array(bad, pa.int64()),
        }
    )
    labels, rejects = _stored(warehouse, contract, window, of_id)
    is_of_it = _are_of(messages, rejects)
    earlier, rejects = rejects.filter(pc.invert(is_of_it)), rejects.filter(is_of_it)
    found, counts = np.unique(
        np.concatenate([offsets_of(labels), offsets_of(rejects)]), return_counts=True
    )
    return {
        "inputs": offsets,
        "labels": offsets_of(labels),
        "rejects": offsets_of(rejects),
        "earlier": offsets_of(earlier),
        "missing": np.setdiff1d(offsets, found),
        "doubled": found[counts > 1],
        "unexpected": np.setdiff1d(found, offsets),
        "differing": np.unique(
            np.concatenate(
                [
                    *(differing(sent, labels), differing(originals, rejects)),
                    *(np.intersect1d(good, offsets_of(rejects)),),
                    *(np.intersect1d(bad, offsets_of(labels)),),
                ]
            )
        ),
    }


def _stored(
    warehouse: Warehouse, contract: Contract, window: Window, of_id: str
) -> tuple[pa.Table, pa.Table]:
    """The labels of a window, and its rejects without markers that one was sent again."""
    names = ", ".join(f"`{column.name}`" for column in flows.LABELS.columns(contract))
    table = warehouse.table(warehouse.settings.table(flows.LABELS))
    labels = query(
        warehouse,
        f"SELECT {names}, source_offset FROM `{table}` "  # noqa: S608 - names come from settings
        "WHERE source_topic = @topic AND source_partition = @partition "
        f"AND source_offset >= @first AND source_offset <= @last AND {_OF_TOPIC}",
        [*range_parameters(window), ("topic_id", "STRING", of_id)],
    )
    columns = ["original", "reason", "received_at"]
    rejected = stored_rows(warehouse, flows.REJECTS, columns, window, None)
    return labels, rejected.filter(pc.not_equal(rejected["reason"], REPLAYED))


def _are_of(messages: Messages, rejects: pa.Table) -> pa.BooleanArray:
    """Which rejects are of these messages, and not of an earlier topic's at the same offsets.

    A reject names no topic's id. It says when its message was sent, which tells it from another.
    One at whose offset there is no message is left in: that is looked at elsewhere.
    """
    sent_at_us = {
        offset: None if sent_at_ms == NO_TIME_STAMP else sent_at_ms * 1000
        for offset, sent_at_ms in zip(messages.offsets, messages.sent_at_ms, strict=True)
    }
    received_at_us = rejects["received_at"].cast(pa.int64()).to_pylist()
    return pa.array(
        [
            sent_at_us.get(offset, at) == at
            for offset, at in zip(offsets_of(rejects).tolist(), received_at_us, strict=True)
        ],
        pa.bool_(),
    )


# Without an id, on either side, it is taken for the topic that is there.
_OF_TOPIC = "(@topic_id = '' OR IFNULL(source_topic_id, @topic_id) = @topic_id)"


def _count_beyond(
    kafka: KafkaSettings, warehouse: Warehouse, ledger: LabelLedger, of_id: str
) -> None:
    """Count rows of an earlier topic, and those that name an offset beyond the topic's end."""
    table = warehouse.table(warehouse.settings.table(flows.LABELS))
    parameters = [("topic", "STRING", ledger.topic), ("topic_id", "STRING", of_id)]
    rows = query(
        warehouse,
        f"SELECT source_partition, {_OF_TOPIC} AS is_of_it, COUNT(*) AS n, "  # noqa: S608 - names come from settings
        f"MAX(source_offset) AS last FROM `{table}` WHERE source_topic = @topic "
        "GROUP BY source_partition, is_of_it",
        parameters,
    ).to_pylist()
    ends = {key: end for key, (_, end) in offset_ranges(kafka, ledger.topic).items()}
    ledger.earlier += sum(row["n"] for row in rows if not row["is_of_it"])
    for row in rows:
        end = ends.get(row["source_partition"], 0)
        if not row["is_of_it"] or row["last"] < end:
            continue
        beyond = query(
            warehouse,
            f"SELECT source_offset FROM `{table}` WHERE source_topic = @topic "  # noqa: S608 - likewise
            f"AND source_partition = @partition AND source_offset >= @first AND {_OF_TOPIC}",
            [
                *parameters,
                ("partition", "INT64", row["source_partition"]),
                ("first", "INT64", end),
            ],
        )
        ledger.add(row["source_partition"], {"unexpected": offsets_of(beyond)}, _WORDS)
