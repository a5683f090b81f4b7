"""Queries and jobs over REST."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import duckdb

from bqlite.database.catalog import Catalog
from bqlite.database.duckdb_errors import sql_errors
from bqlite.database.query_columns import describe
from bqlite.errors import InvalidError, ResourceError, UnsupportedError
from bqlite.relations import TableName
from bqlite.rest.call import Call, page
from bqlite.rest.job_resources import job_reference, query_response, resource
from bqlite.sql.plan import plan
from bqlite.sql.statement import Plan, Request
from bqlite.types import schema_resource
from bqlite.work.bytes_read import bytes_billed, bytes_read
from bqlite.work.destination import Destination, adds_columns
from bqlite.work.jobs import Job
from bqlite.work.outcome import Outcome
from bqlite.work.queries import run

DEFAULT_WAIT_MS = 10_000
MAX_WAIT_MS = 200_000
LOAD_WAIT_S = 2.0
_QUERY_KEYS = {
    "query", "useLegacySql", "queryParameters", "parameterMode", "defaultDataset", "dryRun",
    "maximumBytesBilled", "destinationTable", "createDisposition", "writeDisposition",
    "jobTimeoutMs", "schemaUpdateOptions",
}  # fmt: skip
# These choose how BigQuery runs or bills a query, never what it answers.
_HARMLESS_KEYS = {
    "priority", "useQueryCache", "allowLargeResults", "flattenResults", "labels",
    "formatOptions", "kind", "location", "maxResults", "timeoutMs", "requestId",
    "jobCreationMode", "userDefinedFunctionResources", "jobType", "reservation", "maxSlots",
}  # fmt: skip


def query(call: Call) -> dict[str, Any]:
    """`jobs.query`: runs a statement and answers with its first page."""
    call.allow()
    body = call.json
    if body.get("queryResultsFormat") not in {None, "STRUCT_ENCODING"}:
        raise UnsupportedError("bqlite does not support queryResultsFormat ARROW over REST")
    for key in ("queryResultsFormat", "arrowSerializationOptions"):
        body.pop(key, None)
    # A request id makes a repeated request mean the job it began the first time.
    id_ = str(body.get("requestId") or uuid.uuid4())
    job = call.services.jobs.find(call.project, id_)
    if job is None:
        job = _start_query(call, body, id_, {"query": body})
    if body.get("dryRun"):
        return {**query_response(call, job, 0), "jobComplete": True}
    wait_ms = min(int(body.get("timeoutMs") or DEFAULT_WAIT_MS), MAX_WAIT_MS)
    is_int64 = bool((body.get("formatOptions") or {}).get("useInt64Timestamp"))
    return _answer(call, job, wait_ms, most=body.get("maxResults"), int64=is_int64)


def query_results(call: Call) -> dict[str, Any]:
    """`jobs.getQueryResults`: a page of a query's rows, once it has ended."""
    call.allow("maxResults", "pageToken", "startIndex", "timeoutMs")
    job = call.services.jobs.get(call.project, call.path["job"])
    if job.kind != "QUERY":
        raise InvalidError(f"job '{job.id}' is not a query")
    wait_ms = min(call.number("timeoutMs", DEFAULT_WAIT_MS), MAX_WAIT_MS)
    return _answer(call, job, wait_ms)


def insert(call: Call) -> dict[str, Any]:
    """`jobs.insert` of a query; loads come as uploads."""
    call.allow()
    body = call.json
    configuration = body.get("configuration") or {}
    if "query" not in configuration:
        kinds = sorted(configuration.keys() & {"load", "copy", "extract"}) or ["of no kind"]
        raise UnsupportedError(
            f"bqlite does not support a {kinds[0]} job here; it runs queries, and loads of an "
            "uploaded file"
        )
    options = {
        **configuration["query"],
        "dryRun": configuration.get("dryRun", False),
        "jobTimeoutMs": configuration.get("jobTimeoutMs"),
    }
    job = _start_query(call, options, job_id(body), configuration)
    return resource(job, call)


def get(call: Call) -> dict[str, Any]:
    """One job; of a load that runs, as soon as it ends or `LOAD_WAIT_S` have passed.

    Clients that wait for a load ask again only after a second or more.
    """
    call.allow()
    job = call.services.jobs.get(call.project, call.path["job"])
    if job.kind == "LOAD":
        job.done.wait(LOAD_WAIT_S)
    return resource(job, call)


