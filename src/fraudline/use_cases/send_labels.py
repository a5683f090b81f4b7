"""A file of labels as messages of the topic of labels."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow.compute as pc

from fraudline import flows
from fraudline.contract import Refusal, json_lines
from fraudline.datasets.files import MAX_REFUSED, RowFile
from fraudline.datasets.label_files import read_labels
from fraudline.errors import InputError
from fraudline.stream.broker import require_topics
from fraudline.stream.produce_lines import produce_lines
from fraudline.use_cases.project import Project


@dataclass(frozen=True)
class SentLabels:
    """What became of a file of labels.

    Attributes:
        topic: Where they are now.
        sent: How many labels the broker acknowledged.
        refusals: Rows that are no labels of this contract.
        left: How many were not sent, as it was stopped before.
        warning: What is odd about those that were sent, if anything is.
    """

    topic: str
    sent: int
    refusals: list[Refusal]
    left: int
    warning: str | None = None


def send_labels(
    project: Project,
    file: Path,
    *,
    max_refused: float = MAX_REFUSED,
    quoted_newlines: bool = False,
    on_read: Callable[[RowFile], None] = lambda _: None,
    stop: threading.Event | None = None,
    on_sent: Callable[[int, int], None] = lambda *_: None,
) -> SentLabels:
    """Send each row of a file as one label, keyed by its transaction.

    Args:
        project: Whose broker and contract.
        file: CSV, Parquet or .jsonl, also as gzip.
        max_refused: Share of its rows, 0 to 1, that may be refused; above it nothing is sent.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.
        on_read: Called with what the file holds before anything else can fail.
        stop: Ends it early, when it is set.
        on_sent: Told how many have been sent so far, and how many there are.

    Raises:
        InputError: the file cannot be read, or no row of it is a label.
        ContractError: its columns are not those of a label.
        RefusedRowsError: more rows were refused than `max_refused`.
        BrokerError: there is no such topic, or the broker did not take a label.
    """
    read = read_labels(file, project.contract, quoted_newlines=quoted_newlines)
    on_read(read)
    read.require_few_refused(max_refused, "Nothing was sent.")
    if not read.rows.num_rows:
        example = [f" Row {each.row}: {each.message}." for each in read.refusals[:1]]
        raise InputError(
            f"none of the {read.row_count:,} rows of {file} is a label for contract "
            f"'{project.contract.name}', so nothing was sent.{''.join(example)}"
        )
    topic = project.kafka.topic(flows.LABELS)
    require_topics(project.kafka, [topic])
    count = read.rows.num_rows
    sent = produce_lines(
        project.kafka,
        topic,
        json_lines(read.rows),
        key_of=label_key,
        rate=0,
        stop=stop or threading.Event(),
        on_sent=lambda so_far: on_sent(so_far, count),
    )
    return SentLabels(topic, sent, read.refusals, count - sent, _to_come(read))


class _Named(msgspec.Struct):
    transaction_id: str


_named = msgspec.json.Decoder(_Named).decode


def label_key(label: bytes) -> bytes | None:
    """The key under which a label is sent: its transaction, so that its labels keep their order."""
    key = _named(label).transaction_id.encode()
    return key or None


def _to_come(read: RowFile) -> str | None:
    now = dt.datetime.now(dt.UTC)
    count = pc.sum(pc.greater(read.rows["known_at"], now)).as_py() or 0
    if not count:
        return None
    return (
        f"{count:,} labels have a known_at that is still to come: they count from then on. Is the "
        "offset from UTC right?"
    )
