"""The contract: what a transaction looks like, and all that follows from it.

Takes a TOML file, JSON messages or Arrow tables; gives columns, schemas, Arrow batches, the
feature matrix, and for each thing that does not fit a reason in words. Never does I/O
beyond reading the contract file, and is the only room that knows a column's name.
"""

from fraudline.contract.columns import Column, arrow_schema
from fraudline.contract.conform import Refusal, conform
from fraudline.contract.contract import Contract
from fraudline.contract.contract_file import load_contract
from fraudline.contract.decoder import Decoder, Reject
from fraudline.contract.encode import json_lines
from fraudline.contract.messages import Messages
from fraudline.contract.records import (
    DECISION_COLUMNS,
    POSITION_COLUMNS,
    REJECT_COLUMNS,
    REPLAYED,
    RejectReason,
    RejectRecord,
)

__all__ = [
    "DECISION_COLUMNS",
    "POSITION_COLUMNS",
    "REJECT_COLUMNS",
    "REPLAYED",
    "Column",
    "Contract",
    "Decoder",
    "Messages",
    "Refusal",
    "Reject",
    "RejectReason",
    "RejectRecord",
    "arrow_schema",
    "conform",
    "json_lines",
    "load_contract",
]
