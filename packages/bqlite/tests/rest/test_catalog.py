"""Data sets, tables and views as Google's client creates, changes, lists and deletes them."""

import pytest
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    MethodNotImplemented,
    NotFound,
    PreconditionFailed,
)
from google.cloud import bigquery

F = bigquery.SchemaField


def test_a_data_set_keeps_what_is_said_of_it(client, dataset):
    one = client.get_dataset(dataset)
    one.description, one.labels = "cards", {"team": "fraud"}
    client.update_dataset(one, ["description", "labels"])
    again = client.get_dataset(dataset)
    assert (again.description, again.labels) == ("cards", {"team": "fraud"})
    assert dataset in [listed.dataset_id for listed in client.list_datasets()]


def test_a_data_set_created_twice_is_a_conflict(client, dataset):
    with pytest.raises(Conflict):
        client.create_dataset(dataset)
    client.create_dataset(dataset, exists_ok=True)


def test_a_data_set_in_use_is_deleted_only_with_its_contents(client, dataset):
    client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("a", "INT64")]))
    with pytest.raises(BadRequest, match="still in use"):
        client.delete_dataset(dataset)
    client.delete_dataset(dataset, delete_contents=True)
    with pytest.raises(NotFound):
        client.get_dataset(dataset)


def test_a_table_shows_its_layout_labels_and_size(client, dataset):
    table = bigquery.Table(
        f"local.{dataset}.t",
        schema=[
            F("at", "TIMESTAMP", mode="REQUIRED", description="when"),
            F("id", "STRING"),
            F("tags", "STRING", mode="REPEATED"),
            F("place", "RECORD", fields=[F("city", "STRING"), F("zip", "INTEGER")]),
        ],
    )
    table.time_partitioning = bigquery.TimePartitioning(field="at", type_="HOUR")
    table.clustering_fields = ["id"]
    table.description, table.labels = "what happened", {"kind": "events"}
    client.create_table(table)
    client.query_and_wait(
        f"INSERT {dataset}.t (at, id) VALUES (TIMESTAMP '2024-01-01', 'abc'), "
        "(TIMESTAMP '2024-01-02', NULL)"
    )
    got = client.get_table(f"{dataset}.t")
    assert got.schema == table.schema
    assert got.schema[0].description == "when"
    assert got.time_partitioning.field == "at"
    assert got.time_partitioning.type_ == "HOUR"
    assert got.clustering_fields == ["id"]
    assert (got.description, got.labels) == ("what happened", {"kind": "events"})
    assert got.num_rows == 2
    assert got.num_bytes == 8 * 2 + 2 + 3
    assert got.table_type == "TABLE"


def test_range_partitioning_is_kept(client, dataset):
    table = bigquery.Table(f"local.{dataset}.t", schema=[F("a", "INT64")])
    table.range_partitioning = bigquery.RangePartitioning(
        field="a", range_=bigquery.PartitionRange(start=0, end=100, interval=10)
    )
    client.create_table(table)
    assert client.get_table(f"{dataset}.t").range_partitioning.range_.interval == 10


def test_partitioning_by_a_missing_column_is_refused(client, dataset):
    table = bigquery.Table(f"local.{dataset}.t", schema=[F("a", "INT64")])
    table.time_partitioning = bigquery.TimePartitioning(field="b")
    with pytest.raises(BadRequest, match="'b'"):
        client.create_table(table)


def test_a_patch_adds_nullable_columns_and_nothing_else(client, dataset):
    table = client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("a", "INT64")]))
    client.query_and_wait(f"INSERT {dataset}.t (a) VALUES (1)")
    table.schema = [F("a", "INT64"), F("b", "STRING"), F("c", "INT64", mode="REPEATED")]
    client.update_table(table, ["schema"])
    assert [r.values() for r in client.list_rows(f"{dataset}.t")] == [(1, None, [])]
    for bad in (
        [F("a", "STRING")],
        [F("b", "STRING")],
        [*table.schema, F("d", "INT64", "REQUIRED")],
    ):
        table = client.get_table(f"{dataset}.t")
        table.schema = bad
        with pytest.raises(BadRequest):
            client.update_table(table, ["schema"])


