"""Which topic's messages go into which table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fraudline import flows
from fraudline.contract import Messages, arrow_schema
from fraudline.stream.sink_partition import Route
from fraudline.use_cases.project import Project
from fraudline.warehouse.append import CommittedStream, finalize
from fraudline.warehouse.stored_positions import has_any_row, have_arrived, have_rows
from fraudline.warehouse.tables import table_made_at


def routes(project: Project) -> list[Route]:
    """Every flow that is stored, each to its table."""
    return [_route(project, flow) for flow, _ in flows.stored_flows()]


def _route(project: Project, flow: flows.Flow) -> Route:
    table = project.settings.bigquery.table(flow)
    schema = arrow_schema(flow.row_columns(project.contract))
    return Route(
        topic=project.kafka.topic(flow),
        table=table,
        decoder=flow.decoder(project.contract),
        open_stream=lambda: CommittedStream(project.warehouse, table, schema),
        finalize=lambda stream: finalize(project.warehouse, stream),
        are_stored=_are_stored(project, flow, table),
        is_empty=lambda: not has_any_row(project.warehouse, table),
        table_made_at=lambda: table_made_at(project.warehouse, table),
        keeps_arrival=flow.keeps_arrival,
    )


def _are_stored(
    project: Project, flow: flows.Flow, table: str
) -> Callable[[Messages], list[bool]] | None:
    if flow is flows.PREDICTIONS:  # its rows are those of the history, without a position
        return None
    if flow.keeps_arrival:
        rejects = project.settings.bigquery.table(flows.REJECTS)
        return partial(have_arrived, project.warehouse, table, rejects)
    return partial(have_rows, project.warehouse, table, has_reason=flow is flows.REJECTS)
