"""Which topic's messages go into which table."""

from __future__ import annotations

from fraudline.contract import REJECT_COLUMNS, Column, Decoder
from fraudline.contract.decoder import MAX_MESSAGE_BYTES
from fraudline.contract.rejects import MAX_REJECT_BYTES
from fraudline.stream.sink_partition import Route
from fraudline.use_cases.project import Project
from fraudline.warehouse.append import CommittedStream, finalize

_MAX_RECORD_BYTES = MAX_MESSAGE_BYTES + 16 * 1024  # a decision carries its transaction


def routes(project: Project) -> list[Route]:
    """Decisions, rejects and predictions, each to its table."""
    kafka, tables, contract = project.kafka, project.settings.bigquery, project.contract
    return [
        _route(project, kafka.topic_decisions, tables.table_decisions,
               contract.decision_columns, _MAX_RECORD_BYTES),
        _route(project, kafka.topic_rejects, tables.table_rejects,
               REJECT_COLUMNS, MAX_REJECT_BYTES),
        _route(project, kafka.topic_predictions, tables.table_predictions,
               contract.columns, _MAX_RECORD_BYTES),
    ]  # fmt: skip


def decoders(project: Project) -> dict[str, Decoder]:
    """For each topic that is read, what decodes its messages."""
    return {
        project.kafka.topic_transactions: Decoder(project.contract.transaction_columns),
        **{route.topic: route.decoder for route in routes(project)},
    }


def _route(
    project: Project, topic: str, table: str, columns: tuple[Column, ...], most_bytes: int
) -> Route:
    decoder = Decoder(columns, most_bytes)
    return Route(
        topic=topic,
        table=table,
        decoder=decoder,
        open_stream=lambda: CommittedStream(project.warehouse, table, decoder.schema),
        finalize=lambda stream: finalize(project.warehouse, stream),
    )
