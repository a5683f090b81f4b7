"""The contract in a form that other tools read."""

from __future__ import annotations

from typing import Literal

from fraudline import flows
from fraudline.schemas import avro_schema, data_contract, json_schema, protobuf_schema
from fraudline.use_cases.project import Project

Form = Literal["avro", "json-schema", "protobuf", "odcs"]


def export_contract(project: Project, form: Form) -> str:
    """The project's contract as text, without a line end.

    Args:
        project: Whose contract, topic and table.
        form: As which schema.

    Raises:
        ContractError: there is no such contract, or it has faults.
    """
    contract, settings = project.contract, project.settings
    if form == "avro":
        return avro_schema(contract)
    if form == "json-schema":
        return json_schema(contract)
    if form == "protobuf":
        return protobuf_schema(contract)
    return data_contract(
        contract,
        topic=settings.kafka.topic(flows.TRANSACTIONS),
        table=settings.bigquery.table_history,
    )
