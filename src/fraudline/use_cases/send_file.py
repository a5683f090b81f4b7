"""A file of transactions as messages of a topic."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fraudline import flows
from fraudline.contract import Refusal
from fraudline.datasets.file_content import kind_of, read_lines
from fraudline.datasets.files import MAX_REFUSED, RowFile, read_transactions
from fraudline.stream.broker import require_topics
from fraudline.stream.produce_lines import produce_lines
from fraudline.use_cases.project import Project


@dataclass(frozen=True)
class FileMessages:
    """The messages that a file holds.

    Attributes:
        lines: Each as it is sent, without a line end.
        refusals: Rows that do not fit the contract and so give no message.
    """

    lines: list[bytes]
    refusals: list[Refusal] = field(default_factory=list)


def read_messages(
    project: Project,
    file: Path,
    *,
    max_refused: float = MAX_REFUSED,
    quoted_newlines: bool = False,
    on_read: Callable[[RowFile], None] = lambda _: None,
) -> FileMessages:
    """The messages of a CSV, Parquet or .jsonl file, also as gzip.

    Labels are left out: a transaction in flight has none. Lines of a .jsonl file stay as
    they are.

    Args:
        project: Whose contract.
        file: Where they are.
        max_refused: Share of the rows, 0 to 1, that may be refused.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.
        on_read: Called with what a CSV or Parquet file holds before anything else can fail.

    Raises:
        InputError: the file cannot be read.
        ContractError: its columns are not the contract's.
        RefusedRowsError: more rows were refused than `max_refused`.
    """
    if kind_of(file, ("csv", "parquet", "jsonl")) == "jsonl":
        return FileMessages(read_lines(file))
    read = read_transactions(file, project.contract, quoted_newlines=quoted_newlines)
    on_read(read)
    read.require_few_refused(max_refused, "Nothing was sent.")
    return FileMessages(project.contract.message_lines(read.rows), read.refusals)


def send_messages(
    project: Project,
    lines: list[bytes],
    *,
    topic: str | None = None,
    rate: float = 0,
    stop: threading.Event | None = None,
    on_sent: Callable[[int], None] = lambda _: None,
) -> int:
    """Send each line as one message, keyed by its id if the contract has one.

    Args:
        project: Whose broker and contract.
        lines: The messages, without line ends.
        topic: Where to; the topic of transactions without one.
        rate: Messages a second; 0 is as fast as the broker takes them.
        stop: Ends it early, when it is set.
        on_sent: Told how many have been sent so far.

    Returns:
        How many messages the broker acknowledged.

    Raises:
        BrokerError: there is no such topic, or the broker did not take a message.
    """
    target = topic or project.kafka.topic(flows.TRANSACTIONS)
    require_topics(project.kafka, [target])
    return produce_lines(
        project.kafka,
        target,
        lines,
        key_of=project.contract.key_of,
        rate=rate,
        stop=stop or threading.Event(),
        on_sent=on_sent,
    )
