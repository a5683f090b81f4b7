"""A topic with its table is one entry of one list: settings, set-up and sink follow from it."""

import os
import subprocess
import sys

from tests.harness import Place
from tests.transactions import CREDITCARD

from fraudline import flows
from fraudline.contract.contract_file import RESERVED_NAMES
from fraudline.settings import BigQuerySettings, KafkaSettings

# What an entry for disputes could look like, and all that has to be written.
WITH_DISPUTES = """
from dataclasses import replace
from fraudline import flows
from fraudline.contract import POSITION_COLUMNS, Column

flows.FLOWS += (
    flows.Flow(
        name="disputes",
        topic="disputes",
        setting="Topic with what is in dispute.",
        columns=lambda contract: (
            contract.column(contract.label),
            Column("told_by", "string"),
            *POSITION_COLUMNS,
        ),
        most_bytes=lambda: 4096,
        table=flows.FlowTable(
            default="disputes",
            setting="Table with one row a dispute.",
            description="What is in dispute ({contract}).",
            cluster_by=("told_by",),
        ),
    ),
)
"""
USE = """
import threading
from fraudline.settings import load_settings
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.produce_lines import produce_lines
from fraudline.stream.sink_loop import sink_loop
from fraudline.use_cases.project import Project
from fraudline.use_cases.set_up import set_up
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

project = Project()
print("created", *set_up(project))
line = b'{"Class": 1, "told_by": "the bank", "source_topic": "t", "source_partition": 0, ' \\
       b'"source_offset": 7}'
produce_lines(project.kafka, project.kafka.topic_disputes, [line], key_of=lambda _: None, rate=0,
              stop=threading.Event(), on_sent=lambda _: None)
stop = threading.Event()
progress = Progress(Task.SINK)
sink = threading.Thread(target=sink_loop, args=(project.kafka, routes(project)), kwargs=dict(
    batch_rows=10, commit_interval_ms=10, stop=stop, progress=progress))
sink.start()
for _ in range(300):
    rows = query(project.warehouse, "SELECT * FROM disputes").to_pylist()
    if rows or stop.wait(0.1):
        break
stop.set()
sink.join()
print(rows)
"""


def test_settings_have_a_topic_for_each_flow_and_a_table_for_each_that_is_stored():
    kafka, bigquery = KafkaSettings(), BigQuerySettings()
    topics = [name for name in KafkaSettings.model_fields if name.startswith("topic_")]
    assert topics == [f"topic_{flow.name}" for flow in flows.FLOWS]
    assert [kafka.topic(flow) for flow in flows.FLOWS] == [
        "transactions",
        "decisions",
        "transactions.rejected",
        "predictions",
        "labels",
    ]
    tables = [name for name in BigQuerySettings.model_fields if name.startswith("table_")]
    of = [*(flow for flow, _ in flows.stored_flows()), *flows.LEARNING_TABLES]
    assert tables == ["table_history", *(f"table_{each.name}" for each in of)]
    stored = [bigquery.table(each) for each in of]
    learned = ["measures", "alarms", "updates", "gates", "rollouts", "calibrations"]
    assert stored == ["decisions", "rejects", "predictions", "labels", *learned]


def test_the_columns_that_a_table_is_partitioned_and_clustered_by_are_its_own():
    for flow, table in flows.stored_flows():
        names = {column.name for column in flow.row_columns(CREDITCARD)}
        assert {*table.cluster_by, *filter(None, [table.partition_by])} <= names


def test_no_contract_can_name_a_column_as_a_record_of_ours_does():
    """A label's columns never stand beside a contract's, so a contract may have a `source`."""
    beside = [flow for flow in flows.FLOWS if flow is not flows.LABELS]
    ours = {column.name for flow in beside for column in flow.columns(CREDITCARD)}
    assert ours - {column.name for column in CREDITCARD.columns} == RESERVED_NAMES


def test_one_more_entry_is_a_topic_and_a_table_that_a_sink_fills(here: Place):
    topic = f"disputes-{here.project.settings.kafka.group}"
    done = subprocess.run(
        [sys.executable, "-c", WITH_DISPUTES + USE],
        env={**os.environ, **here.environment, "FRAUDLINE_KAFKA__TOPIC_DISPUTES": topic},
        cwd=here.project.settings.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"created {topic}" in done.stdout
    assert "'Class': 1, 'told_by': 'the bank', 'source_topic': 't'" in done.stdout