def list_(call: Call) -> dict[str, Any]:
    """The project's jobs, newest first."""
    call.allow("maxResults", "pageToken", "allUsers", "stateFilter", "minCreationTime",
               "maxCreationTime", "parentJobId")  # fmt: skip
    jobs = call.services.jobs.all(call.project)
    wanted = call.query.get("stateFilter", "").upper()
    earliest, latest = call.number("minCreationTime", 0), call.number("maxCreationTime", 1 << 62)
    jobs = [
        job for job in jobs if wanted in {"", job.state} and earliest <= job.created_ms <= latest
    ]
    items, token = page(jobs, call)
    answer: dict[str, Any] = {
        "kind": "bigquery#jobList",
        "jobs": [{**resource(job, call), "state": job.state} for job in items],
    }
    if token is not None:
        answer["nextPageToken"] = token
    return answer


def cancel(call: Call) -> dict[str, Any]:
    """Asks a job to stop."""
    call.allow()
    job = call.services.jobs.get(call.project, call.path["job"])
    call.services.jobs.cancel(job)
    return {"kind": "bigquery#jobCancelResponse", "job": resource(job, call)}


def job_id(body: Mapping[str, Any]) -> str:
    """The id the client chose, or a new one."""
    return str((body.get("jobReference") or {}).get("jobId") or uuid.uuid4())


def _start_query(
    call: Call, options: dict[str, Any], id_: str, configuration: dict[str, Any]
) -> Job:
    for key in sorted(options.keys() - _QUERY_KEYS - _HARMLESS_KEYS):
        if options[key] not in (None, False, "", [], {}):
            raise UnsupportedError(f"query: bqlite does not support '{key}'", location=key)
    if options.get("useLegacySql", True):
        raise UnsupportedError("bqlite does not support legacy SQL; set useLegacySql to false")
    default = options.get("defaultDataset") or {}
    dataset = None
    if default.get("datasetId"):
        dataset = (str(default.get("projectId") or call.project), str(default["datasetId"]))
    request = Request(
        str(options.get("query", "")), call.project, dataset,
        options.get("queryParameters") or (), str(options.get("parameterMode") or "NAMED").upper(),
    )  # fmt: skip
    limit = int(options.get("maximumBytesBilled") or 0)
    timeout_ms = int(options.get("jobTimeoutMs") or 0)
    job = Job(call.project, id_, "QUERY", configuration, timeout_ms=timeout_ms)
    catalog = call.services.catalog
    if options.get("dryRun"):
        _dry_run(catalog, job, request, limit)
        return job
    destination = _destination(options)

    def work(job: Job, connection: duckdb.DuckDBPyConnection) -> Outcome:
        planned = _plan(catalog, job, request, limit)
        return run(catalog, planned, job.project, destination, connection, job.store)

    return call.services.jobs.start(job, work)


def _plan(catalog: Catalog, job: Job, request: Request, limit: int) -> Plan:
    planned = plan(request, catalog)
    job.statement_type = planned.statement_type
    job.bytes_processed = bytes_read(catalog, planned)
    job.bytes_billed = bytes_billed(job.bytes_processed, len(planned.read))
    if limit and job.bytes_billed > limit:
        raise ResourceError(
            f"Query exceeded limit for bytes billed: {limit}. {job.bytes_billed} or higher "
            "required.",
        )
    return planned


def _dry_run(catalog: Catalog, job: Job, request: Request, limit: int) -> None:
    planned = _plan(catalog, job, request, limit)
    job.bytes_billed = 0
    if planned.sql and planned.statement_type in {"SELECT", "CREATE_TABLE_AS_SELECT"}:
        with catalog.engine.cursor() as cursor, sql_errors():
            fields, _ = describe(cursor, planned.sql)
        job.statistics["schema"] = schema_resource(fields)
    job.started_ms = job.ended_ms = job.created_ms
    job.configuration = {**job.configuration, "dryRun": True}
    job.done.set()


def _destination(options: Mapping[str, Any]) -> Destination | None:
    table = options.get("destinationTable")
    if not table:
        return None
    name = TableName(*(str(table.get(k, "")) for k in ("projectId", "datasetId", "tableId")))
    return Destination(
        name,
        str(options.get("createDisposition") or "CREATE_IF_NEEDED"),
        str(options.get("writeDisposition") or "WRITE_EMPTY"),
        adds_columns(options),
    )


def _answer(
    call: Call, job: Job, wait_ms: int, *, most: int | None = None, int64: bool = False
) -> dict[str, Any]:
    job.done.wait(wait_ms / 1000)
    if job.error is not None:
        raise job.error
    if not job.done.is_set():
        return {
            "kind": "bigquery#queryResponse",
            "jobReference": job_reference(job),
            "jobComplete": False,
        }
    query = dict(call.query)
    if most is not None:
        query["maxResults"] = str(most)
    if int64:
        query["formatOptions.useInt64Timestamp"] = "true"
    start = call.number("pageToken", call.number("startIndex", 0))
    return query_response(replace(call, query=query), job, start)
