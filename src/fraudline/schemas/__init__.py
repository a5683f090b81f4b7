"""Schemas of the field: what others have in the place of a contract.

Takes: messages in Avro, Protobuf or by a JSON Schema, and a schema registry. Gives: the same as
JSON, which the contract's decoder judges, and no other. Also takes a contract and gives it in the
words of others. Never: knows a column, or rejects a message for what it says.
"""

from fraudline.schemas.avro_schema import avro_schema
from fraudline.schemas.data_contract import data_contract
from fraudline.schemas.json_schema import json_schema
from fraudline.schemas.message_forms import Awaited, MessageForms
from fraudline.schemas.protobuf_schema import protobuf_schema

__all__ = [
    "Awaited",
    "MessageForms",
    "avro_schema",
    "data_contract",
    "json_schema",
    "protobuf_schema",
]
