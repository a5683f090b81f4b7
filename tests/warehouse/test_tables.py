"""What `setup` does to tables that are there already."""

from __future__ import annotations

from google.cloud import bigquery
from tests.harness import Place

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


def test_setup_says_that_a_table_is_partitioned_by_something_else(here: Place) -> None:
    client, name = here.project.warehouse.client, here.project.warehouse.table("rejects")
    schema = client.get_table(name).schema
    client.delete_table(name)
    table = bigquery.Table(name, schema=schema)
    table.clustering_fields = POSITION
    client.create_table(table)
    assert "is partitioned by nothing instead of rejected_at" in here.run("setup").said