def test_a_stale_etag_is_a_failed_precondition(client, dataset):
    first = client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("a", "INT64")]))
    second = client.get_table(f"{dataset}.t")
    second.description = "newer"
    client.update_table(second, ["description"])
    first.description = "older"
    with pytest.raises(PreconditionFailed):
        client.update_table(first, ["description"])


def test_tables_are_listed_by_name_and_page(client, dataset):
    for name in ("c", "a", "b"):
        client.create_table(bigquery.Table(f"local.{dataset}.{name}", schema=[F("x", "INT64")]))
    listed = client.list_tables(dataset, page_size=2)
    assert [table.table_id for table in listed] == ["a", "b", "c"]


def test_a_deleted_table_is_gone_and_its_name_free(client, dataset):
    for kind in ("INT64", "STRING"):
        client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("a", kind)]))
        client.delete_table(f"{dataset}.t")
    with pytest.raises(NotFound):
        client.get_table(f"{dataset}.t")
    client.delete_table(f"{dataset}.t", not_found_ok=True)


@pytest.mark.parametrize("kind", ["GEOGRAPHY", "BIGNUMERIC", "INTERVAL", "RANGE"])
def test_a_type_bqlite_has_not_is_refused_by_name(client, dataset, kind):
    with pytest.raises(MethodNotImplemented, match=kind):
        client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("a", kind)]))


@pytest.mark.parametrize("name", ["", "a.b", 'a"b', "a`b", "a\\b", "a\0b", "a" * 301])
def test_a_column_name_no_statement_could_write_is_refused(client, dataset, name):
    table = bigquery.Table(f"local.{dataset}.t", schema=[bigquery.SchemaField(name, "INT64")])
    with pytest.raises(BadRequest, match="is not a valid column name"):
        client.create_table(table)


def test_a_required_member_of_a_record_is_refused_by_name(client, dataset):
    column = F("r", "RECORD", fields=[F("x", "INT64", "REQUIRED")])
    with pytest.raises(MethodNotImplemented, match="REQUIRED inside a RECORD"):
        client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[column]))


def test_a_column_property_bqlite_has_not_is_refused_by_name(client, dataset):
    column = F("a", "INT64", default_value_expression="7")
    with pytest.raises(MethodNotImplemented, match="defaultValueExpression"):
        client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[column]))


def test_a_view_is_its_query_over_the_rows_of_now(client, dataset):
    client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("a", "INT64")]))
    view = bigquery.Table(f"local.{dataset}.v")
    view.view_query = f"SELECT a, a / 2 AS half FROM `local.{dataset}.t` WHERE a > 0"
    client.create_table(view)
    client.query_and_wait(f"INSERT {dataset}.t (a) VALUES (-1), (3)")
    got = client.get_table(f"{dataset}.v")
    assert got.table_type == "VIEW"
    assert [(field.name, field.field_type) for field in got.schema] == [
        ("a", "INTEGER"),
        ("half", "FLOAT"),
    ]
    rows = client.query_and_wait(f"SELECT v.half FROM {dataset}.v AS v")
    assert [row.half for row in rows] == [1.5]


def test_a_view_over_nothing_is_refused(client, dataset):
    view = bigquery.Table(f"local.{dataset}.v")
    view.view_query = f"SELECT a FROM {dataset}.nope"
    with pytest.raises(NotFound, match="nope"):
        client.create_table(view)


def test_names_that_differ_only_in_case_are_one_name(client, dataset):
    client.create_table(bigquery.Table(f"local.{dataset}.Tab", schema=[F("a", "INT64")]))
    with pytest.raises(Conflict, match="case"):
        client.create_table(bigquery.Table(f"local.{dataset}.tab", schema=[F("a", "INT64")]))
    with pytest.raises(NotFound):
        client.get_table(f"{dataset}.tab")


