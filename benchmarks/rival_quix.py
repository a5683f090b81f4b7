"""The rival: the same graph in Quix Streams, exactly once, as its users write it.

Runs in an environment of its own, whose requirements exclude ours (`make bench` makes it).
"""

import sys

import numpy as np
import onnxruntime as ort
from quixstreams import Application


def main(broker: str, source: str, target: str, graph: str, way: str) -> None:
    """Score one topic into another until stopped.

    Args:
        broker: Its address.
        source: Topic of transactions.
        target: Topic of decisions.
        graph: Path of the ONNX graph.
        way: `default`, or `often`: commit as often as our scorer, for its latency.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def decide(
        transaction: dict[str, float], key: object, timestamp: int, headers: object
    ) -> dict[str, float | str]:
        del key, headers
        features = np.asarray([list(transaction.values())], dtype=np.float32)
        score = float(session.run(None, {"features": features})[0][0, 0])
        decision = "block" if score >= 0.5 else "approve"
        return {**transaction, "score": score, "decision": decision, "received_at": timestamp}

    app = Application(
        broker_address=broker,
        consumer_group=target,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        loglevel="WARNING",
        **({"commit_interval": 0.02, "consumer_poll_timeout": 0.02} if way == "often" else {}),
    )
    stream = app.dataframe(app.topic(source, value_deserializer="json"))
    stream = stream.apply(decide, metadata=True)
    stream.to_topic(app.topic(target, value_serializer="json"))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
