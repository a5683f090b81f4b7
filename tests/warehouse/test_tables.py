"""What `setup` does to tables that are there already."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from google.cloud import bigquery
from tests.harness import Place

from fraudline import flows
from fraudline.contract import Column
from fraudline.stream.counts import Task
from fraudline.stream.group_offsets import CommittedOffset, GroupOffsets
from fraudline.stream.sink_checkpoint import SinkCheckpoint
from fraudline.use_cases.group_places import group_name
from fraudline.warehouse.query import query
from fraudline.warehouse.tables import create_stream_tables, grow_stream_tables

POSITION = ["source_topic", "source_partition", "source_offset"]


def clustered_by(place: Place, table: str, fields: list[str] | None = None) -> list[str]:
    """By what a table is clustered; after it was changed, if fields are given."""
    client = place.project.warehouse.client
    found: bigquery.Table = client.get_table(place.project.warehouse.table(table))
    if fields is not None:
        found.clustering_fields = fields
        found = client.update_table(found, ["clustering_fields"])
    return list(found.clustering_fields or [])


def test_setup_clusters_tables_of_the_last_release_by_position_and_leaves_other_layouts(
    here: Place,
) -> None:
    assert clustered_by(here, "decisions") == clustered_by(here, "rejects") == POSITION
    clustered_by(here, "decisions", ["decision", "source_topic", "source_partition"])
    clustered_by(here, "rejects", ["reason"])
    done = here.run("setup")
    assert done.code == 0
    told = "is clustered by source_topic, source_partition, source_offset from now on"
    assert done.said.count(told) == 2
    assert clustered_by(here, "decisions") == clustered_by(here, "rejects") == POSITION
    assert told not in here.run("setup").said

    clustered_by(here, "decisions", ["model_version"])
    done = here.run("setup")
    assert "is clustered by model_version instead of source_topic, source_partition" in done.said
    assert clustered_by(here, "decisions") == ["model_version"]


def test_setup_says_that_rows_which_sinks_had_stored_are_gone_with_their_table(here: Place) -> None:
    topic = here.project.kafka.topic(flows.DECISIONS)
    sinks = GroupOffsets(here.project.kafka, group_name(here.project, Task.SINK))
    sinks.set({(topic, 1): CommittedOffset(30, str(SinkCheckpoint()))})
    here.project.warehouse.client.delete_table(here.project.warehouse.table("decisions"))
    said = " ".join(here.run("setup").said.split())
    assert "created table decisions" in said
    assert (
        "LOOK: table decisions is new, but sinks have stored its topic before, up to partition 1 "
        "offset 30, and those rows are not in it"
    ) in said
    assert f"`fraudline offsets set sink --topic {topic} --to start`" in said
    assert "created table" not in here.run("setup").said


def test_setup_says_that_a_table_is_partitioned_by_something_else(here: Place) -> None:
    client, name = here.project.warehouse.client, here.project.warehouse.table("rejects")
    schema = client.get_table(name).schema
    client.delete_table(name)
    table = bigquery.Table(name, schema=schema)
    table.clustering_fields = POSITION
    client.create_table(table)
    assert "is partitioned by nothing instead of rejected_at" in here.run("setup").said


def test_a_column_that_the_contract_gains_is_in_the_view_and_told(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """By `setup`, and by a sink that begins; once each."""
    project = here.project
    told: list[str] = []
    contract = project.contract
    for number, start in enumerate(
        (
            lambda wider: create_stream_tables(project.warehouse, wider, told.append),
            lambda wider: grow_stream_tables(project.warehouse, wider),
        )
    ):
        new = Column(f"shop_{number}", "string", "Where.", is_nullable=True, is_feature=False)
        contract = replace(contract, columns=(*contract.columns, new))
        with caplog.at_level(logging.WARNING):
            start(contract)
            start(contract)
        assert (
            query(project.warehouse, f"SELECT {new.name} FROM decided_transactions").num_rows == 0
        )
        said = "\n".join([*told, *caplog.messages])
        assert (
            said.count(
                f"decided_transactions shows also {new.name}, as contract 'creditcard' has it"
            )
            == 1
        )


def test_a_view_that_somebody_altered_stays_as_it_is_and_that_is_told(here: Place) -> None:
    client, name = (
        here.project.warehouse.client,
        here.project.warehouse.table("decided_transactions"),
    )
    view = client.get_table(name)
    own = f"{view.view_query} WHERE decision != 'approve'"
    view.view_query = own
    client.update_table(view, ["view_query"])
    done = here.run("setup")
    assert done.code == 0
    assert "is not the one that `fraudline setup` creates" in " ".join(done.said.split())
    assert client.get_table(name).view_query == own
