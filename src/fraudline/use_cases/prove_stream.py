"""The proof that every input is one decision in BigQuery or one reject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from fraudline import flows
from fraudline.reconcile import (
    Follower,
    LabelLedger,
    Ledger,
    ledger_sql,
    reconcile_labels,
    reconcile_when_complete,
)
from fraudline.stream.broker import existing_topics
from fraudline.use_cases.project import Project
from fraudline.warehouse.query import query


@dataclass(frozen=True)
class CountedBySql:
    """What the tables alone tell: a statement, and what it gives."""

    sql: str
    rows: pa.Table


def prove_stream(
    project: Project, wait_s: float = 0, on_wait: Callable[[int], None] = lambda _: None
) -> Ledger:
    """Reconcile, again and again for a while if something is still on its way.

    Args:
        project: Whose topics and tables.
        wait_s: After so many seconds the ledger is given as it is.
        on_wait: Told how many are missing, before each wait.

    Raises:
        BrokerError: the topics cannot be read.
        WarehouseError: the tables cannot be read.
    """
    return reconcile_when_complete(
        *(project.kafka, project.warehouse, project.contract, project.forms),
        wait_s=wait_s,
        on_wait=on_wait,
    )


def prove_labels(
    project: Project, wait_s: float = 0, on_wait: Callable[[int], None] = lambda _: None
) -> LabelLedger | None:
    """Reconcile the labels, again and again for a while if some are still on their way.

    Args:
        project: Whose topic and tables.
        wait_s: After so many seconds the ledger is given as it is.
        on_wait: Told how many are missing, before each wait.

    Returns:
        None where there is no topic of labels yet: nothing can have been sent.

    Raises:
        BrokerError: the topic cannot be read.
        WarehouseError: the tables cannot be read.
    """
    if project.kafka.topic(flows.LABELS) not in existing_topics(project.kafka):
        return None
    return reconcile_labels(
        project.kafka, project.warehouse, project.contract, wait_s=wait_s, on_wait=on_wait
    )


def count_by_sql(project: Project) -> CountedBySql:
    """Count the same from the tables alone.

    Raises:
        WarehouseError: the tables cannot be read.
    """
    sql = ledger_sql(project.kafka, project.warehouse)
    return CountedBySql(sql, query(project.warehouse, sql))


def follow_stream(project: Project) -> Follower:
    """A ledger that goes along with what comes from now on; use it in a `with` block.

    Raises:
        BrokerError: the topics cannot be read.
    """
    return Follower(
        project.kafka,
        project.warehouse,
        project.contract,
        project.settings.metrics.stalled_after_s,
        project.forms,
    )
