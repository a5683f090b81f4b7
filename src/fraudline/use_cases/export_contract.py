"""The contract in a form that other tools read."""

from __future__ import annotations

from typing import Literal

from fraudline import flows
from fraudline.errors import ContractError
from fraudline.schemas import avro_schema, data_contract, json_schema, protobuf_schema
from fraudline.use_cases.project import Project

Form = Literal["avro", "json-schema", "protobuf", "odcs"]


def export_contract(project: Project, form: Form) -> str:
    """The project's contract as text, without a line end.

    Args:
        project: Whose contract, topic and table.
        form: As which schema.

    Raises:
        ContractError: there is no such contract, it has faults, or its messages have columns
            elsewhere than the contract names them.
    """
    contract, settings = project.contract, project.settings
    if moved := [column for column in contract.transaction_columns if column.source]:
        raise ContractError(
            f"contract '{contract.name}' reads column '{moved[0].name}' from '{moved[0].source}' "
            "of a message (`from`), which an exported schema cannot say: it would describe "
            "messages that are rejected. Nothing was printed. Give producers the schema of their "
            "own messages, or leave `from` out where they take up the contract's names."
        )
    if form == "avro":
        return avro_schema(contract)
    if form == "json-schema":
        return json_schema(contract)
    if form == "protobuf":
        return protobuf_schema(contract)
    bigquery = settings.bigquery
    return data_contract(
        contract,
        topic=settings.kafka.topic(flows.TRANSACTIONS),
        table=bigquery.history or bigquery.table_history,
        columns=bigquery.history_columns if bigquery.history else None,
    )
