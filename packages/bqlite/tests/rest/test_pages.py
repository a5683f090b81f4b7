"""Pages of rows over REST: how large they are, and that their text means the values stored."""

import io
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from google.cloud import bigquery

NUMBERS = [
    0.0, -0.0, 1.0, -7.0, 0.1, 1e-5, 1e9, 1e10, 123456789012.0, 2.0**53 + 2, 1e16, 1e22, 5e-324,
    1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), None,
]  # fmt: skip
TEXTS = ["", "plain", 'a "b" \\ c', "line\nfeed\x00", "ü 😀", "\\n", None]


def load(client, name, table):
    file = io.BytesIO()
    pq.write_table(table, file)
    file.seek(0)
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    client.load_table_from_file(file, f"local.{name}", job_config=config).result()


def test_a_page_is_cut_by_its_bytes_and_every_row_is_on_one(bq, client, dataset):
    numbers = list(range(400))
    texts = ["x" * (10 if number < 200 else 200_000) for number in numbers]
    load(client, f"{dataset}.t", pa.table({"n": numbers, "s": texts}))
    url = f"{bq.rest}/bigquery/v2/projects/local/datasets/{dataset}/tables/t/data"
    found, token, sizes = [], "", []
    while token is not None:
        answer = requests.get(url, params={"pageToken": token} if token else {}, timeout=50)
        page = answer.json()
        sizes.append(len(answer.content))
        found += [int(row["f"][0]["v"]) for row in page["rows"]]
        token = page.get("pageToken")
    assert found == numbers
    assert max(sizes) < 22 << 20
    assert len(sizes) == 2
    part = requests.get(url, params={"startIndex": 7, "maxResults": 2}, timeout=50).json()
    assert [row["f"][0]["v"] for row in part["rows"]] == ["7", "8"]


def test_each_value_of_a_page_is_the_one_that_is_stored(client, read_client, dataset):
    longest = max(len(NUMBERS), len(TEXTS))
    numbers = NUMBERS + [None] * (longest - len(NUMBERS))
    texts = TEXTS + ["again"] * (longest - len(TEXTS))
    lists = [None if value is None else [value] * (i % 3) for i, value in enumerate(texts)]
    records = [None if i % 4 == 3 else {"a": text, "n": i} for i, text in enumerate(texts)]
    table = pa.table({"f": numbers, "s": texts, "l": lists, "r": records})
    load(client, f"{dataset}.t", table)
    rows = list(client.list_rows(f"{dataset}.t"))

    def bits(value):
        return None if value is None else struct.pack("<d", value)

    assert [bits(row.f) for row in rows] == [bits(value) for value in numbers]
    assert [row.s for row in rows] == texts
    assert [row.l for row in rows] == [value or [] for value in lists]
    assert [row.r for row in rows] == records
