"""A labelled file as a stream of its own time: transactions, and the labels of frauds, late."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from fraudline import flows
from fraudline.contract import FRAUD, Contract
from fraudline.contract.array_types import Floats
from fraudline.contract.messages import received_at
from fraudline.contract.time_units import TIME_UNITS, seconds_of
from fraudline.datasets.files import MAX_REFUSED, RowFile, read_transactions
from fraudline.errors import InputError
from fraudline.stream.broker import require_topics
from fraudline.stream.produce_with_labels import (
    Delivery,
    ProducedWithLabels,
    TimedTransaction,
    produce_with_labels,
)
from fraudline.use_cases.project import Project

_DURATION = r"(\d+(?:\.\d+)?)\s*([a-z]+)"
_LOGNORMAL = re.compile(
    rf"lognormal\(\s*median\s*=\s*{_DURATION}\s*,\s*sigma\s*=\s*(\d+(?:\.\d+)?)\s*\)"
)
_FIXED = re.compile(_DURATION)
_MOST_SIGMA = 5.0


@dataclass(frozen=True)
class LabelDelay:
    """How long after a transaction its label comes, in the transaction's own time.

    Attributes:
        median_s: Half of the labels come within so many seconds.
        sigma: Standard deviation of the delay's logarithm; 0: all come after the median.
    """

    median_s: float
    sigma: float = 0.0

    @classmethod
    def parse(cls, text: str) -> LabelDelay:
        """Parse `6h`, or `lognormal(median=6h, sigma=0.8)`.

        Raises:
            InputError: it is neither.
        """
        sigma = "0"
        found = _FIXED.fullmatch(text.strip())
        if found is None:
            found = _LOGNORMAL.fullmatch(text.strip())
            sigma = found[3] if found else sigma
        unit_s = seconds_of(found[2]) if found else None
        if found is None or unit_s is None or float(sigma) > _MOST_SIGMA:
            raise InputError(
                f"the delay {text[:100]!r} is not one: expected a time such as '6h', or "
                f"'lognormal(median=6h, sigma=0.8)', with a unit of {', '.join(TIME_UNITS)} and a "
                f"sigma of at most {_MOST_SIGMA:g}."
            )
        return cls(float(found[1]) * unit_s, float(sigma))

    def draw(self, count: int, seed: int) -> Floats:
        """So many delays in seconds, the same ones for the same seed, shape (count,)."""
        normal = np.random.default_rng(seed).standard_normal(count)
        delays: Floats = self.median_s * np.exp(self.sigma * normal)
        return delays


@dataclass(frozen=True)
class ReplayPlan:
    """What is sent, and when.

    Attributes:
        transactions: In the order of their event times, those of equal times as in the file.
        delays_s: The delay of each label in event time, by the place of its transaction.
        ends_s: When the last message is due, seconds after the first one.
    """

    transactions: list[TimedTransaction]
    delays_s: dict[int, float]
    ends_s: float


def plan_replay(
    contract: Contract, labelled: pa.Table, delay: LabelDelay, *, speed: float, seed: int
) -> ReplayPlan:
    """Lay out when each transaction of a table, and the label of each fraud, is sent.

    Args:
        contract: What a transaction looks like.
        labelled: Transactions with their label.
        delay: How long after its transaction a label comes.
        speed: How many seconds of event time pass in one.
        seed: Of the delays.
    """
    times = contract.event_seconds(labelled)
    order = np.argsort(times, kind="stable")
    ordered = labelled.take(pa.array(order))
    due = (times[order] - times[order[0]]) / speed
    frauds = np.flatnonzero(contract.labels(ordered) == 1)
    delays = dict(zip(frauds.tolist(), delay.draw(len(frauds), seed).tolist(), strict=True))
    transactions = [
        TimedTransaction(
            at,
            line,
            contract.key_of(line),
            at + delays[place] / speed if place in delays else None,
        )
        for place, (at, line) in enumerate(
            zip(due.tolist(), contract.message_lines(ordered), strict=True)
        )
    ]
    ends = max(max(one.due_s, one.label_due_s or 0.0) for one in transactions)
    return ReplayPlan(transactions, delays, ends)


def read_plan(
    project: Project,
    file: Path,
    delay: str,
    *,
    speed: float,
    seed: int = 0,
    max_refused: float = MAX_REFUSED,
    quoted_newlines: bool = False,
    on_read: Callable[[RowFile], None] = lambda _: None,
) -> ReplayPlan:
    """Read a labelled file, and lay out when each of its messages is sent.

    Args:
        project: Whose contract.
        file: CSV or Parquet with labels, also as gzip.
        delay: How late a label comes, as `LabelDelay.parse` takes it.
        speed: How many seconds of event time pass in one.
        seed: Of the delays.
        max_refused: Share of the rows, 0 to 1, that may be refused.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.
        on_read: Called with what the file holds before anything else can fail.

    Raises:
        InputError: the file cannot be read or is not labelled, or the delay is none.
        ContractError: its columns are not the contract's.
        RefusedRowsError: more rows were refused than `max_refused`.
    """
    label_delay = LabelDelay.parse(delay)
    read = read_transactions(file, project.contract, quoted_newlines=quoted_newlines)
    on_read(read)
    if not read.is_labelled:
        raise InputError(
            f"{file} has no column '{project.contract.label}', so there are no labels to send. "
            "`fraudline replay` without --labels sends its transactions."
        )
    read.require_few_refused(max_refused, "Nothing was sent.")
    if not read.rows.num_rows:
        raise InputError(f"{file} has no row that fits, so nothing was sent.")
    return plan_replay(project.contract, read.rows, label_delay, speed=speed, seed=seed)


def send_with_labels(
    project: Project,
    plan: ReplayPlan,
    *,
    topic: str | None = None,
    stop: threading.Event | None = None,
    on_sent: Callable[[ProducedWithLabels], None] = lambda _: None,
) -> ProducedWithLabels:
    """Send transactions and labels at their times.

    Args:
        project: Whose broker and contract.
        plan: What is sent, and when.
        topic: Where transactions go; their own topic without one.
        stop: Ends it early, when it is set.
        on_sent: Told how many have been sent so far.

    Raises:
        BrokerError: a topic is missing, or the broker did not take a message.
    """
    topics = (topic or project.kafka.topic(flows.TRANSACTIONS), project.kafka.topic(flows.LABELS))
    require_topics(project.kafka, topics)
    contract = project.contract

    def label_of(place: int, delivery: Delivery) -> tuple[bytes, bytes]:
        key = plan.transactions[place].key
        identity = delivery.position if key is None else key.decode()
        label = {
            "contract": contract.name,
            "transaction_id": identity,
            "label": FRAUD,
            "source": "test",
            "known_at": dt.datetime.now(dt.UTC),
            "told_by": "fraudline replay",
            "transaction_received_at": received_at(delivery.sent_at_ms) if key is None else None,
            "note": f"{plan.delays_s[place] / 3600:.3f} h of event time after the transaction",
        }
        return identity.encode(), msgspec.json.encode(label)

    return produce_with_labels(
        project.kafka,
        topics,
        plan.transactions,
        label_of,
        stop=stop or threading.Event(),
        on_sent=on_sent,
    )
