"""The rival: the tutorial's way, Keras `predict` in a plain consumer loop, at least once."""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from confluent_kafka import Consumer, Producer


def main(broker: str, source: str, target: str, model_file: str, batch_rows: str) -> None:
    """Score one topic into another until stopped.

    Args:
        broker: Its address.
        source: Topic of transactions.
        target: Topic of decisions.
        model_file: The whole model as Keras saves it: raw features in, probability out.
        batch_rows: Transactions in one call of `predict`; the tutorial's is 1.
    """
    model = keras.models.load_model(model_file)
    consumer = Consumer(
        {"bootstrap.servers": broker, "group.id": target, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([source])
    producer = Producer({"bootstrap.servers": broker})
    while True:
        messages = consumer.consume(int(batch_rows), timeout=1.0)
        transactions = [json.loads(message.value() or b"") for message in messages]
        if transactions:
            features = np.asarray([list(row.values()) for row in transactions], dtype=np.float32)
            for row, score in zip(transactions, model.predict(features, verbose=0), strict=True):
                row["Class"] = int(score[0] >= 0.5)
                producer.produce(target, json.dumps(row))
            producer.poll(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
