"""Schemas of the field: what others have in the place of a contract.

Takes: a contract. Gives: the same as Avro, JSON Schema or an Open Data Contract, for producers, a
schema registry or a catalogue. Never: does I/O, or knows what a value means.
"""

from fraudline.schemas.avro_schema import avro_schema
from fraudline.schemas.data_contract import data_contract
from fraudline.schemas.json_schema import json_schema

__all__ = ["avro_schema", "data_contract", "json_schema"]
