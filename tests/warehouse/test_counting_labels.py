"""Which label counts, as of any moment: the SQL against a slow and obvious reference."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pytest
from google.cloud import bigquery
from tests.transactions import CREDITCARD, WALLET

import bqlite
from fraudline import flows
from fraudline.cli.label_commands import why_it_counts
from fraudline.contract import LABELS, SOURCES, Contract, arrow_schema
from fraudline.errors import ContractError, InputError
from fraudline.settings import BigQuerySettings
from fraudline.use_cases.look_at_labels import LabelHistory
from fraudline.warehouse.append import CommittedStream
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.counting_labels import decisions_with_labels, labelled_sql_at
from fraudline.warehouse.explored import explored_columns, one_look
from fraudline.warehouse.known_rows import TooFew, read_known
from fraudline.warehouse.label_rows import count_labels, decisions_of, label_events
from fraudline.warehouse.query import query
from fraudline.warehouse.tables import create_stream_tables

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MATURITY_DAYS = 2.0
BY_ID = replace(WALLET, maturity_days=MATURITY_DAYS)
BY_POSITION = replace(CREDITCARD, maturity_days=MATURITY_DAYS)
CONTRACTS = {"wallet": BY_ID, "creditcard": BY_POSITION}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with bqlite.serve(tmp_path_factory.mktemp("labels")) as running:
        yield Endpoint(running.rest, running.storage)


def tables(server: Endpoint, contract: Contract, name: str) -> Warehouse:
    warehouse = Warehouse(BigQuerySettings(project="local", dataset=name), server)
    create_stream_tables(warehouse, contract)
    return warehouse


def fill(warehouse: Warehouse, flow: flows.Flow, contract: Contract, rows: list[dict]) -> None:
    schema = arrow_schema(flow.row_columns(contract))
    stream = CommittedStream(warehouse, warehouse.settings.table(flow), schema)
    stream.send(pa.RecordBatch.from_pylist(rows, schema))
    stream.wait(30)
    stream.close()


def decision(contract: Contract, number: int, **changes: object) -> dict[str, object]:
    kinds = {"float64": 1.0, "int64": 1, "bool": True, "string": "x", "timestamp": START}
    row: dict[str, object] = {
        column.name: kinds[column.type] for column in contract.transaction_columns
    }
    return {
        **row,
        "transaction_id": f"t-{number}" if contract.id else f"transactions:{number % 3}:{number}",
        "source_topic": "transactions",
        "source_partition": number % 3,
        "source_offset": number,
        "score": 0.25,
        "decision": "approve",
        "threshold": 0.5,
        "model_version": "v",
        "received_at": START + number * HOUR,
        "decided_at": START + number * HOUR,
        **changes,
    }


@dataclass(frozen=True)
class Told:
    """A label as the reference sees it."""

    decision: dict
    label: str
    source: str
    known_at: dt.datetime
    arrived_at: dt.datetime
    offset: int

    def row(self, contract: Contract) -> dict[str, object]:
        return {
            "contract": contract.name,
            "transaction_id": self.decision["transaction_id"],
            "transaction_received_at": None if contract.id else self.decision["received_at"],
            "label": self.label,
            "source": self.source,
            "known_at": self.known_at,
            "told_by": "somebody",
            "source_topic": "labels",
            "source_partition": 0,
            "source_offset": self.offset,
            "arrived_at": self.arrived_at,
        }


def counts(told: list[Told], at: dt.datetime) -> Told | None:
    """The label that counts, in the words of the rule and in no hurry."""
    standing = {}
    for one in sorted(told, key=lambda one: (one.known_at, one.offset)):
        if one.known_at <= at and one.arrived_at <= at:
            standing[one.source] = one
    for source in SOURCES:
        if source in standing and standing[source].label != "withdrawn":
            return standing[source]
    return None


def expected(decided: list[dict], told: list[Told], at: dt.datetime) -> list[tuple]:
    rows = []
    for row in decided:
        if row["decided_at"] > at:
            continue
        one = counts([each for each in told if each.decision is row], at)
        is_mature = row["decided_at"] + dt.timedelta(days=MATURITY_DAYS) <= at
        # Reviewed in place of being blocked: somebody looked, and has not said what it was.
        unlabelled = False if is_mature and row.get("propensity") is None else None
        is_fraud = one.label == "fraud" if one else unlabelled
        label = (one.label, one.source, one.known_at, one.arrived_at) if one else (None,) * 4
        rows.append((row["transaction_id"], row["received_at"], *label, is_mature, is_fraud))
    return rows


OF_RESULT = (
    *("transaction_id", "received_at", "label", "label_source", "label_known_at"),
    *("label_arrived_at", "is_mature", "is_fraud"),
)


def found(warehouse: Warehouse, contract: Contract, at: dt.datetime) -> list[tuple]:
    rows = decisions_with_labels(warehouse, contract, as_of=at).to_pylist()
    return [tuple(row[name] for name in OF_RESULT) for row in rows]


def drawn(chance: random.Random, decided: list[dict], offset: int) -> Told:
    """A label of any transaction: late, early, backdated, to come, or like another one."""
    row = chance.choice(decided)
    known_at = row["decided_at"] + chance.choice([-5, 0, 1, 7, 30, 60]) * HOUR
    arrived_at = known_at + chance.choice([-20, 0, 0, 3, 40]) * HOUR
    return Told(row, chance.choice(LABELS), chance.choice(SOURCES), known_at, arrived_at, offset)


@pytest.mark.parametrize("name", CONTRACTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_at_any_moment_the_label_that_counts_is_the_one_of_the_rule(
    server: Endpoint, name: str, seed: int
) -> None:
    """Random delays, sources, withdrawals, contradictions and repeats, at random moments."""
    contract, chance = CONTRACTS[name], random.Random(f"{name} {seed}")
    warehouse = tables(server, contract, f"rule_{name}_{seed}")
    decided = [decision(contract, number) for number in range(60)]
    for row in decided[::7]:
        row |= {"decision": "review", "propensity": 0.05}
    if not contract.id:  # the topic was made anew: the same positions, other messages
        decided += [
            decision(contract, number, received_at=at, decided_at=at)
            for number in range(30)
            for at in [START + (number + 61) * HOUR]
        ]
    told = [drawn(chance, decided, offset) for offset in range(400)]
    told += [replace(one, offset=400 + place) for place, one in enumerate(told[::20])]  # twice
    fill(warehouse, flows.DECISIONS, contract, decided)
    chance.shuffle(rows := [one.row(contract) for one in told])
    fill(warehouse, flows.LABELS, contract, rows)
    moments = [START + dt.timedelta(hours=chance.uniform(-1, 200)) for _ in range(9)]
    moments += [
        chance.choice(told).arrived_at,
        chance.choice(told).known_at,
    ]  # at once: it is there
    by_time = sorted(
        decided,
        key=lambda row: (row["decided_at"], row["source_partition"], row["source_offset"]),
    )
    for at in moments:
        assert found(warehouse, contract, at) == expected(by_time, told, at), at
    for row in chance.sample(decided, 5):  # what is shown of one transaction says the same
        at = chance.choice(moments)
        events = label_events(warehouse, contract, str(row["transaction_id"]), at)
        wanted = counts([one for one in told if one.decision is row], at)
        shown = [
            event["source_offset"]
            for event in events
            if event["counts"] and event["transaction_received_at"] in (None, row["received_at"])
        ]
        assert shown == ([wanted.offset] if wanted else [])


def told_of(row: dict, label: str, source: str, hours: float, offset: int) -> Told:
    at = row["decided_at"] + hours * HOUR
    return Told(row, label, source, at, at, offset)


def test_what_was_explored_and_not_told_is_unknown_however_old_it_is_and_counts_for_nothing(
    server: Endpoint,
) -> None:
    warehouse = tables(server, BY_ID, "explored")
    shown = {"decision": "review", "propensity": 0.05, "score": 0.99}
    decided = [decision(BY_ID, number, **(shown if number < 2 else {})) for number in range(4)]
    told = told_of(decided[1], "legitimate", "analyst", 1, 0)
    fill(warehouse, flows.DECISIONS, BY_ID, decided)
    fill(warehouse, flows.LABELS, BY_ID, [told.row(BY_ID)])
    now = START + dt.timedelta(days=3000)
    rows = decisions_with_labels(warehouse, BY_ID, as_of=now).to_pylist()
    assert [row["is_mature"] for row in rows] == [True] * 4
    assert [row["is_fraud"] for row in rows] == [None, False, False, False]
    (one,) = decisions_of(warehouse, BY_ID, str(decided[0]["transaction_id"]), now)
    said = why_it_counts(one, LabelHistory(now, [one], [], BY_ID.maturity_days))
    assert "reviewed in place of being blocked, and no label counts" in said


def test_a_table_of_before_anything_was_explored_is_read_as_it_is(server: Endpoint) -> None:
    warehouse = tables(server, BY_ID, "unexplored")
    table = warehouse.client.get_table(warehouse.table(warehouse.settings.table(flows.DECISIONS)))
    kept = [field for field in table.schema if field.name != "propensity"]
    warehouse.client.delete_table(table)
    warehouse.client.create_table(bigquery.Table(table.reference, kept))
    assert decisions_with_labels(warehouse, BY_ID, as_of=START).num_rows == 0
    explored = decisions_with_labels(warehouse, BY_ID, as_of=START, columns=["propensity"])
    assert explored.schema.field("propensity").type == pa.float64(), "null, of all that comes"
    few = read_known(warehouse, BY_ID, as_of=START, most_frauds=20, legitimate_per_fraud=1)
    assert few == TooFew(0)


def test_in_one_look_a_table_is_asked_once_whether_it_tells_of_what_was_explored(
    server: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = tables(server, BY_ID, "asked_once")
    table = warehouse.client.get_table(warehouse.table(warehouse.settings.table(flows.DECISIONS)))
    warehouse.client.delete_table(table)
    kept = [field for field in table.schema if field.name != "propensity"]
    warehouse.client.create_table(bigquery.Table(table.reference, kept))
    asked, ask = [], warehouse.client.get_table
    monkeypatch.setattr(
        warehouse.client, "get_table", lambda *of, **how: asked.append(of) or ask(*of, **how)
    )
    for looks in (1, 2):
        with one_look(warehouse):
            assert [explored_columns(warehouse) for _ in range(3)] == [()] * 3
        assert len(asked) == looks
    warehouse.client.delete_table(table)
    warehouse.client.create_table(bigquery.Table(table.reference, table.schema))
    with one_look(warehouse):
        assert explored_columns(warehouse) == ("propensity",), "it came since"


def test_a_correction_is_seen_beside_what_was_taken_for_true_before(server: Endpoint) -> None:
    warehouse = tables(server, BY_ID, "corrected")
    decided = [decision(BY_ID, number) for number in range(3)]
    fill(warehouse, flows.DECISIONS, BY_ID, decided)
    told = [
        told_of(decided[0], "fraud", "customer", 100, 0),  # long after it counted as legitimate
        told_of(decided[1], "fraud", "customer", 1, 1),
        told_of(decided[1], "legitimate", "chargeback", 90, 2),
    ]
    fill(warehouse, flows.LABELS, BY_ID, [one.row(BY_ID) for one in told])
    then, now = START + 80 * HOUR, START + 200 * HOUR
    rows = decisions_with_labels(warehouse, BY_ID, as_of=then, later=now, columns=["amount_minor"])
    assert [
        (row["is_fraud"], row["is_fraud_later"], row["label_later"], row["amount_minor"])
        for row in rows.to_pylist()
    ] == [(False, True, "fraud", 1), (True, False, "legitimate", 1), (False, False, None, 1)]
    with pytest.raises(InputError, match="the other way round"):
        decisions_with_labels(warehouse, BY_ID, as_of=now, later=then)


def test_a_payment_that_was_sent_twice_is_one_transaction(server: Endpoint) -> None:
    warehouse = tables(server, BY_ID, "repeated")
    first = decision(BY_ID, 1)
    again = decision(BY_ID, 2, transaction_id="t-1", repeat_of="transactions:1:1")
    fill(warehouse, flows.DECISIONS, BY_ID, [first, again])
    assert len(found(warehouse, BY_ID, START + 9 * HOUR)) == 1


def test_labels_that_name_no_decided_transaction_are_kept_and_counted(server: Endpoint) -> None:
    warehouse = tables(server, BY_POSITION, "unmatched")
    row = decision(BY_POSITION, 1)
    fill(warehouse, flows.DECISIONS, BY_POSITION, [row])
    good = told_of(row, "fraud", "analyst", 1, 0).row(BY_POSITION)
    labels = [
        good,
        good | {"transaction_id": "transactions:1:99", "source_offset": 1},
        good | {"transaction_received_at": START, "source_offset": 2},
        good | {"transaction_received_at": None, "label": "withdrawn", "source_offset": 3},
        good | {"contract": "wallet", "label": "withdrawn", "source_offset": 4},
    ]
    fill(warehouse, flows.LABELS, BY_POSITION, labels)
    found_counts = count_labels(warehouse, BY_POSITION, START)
    assert (found_counts.labels, found_counts.frauds, found_counts.withdrawn) == (5, 3, 2)
    assert found_counts.unknown == 1
    assert found_counts.other_message == 2
    assert found_counts.other_contract == 1
    assert count_labels(warehouse, BY_POSITION, START, label="fraud").labels == 3
    assert [row[2] for row in found(warehouse, BY_POSITION, START + 9 * HOUR)] == ["fraud"]


def test_the_statement_for_bigquerys_console_says_the_same(server: Endpoint) -> None:
    warehouse = tables(server, BY_ID, "console")
    rows = [decision(BY_ID, number) for number in range(2)]
    fill(warehouse, flows.DECISIONS, BY_ID, rows)
    told = told_of(rows[1], "fraud", "test", 1, 0)
    fill(warehouse, flows.LABELS, BY_ID, [told.row(BY_ID)])
    at = START + 3 * HOUR
    answer = query(warehouse, labelled_sql_at(warehouse, BY_ID, at)).to_pylist()
    assert sorted((row["transaction_id"], row["is_fraud"]) for row in answer) == [
        ("t-0", None),
        ("t-1", True),
    ]
    assert answer[0]["amount_minor"] == 1


def test_a_column_that_a_label_has_too_is_refused_by_name(server: Endpoint) -> None:
    warehouse = Warehouse(BigQuerySettings(project="local", dataset="none"), server)
    with pytest.raises(ContractError, match=r"column 'label_source' of contract 'wallet'.*Rename"):
        decisions_with_labels(warehouse, BY_ID, as_of=START, columns=["label_source"])


def bytes_read(warehouse: Warehouse, work: Callable[[], object]) -> int:
    """What the queries of some work have read."""
    began_at = dt.datetime.now(dt.UTC)
    work()
    dataset = f"{warehouse.settings.dataset}."
    jobs = warehouse.client.list_jobs(min_creation_time=began_at)
    return sum(job.total_bytes_processed for job in jobs if dataset in job.query)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_look_at_one_transaction_reads_little_of_all_others(server: Endpoint, name: str) -> None:
    contract, now = CONTRACTS[name], START + 1000 * HOUR
    warehouse = tables(server, contract, f"look_{name}")
    decided = [decision(contract, number, model_version="v" * 40) for number in range(300)]
    fill(warehouse, flows.DECISIONS, contract, decided)
    known_at = decided[7]["received_at"]
    assert isinstance(known_at, dt.datetime)
    told = Told(decided[7], "fraud", "chargeback", known_at, known_at + HOUR, 0)
    fill(warehouse, flows.LABELS, contract, [told.row(contract)])
    transaction_id = str(decided[7]["transaction_id"])
    (found,) = decisions_of(warehouse, contract, transaction_id, now)
    assert (found["source_offset"], found["label"], found["is_fraud"]) == (7, "fraud", True)
    assert decisions_of(warehouse, contract, "nobody's", now) == []
    everything = bytes_read(
        warehouse, lambda: decisions_with_labels(warehouse, contract, as_of=now)
    )
    looked = bytes_read(warehouse, lambda: decisions_of(warehouse, contract, transaction_id, now))
    assert 0 < looked < everything / 3
