"""The rivals of the sink: Google's client in a plain consumer loop, at least once."""

import json
import sys

from confluent_kafka import Consumer
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery


def main(broker: str, topic: str, rest: str, table: str, way: str) -> None:
    """Store the rows of a topic until stopped.

    Args:
        broker: Its address.
        topic: Topic of decisions.
        rest: Address of BigQuery's REST API.
        table: `project.dataset.table`.
        way: `insert`: `insert_rows_json` of 500 rows, the most that Google recommends for a
            request; `load`: a load job for every 10,000.
    """
    client = bigquery.Client(
        project=table.split(".", maxsplit=1)[0],
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=rest),
    )
    target = client.get_table(table)
    batch_rows = {"insert": 500, "load": 10_000}[way]
    job = bigquery.LoadJobConfig(schema=target.schema)
    consumer = Consumer(
        {"bootstrap.servers": broker, "group.id": way, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    while True:
        messages = consumer.consume(batch_rows, timeout=1.0)
        rows = [json.loads(message.value() or b"") for message in messages]
        if rows and way == "insert":
            faults = client.insert_rows_json(target, rows)
            if faults:
                raise RuntimeError(str(faults[:3]))
        elif rows:
            client.load_table_from_json(rows, target, job_config=job).result()


if __name__ == "__main__":
    main(*sys.argv[1:])
