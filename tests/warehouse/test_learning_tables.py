"""The tables that `fraudline learn` writes: one row of each key, whatever is written twice."""

from __future__ import annotations

import datetime as dt
import threading

from google.cloud import bigquery
from tests.harness import Place

from fraudline import flows
from fraudline.contract import MEASURE_COLUMNS
from fraudline.warehouse.learning_tables import create_learning_tables, read_rows, write_rows

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def row(number: int, **changes: object) -> dict[str, object]:
    filled = {"float64": 0.1, "int64": 1, "string": "x", "timestamp": START}
    start = START + number * DAY
    return {
        **{column.name: filled[column.type] for column in MEASURE_COLUMNS},
        "row_key": f"key {number}",
        "contract": "creditcard",
        "period_start": start,
        "period_end": start + DAY,
        **changes,
    }


def test_a_row_that_is_written_again_is_left_as_it_is_and_others_are_added(here: Place) -> None:
    warehouse, contract = here.project.warehouse, here.project.contract
    assert write_rows(warehouse, flows.MEASURES, []) == 0
    assert write_rows(warehouse, flows.MEASURES, [row(0), row(1, average_precision=None)]) == 2
    again = [row(0, frauds=99), row(2, contract="wallet"), row(3)]
    assert write_rows(warehouse, flows.MEASURES, again) == 2
    rows = read_rows(warehouse, flows.MEASURES, contract)
    assert [each["row_key"] for each in rows] == ["key 0", "key 1", "key 3"]
    assert [each["frauds"] for each in rows] == [1, 1, 1]
    assert rows[1]["average_precision"] is None
    assert {name: rows[2][name] for name in row(3)} == row(3)
    now = dt.datetime.now(dt.UTC)
    assert all(now - DAY < each["written_at"] < now + DAY for each in rows)
    some = read_rows(warehouse, flows.MEASURES, contract, since=START + DAY, until=START + 3 * DAY)
    assert [each["row_key"] for each in some] == ["key 1"]


def test_of_several_writers_at_once_one_row_stays(here: Place) -> None:
    warehouse = here.project.warehouse
    wrote: list[int] = []
    writers = [
        threading.Thread(
            target=lambda: wrote.append(write_rows(warehouse, flows.MEASURES, [row(0), row(1)]))
        )
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(wrote) == [0, 0, 0, 2]
    assert len(read_rows(warehouse, flows.MEASURES, here.project.contract)) == 2


def test_setup_makes_the_tables_and_gives_those_of_an_earlier_release_what_they_lack(
    here: Place,
) -> None:
    client, warehouse = here.project.warehouse.client, here.project.warehouse
    name = warehouse.table("measures")
    made = client.get_table(name)
    assert made.description == flows.MEASURES.description
    assert made.time_partitioning.field == "period_start"
    assert all(field.description for field in made.schema)
    client.delete_table(name)
    earlier = [field for field in made.schema if field.name not in {"caught", "cost"}]
    client.create_table(bigquery.Table(name, schema=earlier))
    told: list[str] = []
    create_learning_tables(warehouse, told.append)
    assert told == []
    assert {field.name for field in client.get_table(name).schema} == {
        field.name for field in made.schema
    }
    client.delete_table(name)
    assert "created table measures" in here.run("setup").said
    assert "created table measures" not in here.run("setup").said
