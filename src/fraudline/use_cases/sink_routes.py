"""Which topic's messages go into which table."""

from __future__ import annotations

from functools import partial

from fraudline import flows
from fraudline.stream.sink_partition import Route
from fraudline.use_cases.project import Project
from fraudline.warehouse.append import CommittedStream, finalize
from fraudline.warehouse.stored_positions import has_any_row, have_rows


def routes(project: Project) -> list[Route]:
    """Every flow that is stored, each to its table."""
    return [_route(project, flow) for flow, _ in flows.stored_flows()]


def _route(project: Project, flow: flows.Flow) -> Route:
    decoder, table = flow.decoder(project.contract), project.settings.bigquery.table(flow)
    return Route(
        topic=project.kafka.topic(flow),
        table=table,
        decoder=decoder,
        open_stream=lambda: CommittedStream(project.warehouse, table, decoder.schema),
        finalize=lambda stream: finalize(project.warehouse, stream),
        are_stored=None
        if flow is flows.PREDICTIONS  # its rows are those of the history, without a position
        else partial(have_rows, project.warehouse, table, has_reason=flow is flows.REJECTS),
        is_empty=lambda: not has_any_row(project.warehouse, table),
    )