def test_projects_are_those_with_data_sets(client):
    assert "local" in [project.project_id for project in client.list_projects()]


def test_an_unknown_address_or_parameter_is_refused_by_name(client):
    with pytest.raises(MethodNotImplemented, match="routines"):
        client.get_routine("local.x.y")
    with pytest.raises(MethodNotImplemented, match="filter"):
        list(client.list_datasets(filter="labels.a:b"))


def test_a_required_column_can_be_relaxed_and_none_made_required(client, dataset):
    table = client.create_table(bigquery.Table(f"local.{dataset}.t", [F("a", "INT64", "REQUIRED")]))
    table.schema = [F("a", "INT64")]
    table = client.update_table(table, ["schema"])
    assert table.schema[0].mode == "NULLABLE"
    assert client.insert_rows_json(table, [{"a": None}]) == []
    table.schema = [F("a", "INT64", "REQUIRED")]
    with pytest.raises(BadRequest, match="has changed from NULLABLE INT64 to REQUIRED"):
        client.update_table(table, ["schema"])


def test_information_schema_lists_tables_and_columns(client, dataset):
    table = bigquery.Table(
        f"local.{dataset}.t",
        schema=[F("a", "INT64", mode="REQUIRED"), F("b", "FLOAT64", "REPEATED")],
    )
    table.clustering_fields = ["a"]
    client.create_table(table)
    rows = client.query_and_wait(
        f"SELECT table_name, table_type FROM {dataset}.INFORMATION_SCHEMA.TABLES"
    )
    assert [row.values() for row in rows] == [("t", "BASE TABLE")]
    rows = client.query_and_wait(
        "SELECT column_name, is_nullable, data_type, clustering_ordinal_position "
        f"FROM `local.{dataset}`.INFORMATION_SCHEMA.COLUMNS ORDER BY ordinal_position"
    )
    assert [row.values() for row in rows] == [
        ("a", "NO", "INT64", 1),
        ("b", "YES", "ARRAY<FLOAT64>", None),
    ]


def test_information_schema_counts_the_rows_of_each_partition(client, dataset):
    def partitions(name):
        rows = client.query_and_wait(
            f"SELECT partition_id, total_rows FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS "
            f"WHERE table_name = '{name}' ORDER BY partition_id"
        )
        return [row.values() for row in rows]

    assert partitions("none") == []
    for statement in (
        "CREATE TABLE days (t TIMESTAMP) PARTITION BY DATE(t)",
        "INSERT days VALUES ('2024-01-01 00:00:00+00'), ('2024-01-01 23:00:00+00'), (NULL)",
        "CREATE TABLE months (d DATE) PARTITION BY DATE_TRUNC(d, MONTH)",
        "INSERT months VALUES ('2024-01-31')",
        "CREATE TABLE tens (n INT64) PARTITION BY RANGE_BUCKET(n, GENERATE_ARRAY(0, 100, 10))",
        "INSERT tens VALUES (5), (15), (16), (-1), (100), (NULL)",
        "CREATE TABLE whole (n INT64)",
        "INSERT whole VALUES (1), (2)",
    ):
        client.query_and_wait(
            statement, job_config=bigquery.QueryJobConfig(default_dataset=f"local.{dataset}")
        )
    assert partitions("days") == [("20240101", 2), ("__NULL__", 1)]
    assert partitions("months") == [("202401", 1)]
    assert partitions("tens") == [
        ("0", 1), ("10", 2), ("__NULL__", 1), ("__UNPARTITIONED__", 2)
    ]  # fmt: skip
    assert partitions("whole") == [(None, 2)]


