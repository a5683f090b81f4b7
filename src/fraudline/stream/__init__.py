"""The stream: topics of a Kafka-API broker, and the exactly-once loops over them.

Takes connection settings and functions over messages; gives loops that may be killed at any
instruction and neither lose nor duplicate anything. Never knows what a row means: decoding,
scoring and storing are handed in. Two modules look into a record of ours, and steer nothing by
it: `pending_rejects` and `observed_decisions`.
"""
