"""The contract: what a transaction looks like, and all that follows from it.

Takes a TOML file, JSON messages or Arrow tables; gives columns, schemas, Arrow batches, the
feature matrix, and for each thing that does not fit a reason in words. What a decision, a
reject, an outcome and a label are, and what is told of a period, is said here too, so that who
stores or counts them needs no model. Never does I/O beyond reading the contract file, and is the
only room that knows a column's name.
"""

from fraudline.contract.alarms import ALARM_COLUMNS
from fraudline.contract.arrivals import ARRIVAL_COLUMNS, with_arrival
from fraudline.contract.calibrations import CALIBRATION_COLUMNS
from fraudline.contract.columns import POSITION_COLUMNS, Column, arrow_schema
from fraudline.contract.conform import conform
from fraudline.contract.contract import Contract
from fraudline.contract.contract_faults import ContractFault
from fraudline.contract.contract_file import examine_contract, load_contract
from fraudline.contract.decisions import (
    APPROVE,
    APPROVED,
    BLOCK,
    BLOCKED,
    DECISION_COLUMNS,
    DECISIONS,
    REVIEW,
    REVIEWED,
    Decision,
)
from fraudline.contract.decoder import Decoder
from fraudline.contract.encode import json_lines
from fraudline.contract.gates import GATE_COLUMNS
from fraudline.contract.labels import (
    FRAUD,
    LABEL_COLUMNS,
    LABELS,
    LEGITIMATE,
    SOURCES,
    WITHDRAWN,
)
from fraudline.contract.messages import Messages, RefusedValue
from fraudline.contract.outcomes import Outcome, reject_record, usable_key
from fraudline.contract.period_measures import MEASURE_COLUMNS
from fraudline.contract.periods import PERIOD_COLUMNS, WRITTEN_COLUMN, Period
from fraudline.contract.record_decoder import RecordDecoder
from fraudline.contract.refusals import (
    Refusal,
    RefusalGroup,
    RefusalReason,
    group_refusals,
)
from fraudline.contract.rejects import (
    REJECT_COLUMNS,
    REPLAYED,
    Reject,
    RejectReason,
    RejectRecord,
)
from fraudline.contract.rollout_looks import ROLLOUT_COLUMNS
from fraudline.contract.updates import UPDATE_COLUMNS

__all__ = [
    "ALARM_COLUMNS",
    "APPROVE",
    "APPROVED",
    "ARRIVAL_COLUMNS",
    "BLOCK",
    "BLOCKED",
    "CALIBRATION_COLUMNS",
    "DECISIONS",
    "DECISION_COLUMNS",
    "FRAUD",
    "GATE_COLUMNS",
    "LABELS",
    "LABEL_COLUMNS",
    "LEGITIMATE",
    "MEASURE_COLUMNS",
    "PERIOD_COLUMNS",
    "POSITION_COLUMNS",
    "REJECT_COLUMNS",
    "REPLAYED",
    "REVIEW",
    "REVIEWED",
    "ROLLOUT_COLUMNS",
    "SOURCES",
    "UPDATE_COLUMNS",
    "WITHDRAWN",
    "WRITTEN_COLUMN",
    "Column",
    "Contract",
    "ContractFault",
    "Decision",
    "Decoder",
    "Messages",
    "Outcome",
    "Period",
    "RecordDecoder",
    "Refusal",
    "RefusalGroup",
    "RefusalReason",
    "RefusedValue",
    "Reject",
    "RejectReason",
    "RejectRecord",
    "arrow_schema",
    "conform",
    "examine_contract",
    "group_refusals",
    "json_lines",
    "load_contract",
    "reject_record",
    "usable_key",
    "with_arrival",
]