def test_an_update_or_merge_that_meets_a_row_twice_is_refused(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (k INT64, v INT64)")
    client.query_and_wait(f"INSERT {dataset}.t VALUES (1, 0), (2, 0)")
    twice = "(SELECT 1 AS k, 5 AS v UNION ALL SELECT 1, 6) AS s"
    for statement in (
        f"UPDATE {dataset}.t AS t SET v = s.v FROM {twice} WHERE t.k = s.k",
        f"MERGE {dataset}.t AS t USING {twice} ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v",
    ):
        with pytest.raises(BadRequest, match="at most one source row"):  # bqlite's own words
            client.query_and_wait(statement)
    once = "(SELECT 1 AS k, 5 AS v) AS s"
    job = client.query(f"UPDATE {dataset}.t AS t SET v = s.v FROM {once} WHERE t.k = s.k")
    job.result()
    assert job.num_dml_affected_rows == 1
    rows = client.query_and_wait(f"SELECT k, v FROM {dataset}.t ORDER BY k")
    assert [row.values() for row in rows] == [(1, 5), (2, 0)]


def test_a_column_that_duckdb_calls_its_own_hides_no_row_from_update_and_merge(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (rowid INT64, v INT64)")
    client.query_and_wait(f"INSERT {dataset}.t VALUES (7, 1), (7, 2)")  # two rows, one number
    raised = "(SELECT 7 AS k, 10 AS more) AS s"
    for statement in (
        f"UPDATE {dataset}.t AS t SET v = t.v + s.more FROM {raised} WHERE t.rowid = s.k",
        f"MERGE {dataset}.t USING {raised} ON t.rowid = s.k "
        "WHEN MATCHED THEN UPDATE SET v = t.v + s.more",
    ):
        assert client.query(statement).result().num_dml_affected_rows == 2
    assert sorted(row.v for row in client.list_rows(f"{dataset}.t")) == [21, 22]
    twice = "(SELECT 7 AS k UNION ALL SELECT 7) AS s"
    with pytest.raises(BadRequest, match="at most one source row"):
        client.query_and_wait(f"UPDATE {dataset}.t SET v = 0 FROM {twice} WHERE t.rowid = s.k")


def test_tables_meta_tells_rows_bytes_and_kinds(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS a UNION ALL SELECT 2")
    client.query_and_wait(f"CREATE VIEW {dataset}.v AS SELECT a FROM {dataset}.t")
    rows = list(client.query_and_wait(f"SELECT * FROM `local.{dataset}.__TABLES__` ORDER BY 3"))
    told = [(r.project_id, r.dataset_id, r.table_id, r.row_count, r.size_bytes, r.type)
            for r in rows]  # fmt: skip
    assert told == [("local", dataset, "t", 2, 16, 1), ("local", dataset, "v", 0, 0, 2)]
    table = client.get_table(f"{dataset}.t")
    assert rows[0].creation_time == round(table.created.timestamp() * 1000)
    assert rows[0].last_modified_time >= rows[0].creation_time
    client.create_dataset(f"{dataset}_empty")
    (row,) = client.query_and_wait(f"SELECT COUNT(*) AS n FROM {dataset}_empty.__TABLES__ AS t")
    assert row.n == 0


def test_what_a_catalogue_of_descriptions_asks_is_told(client, dataset):
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t (a INT64 OPTIONS(description='key'), "
        "r STRUCT<x STRING, y ARRAY<INT64>>) OPTIONS(description='it\\'s \"mine\"')"
    )
    paths = client.query_and_wait(
        f"SELECT column_name, field_path, description FROM "
        f"{dataset}.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS ORDER BY 2"
    )
    assert [row.values() for row in paths] == [
        ("a", "a", "key"), ("r", "r", None), ("r", "r.x", None), ("r", "r.y", None),
    ]  # fmt: skip
    (option,) = client.query_and_wait(
        f"SELECT JSON_VALUE(option_value) AS text FROM "
        f"{dataset}.INFORMATION_SCHEMA.TABLE_OPTIONS AS o LEFT JOIN "
        f"{dataset}.INFORMATION_SCHEMA.MATERIALIZED_VIEWS AS m ON m.table_name = o.table_name"
    )
    assert option.text == 'it\'s "mine"'
