"""Whether every message that was sent is one row that says what it said."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from tests.faults.pipeline import Pipeline
from tests.faults.traffic import Traffic, Transaction

from fraudline.bundle.policy import Policy
from fraudline.errors import WarehouseAwayError
from fraudline.flows import LEARNING_TABLES
from fraudline.reconcile import Ledger, reconcile
from fraudline.warehouse.query import query

_COUNT = """
SELECT COUNT(*) AS n,
  COUNT(DISTINCT CONCAT(CAST(source_partition AS STRING), ':', CAST(source_offset AS STRING)))
    AS positions
FROM {}
"""
_LABELS = """
SELECT COUNT(*) AS n, COUNT(DISTINCT transaction_id) AS ids,
  COUNT(DISTINCT CONCAT(CAST(source_partition AS STRING), ':', CAST(source_offset AS STRING)))
    AS positions
FROM labels
"""
# A sink rejects what is no label into the same table, by positions of its own.
_REJECTS = "(SELECT * FROM rejects WHERE source_topic != 'labels')"
_JUNK = "(SELECT * FROM rejects WHERE source_topic = 'labels')"
_EITHER = (
    "(SELECT source_partition, source_offset FROM decisions "
    f"UNION ALL SELECT source_partition, source_offset FROM {_REJECTS})"
)
_KEYS = "SELECT COUNT(*) AS n, COUNT(DISTINCT row_key) AS keys FROM {}"
_SCORE_ERROR = 1e-5  # the model computes in float32


class Proof:
    """Checks what came since the last check by value, and everything by count.

    Two independent ways: `fraudline.reconcile`, which reads the topic; and SQL of our own,
    compared with what the sender knows, which neither reads the topic nor uses our decoder.

    Args:
        pipeline: Whose tables are read, by no proxy.
        traffic: What is sent. What was proved is forgotten there.

    Attributes:
        decisions: How many were proved in these tables so far.
        rejects: Likewise.
        earlier: How many decisions and rejects were proved in the tables before.
    """

    def __init__(self, pipeline: Pipeline, traffic: Traffic) -> None:
        self._pipeline, self._traffic = pipeline, traffic
        self._project = pipeline.project
        self.decisions = 0
        self.rejects = 0
        self.earlier = 0, 0
        self._earlier_labels = self._earlier_junk = 0

    def go_on(self) -> None:
        """Prove in the tables that the pipeline uses now, which are empty."""
        decisions, rejects = self.earlier
        self.earlier = decisions + self.decisions, rejects + self.rejects
        self._project, self.decisions, self.rejects = self._pipeline.project, 0, 0
        self._earlier_labels, self._earlier_junk = self._traffic.labels, self._pipeline.junk

    def is_complete(self) -> bool:
        """Whether as many rows are stored as messages were sent."""
        try:
            found = query(self._project.warehouse, f"SELECT COUNT(*) AS n FROM {_EITHER}")
            labels = query(self._project.warehouse, _LABELS)
            junk = query(self._project.warehouse, f"SELECT COUNT(*) AS n FROM {_JUNK}")
        except WarehouseAwayError:  # it was just started again
            return False
        is_labelled = (
            int(labels["n"][0].as_py()) >= self._expected_labels
            and int(junk["n"][0].as_py()) >= self._expected_junk
        )
        return is_labelled and int(found["n"][0].as_py()) >= sum(self._expected)

    def check(self) -> None:
        """Compare what was sent with what is stored.

        Raises:
            AssertionError: something is missing, doubled or altered; the message tells what.
        """
        with ThreadPoolExecutor(1) as beside:
            reconciled = beside.submit(self._ledger)
            try:
                self._compare_counts()
                self._compare_values()
            finally:
                ledger = reconciled.result()
                assert ledger.is_exact, f"reconcile: {_told(ledger)}"
        self.decisions, self.rejects = self._expected
        self._forget()

    @property
    def _expected(self) -> tuple[int, int]:
        numbers = self._traffic.sent.values()
        rejects = sum(self._transaction(number).is_bad for number in numbers)
        return self.decisions + len(numbers) - rejects, self.rejects + rejects

    @property
    def _expected_labels(self) -> int:
        return self._traffic.labels - self._earlier_labels

    @property
    def _expected_junk(self) -> int:
        return self._pipeline.junk - self._earlier_junk

    def _transaction(self, number: int) -> Transaction:
        return Transaction(self._traffic.names, number)

    def _ledger(self) -> Ledger:
        project = self._project
        return reconcile(project.kafka, project.warehouse, project.contract)

    def _compare_counts(self) -> None:
        decisions, rejects = self._expected
        wanted = {
            "decisions": decisions,
            _REJECTS: rejects,
            _EITHER: decisions + rejects,
            _JUNK: self._expected_junk,
        }
        for table, rows in wanted.items():
            found = query(self._project.warehouse, _COUNT.format(table)).to_pylist()
            assert found == [{"n": rows, "positions": rows}], (
                f"SQL: {table}: found {found[0]}, expected {rows} of each"
            )

        labels = query(self._project.warehouse, _LABELS).to_pylist()
        rows = self._expected_labels
        assert labels == [{"n": rows, "ids": rows, "positions": rows}], (
            f"SQL: labels: found {labels[0]}, expected {rows} of each"
        )
        for table in LEARNING_TABLES:
            (found,) = query(self._project.warehouse, _KEYS.format(table.name)).to_pylist()
            assert found["n"] == found["keys"], (
                f"SQL: {table.name}: a period is there twice: {found}"
            )

    def _compare_values(self) -> None:
        sent = {place: self._transaction(number) for place, number in self._traffic.sent.items()}
        decided = self._new_rows("decisions")
        rejected = self._new_rows(_REJECTS)
        assert decided.keys() == {place for place, one in sent.items() if not one.is_bad}
        assert rejected.keys() == {place for place, one in sent.items() if one.is_bad}
        for place, row in decided.items():
            one = sent[place]
            found = tuple(row[name] for name in one.names)
            assert found == one.row, f"SQL: {place}: found {found}, sent {one.row}"
            assert np.isclose(row["score"], one.score, atol=_SCORE_ERROR), (place, row, one.score)
            policy = self._pipeline.policies[row["model_version"]]
            assert row["decision"] == _decision(policy, row["score"]), (place, row)
            assert (row["reasons"] is None) == (row["decision"] == "approve"), (place, row)
        for place, row in rejected.items():
            reason, value = sent[place].spoilt
            assert (row["reason"], row["original"]) == (reason, value or b""), (place, row)

    def _new_rows(self, table: str) -> dict[tuple[int, int], dict[str, Any]]:
        firsts = self._firsts()
        if not firsts:
            return {}
        condition = " OR ".join(
            f"(source_partition = {partition} AND source_offset >= {first})"
            for partition, first in firsts.items()
        )
        rows = query(self._project.warehouse, f"SELECT * FROM {table} WHERE {condition}")
        return {(row["source_partition"], row["source_offset"]): row for row in rows.to_pylist()}

    def _firsts(self) -> dict[int, int]:
        firsts: dict[int, int] = {}
        for partition, offset in self._traffic.sent:
            firsts[partition] = min(offset, firsts.get(partition, offset))
        return firsts

    def _forget(self) -> None:
        """Delete from the topic, as a retention does, what was proved in the round before.

        So the next check reads little. This round's messages stay: a consumer that begins
        at the start of the topic by mistake must find some, and double them.
        """
        admin = AdminClient({"bootstrap.servers": self._project.kafka.bootstrap_servers})
        topic = self._project.kafka.topic_transactions
        starts = self._firsts()
        futures = admin.delete_records(
            [TopicPartition(topic, partition, first) for partition, first in starts.items()]
        )
        for future in futures.values():
            future.result(10)
        self._traffic.sent.clear()


def _decision(policy: Policy, score: float) -> str:
    assert policy.review_from is not None
    assert policy.block_from is not None
    if score >= policy.block_from:
        return "block"
    return "review" if score >= policy.review_from else "approve"


def _told(ledger: Ledger) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in asdict(ledger.totals).items())
    return "\n  ".join([counts, *ledger.examples])
