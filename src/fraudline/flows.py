"""The flows: each topic of the stream with the table that stores it, said once.

From this list follow the settings `kafka.topic_…` and `bigquery.table_…`, the topics and tables
that `setup` creates, what a sink stores, and what decodes a message that is sent again. A new
topic with its table is one more entry here. So is a table that `fraudline learn` writes by itself,
without a topic, in the second list.

The contract is imported only when columns are asked for: settings know the flows, and every
command reads its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # brings Arrow, which settings and `--help` do without
    from fraudline.contract import Column, Contract, Decoder


@dataclass(frozen=True)
class FlowTable:
    """The table in which a flow is stored.

    Attributes:
        default: Its name, where the settings say nothing else.
        setting: What the setting with its name means, a sentence.
        description: For people who look at it in BigQuery; `{contract}` stands for its name.
        partition_by: Timestamp column by whose day it is partitioned, if any.
        cluster_by: Columns by which rows are kept together.
        formerly_clustered_by: What earlier releases had in its place.
    """

    default: str
    setting: str
    description: str
    partition_by: str | None = None
    cluster_by: tuple[str, ...] = ()
    formerly_clustered_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """A topic, what its messages hold, and the table that they go into.

    Attributes:
        name: Ends the names of its settings: `kafka.topic_NAME` and `bigquery.table_NAME`.
        topic: Default name of the topic.
        setting: What the setting with the topic's name means, a sentence.
        columns: For a contract, the columns of a message.
        most_bytes: Largest message that is decoded; a larger one is rejected.
        table: Where a sink stores it; None if it is not stored as it is.
        is_own: Whether only fraudline writes its messages, so that each is of some release of it.
        may_lack: Whether a message of others may lack columns that may be null, as one written
            before such a column was added does.
        keeps_arrival: Whether a row also says where and when its message arrived; a message that
            names another position by itself needs no such columns.
    """

    name: str
    topic: str
    setting: str
    columns: Callable[[Contract], tuple[Column, ...]]
    most_bytes: Callable[[], int]
    table: FlowTable | None = None
    is_own: bool = False
    may_lack: bool = False
    keeps_arrival: bool = False

    def row_columns(self, contract: Contract) -> tuple[Column, ...]:
        """The columns of its table."""
        from fraudline.contract import ARRIVAL_COLUMNS

        columns = self.columns(contract)
        return (*columns, *ARRIVAL_COLUMNS) if self.keeps_arrival else columns

    def decoder(self, contract: Contract) -> Decoder:
        """What makes Arrow rows of its messages, and says what cannot be decoded."""
        from fraudline.contract import Decoder, RecordDecoder

        columns, most_bytes = self.columns(contract), self.most_bytes()
        if self.is_own or self.may_lack:
            return RecordDecoder(columns, most_bytes, is_own=self.is_own)
        if self.table is None:
            return contract.decoder(most_bytes)
        return Decoder(columns, most_bytes)  # what a sink stores stays a row as it was


@dataclass(frozen=True)
class LearningTable:
    """A table that `fraudline learn` writes itself: a few rows for each period, and no topic.

    Attributes:
        name: Ends the name of its setting: `bigquery.table_NAME`.
        default: Its name, where the setting says nothing else.
        setting: What that setting means, a sentence.
        description: For people who look at it in BigQuery.
        columns: What a row says beside its key, its contract, its period and when it was written.
    """

    name: str
    default: str
    setting: str
    description: str
    columns: Callable[[], tuple[Column, ...]]

    @property
    def row_columns(self) -> tuple[Column, ...]:
        """The columns of the table."""
        from fraudline.contract import PERIOD_COLUMNS, WRITTEN_COLUMN

        return (*PERIOD_COLUMNS, *self.columns(), WRITTEN_COLUMN)


# The proof asks for the rows of a range of offsets: it then reads no others.
_BY_POSITION = ("source_topic", "source_partition", "source_offset")


def _of_a_transaction() -> int:
    from fraudline.contract.decoder import MAX_MESSAGE_BYTES

    return MAX_MESSAGE_BYTES


def _with_a_transaction() -> int:
    return _of_a_transaction() + 16 * 1024  # what was decided, beside the transaction itself


def _of_a_reject() -> int:
    from fraudline.contract.rejects import MAX_REJECT_BYTES

    return MAX_REJECT_BYTES


def _of_a_label() -> int:
    from fraudline.contract.labels import MAX_LABEL_BYTES

    return MAX_LABEL_BYTES


def _label_columns(_: Contract) -> tuple[Column, ...]:
    from fraudline.contract import LABEL_COLUMNS

    return LABEL_COLUMNS


def _alarm_columns() -> tuple[Column, ...]:
    from fraudline.contract import ALARM_COLUMNS

    return ALARM_COLUMNS


def _measure_columns() -> tuple[Column, ...]:
    from fraudline.contract import MEASURE_COLUMNS

    return MEASURE_COLUMNS


def _gate_columns() -> tuple[Column, ...]:
    from fraudline.contract import GATE_COLUMNS

    return GATE_COLUMNS


def _calibration_columns() -> tuple[Column, ...]:
    from fraudline.contract import CALIBRATION_COLUMNS

    return CALIBRATION_COLUMNS


def _rollout_columns() -> tuple[Column, ...]:
    from fraudline.contract import ROLLOUT_COLUMNS

    return ROLLOUT_COLUMNS


def _update_columns() -> tuple[Column, ...]:
    from fraudline.contract import UPDATE_COLUMNS

    return UPDATE_COLUMNS


def _reject_columns(_: Contract) -> tuple[Column, ...]:
    from fraudline.contract import REJECT_COLUMNS

    return REJECT_COLUMNS


TRANSACTIONS = Flow(
    name="transactions",
    topic="transactions",
    setting="Topic with incoming transactions, JSON, one object a message.",
    columns=lambda contract: contract.transaction_columns,
    most_bytes=_of_a_transaction,
)
DECISIONS = Flow(
    name="decisions",
    topic="decisions",
    setting="Topic that receives every decision.",
    columns=lambda contract: contract.decision_columns,
    most_bytes=_with_a_transaction,
    is_own=True,
    table=FlowTable(
        default="decisions",
        setting="Table with one row a decision.",
        description="One row for each decided transaction ({contract}).",
        partition_by="decided_at",
        cluster_by=_BY_POSITION,
        formerly_clustered_by=("decision", "source_topic", "source_partition"),
    ),
)
REJECTS = Flow(
    name="rejects",
    topic="transactions.rejected",
    setting="Topic that receives every message that could not be decoded, with its reason.",
    columns=_reject_columns,
    most_bytes=_of_a_reject,
    is_own=True,
    table=FlowTable(
        default="rejects",
        setting="Table with one row a rejected message.",
        description="One row for each message that could not be decoded.",
        partition_by="rejected_at",
        cluster_by=_BY_POSITION,
        formerly_clustered_by=("reason",),
    ),
)
PREDICTIONS = Flow(
    name="predictions",
    topic="predictions",
    setting="Topic for lines in the history table's own schema, as `predict` writes them.",
    columns=lambda contract: contract.columns,
    most_bytes=_with_a_transaction,
    table=FlowTable(
        default="predictions",
        setting="Table for lines in the history table's own schema.",
        description="Predictions of `fraudline predict`, in the history's columns ({contract}).",
    ),
)
LABELS = Flow(
    name="labels",
    topic="labels",
    setting="Topic with labels: what became of transactions, one JSON object a message.",
    columns=_label_columns,
    most_bytes=_of_a_label,
    may_lack=True,
    keeps_arrival=True,
    table=FlowTable(
        default="labels",
        setting="Table with one row a label.",
        description="What became of transactions, as each source told it; which of several counts "
        "is a rule ({contract}).",
        partition_by="arrived_at",
        cluster_by=("transaction_id",),
    ),
)

FLOWS: tuple[Flow, ...] = (TRANSACTIONS, DECISIONS, REJECTS, PREDICTIONS, LABELS)

MEASURES = LearningTable(
    name="measures",
    default="measures",
    setting="Table with how the decisions of each period turned out, each time it was judged.",
    description="How the decisions of each period turned out, by the labels that had arrived when "
    "it was judged: five rows each time, one for each part of the payments.",
    columns=_measure_columns,
)

ALARMS = LearningTable(
    name="alarms",
    default="alarms",
    setting="Table with what changed in each period, before any label came.",
    description="How each period differed from what its model was trained on, by detector and "
    "column: what alarms, and what the next period goes on from.",
    columns=_alarm_columns,
)

UPDATES = LearningTable(
    name="updates",
    default="updates",
    setting="Table with the versions that were made of what became known, or why none was.",
    description="What was learned at the end of each period: the version that was made of it, or "
    "why none was.",
    columns=_update_columns,
)

GATES = LearningTable(
    name="gates",
    default="gates",
    setting="Table with what the gate found of the champion's line, period by period.",
    description="How the versions that go on from the champion do beside it, by what became known "
    "after they were made: the wealth of the bet, and what followed.",
    columns=_gate_columns,
)

CALIBRATIONS = LearningTable(
    name="calibrations",
    default="calibrations",
    setting="Table with the calibrations that were made of the champion, and how they are judged.",
    description="What the champion's scores would mean if it were calibrated on what matured last, "
    "period by period: the log loss of each such calibration on what matured later.",
    columns=_calibration_columns,
)

ROLLOUTS = LearningTable(
    name="rollouts",
    default="rollouts",
    setting="Table with what was found of rollouts that widen by themselves, period by period.",
    description="How a version that decides a share does beside the champion, by what became known "
    "since: the wealth of the bet, and what followed.",
    columns=_rollout_columns,
)

LEARNING_TABLES: tuple[LearningTable, ...] = (
    MEASURES,
    ALARMS,
    UPDATES,
    GATES,
    ROLLOUTS,
    CALIBRATIONS,
)


def stored_flows() -> list[tuple[Flow, FlowTable]]:
    """The flows that a sink stores, each with its table."""
    return [(flow, flow.table) for flow in FLOWS if flow.table is not None]
