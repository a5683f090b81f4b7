"""The id of a row in SQL is the text that a decision has."""

from __future__ import annotations

import random

import bqlite
from fraudline.contract.id_texts import id_text
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.id_sql import id_sql, is_blank_sql
from fraudline.warehouse.query import query


def test_sql_and_python_give_each_id_the_same_text(tmp_path):
    draw = random.Random(4)
    words = ["".join(draw.choices("|\\ab' ", k=draw.randrange(6))) for _ in range(120)]
    rows = [(draw.choice(words), draw.randrange(-99, 99), draw.choice(words)) for _ in range(80)]
    with bqlite.serve(tmp_path) as running:
        warehouse = Warehouse(BigQuerySettings(), Endpoint(running.rest, running.storage))
        values = " UNION ALL ".join(
            f"SELECT {place} AS n, {quoted(a)} AS a, {b} AS b, {quoted(c)} AS c"
            for place, (a, b, c) in enumerate(rows)
        )
        names = ("a", "b", "c")
        found = query(
            warehouse,
            f"SELECT {id_sql(names)} AS id, {is_blank_sql(names)} AS is_blank, {id_sql(names[:1])} "
            f"AS one FROM ({values}) ORDER BY n",
        ).to_pylist()
    assert [row["id"] for row in found] == [id_text(parts) for parts in rows]
    assert [row["is_blank"] for row in found] == [not (a.strip() and c.strip()) for a, _, c in rows]
    assert [row["one"] for row in found] == [a for a, _, _ in rows]


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
