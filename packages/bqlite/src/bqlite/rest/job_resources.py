"""Jobs and what queries answer, as REST writes them."""

from dataclasses import replace
from typing import Any

from bqlite.rest.call import Call
from bqlite.rest.tables import read_page, reference
from bqlite.types import schema_resource
from bqlite.work.jobs import Job

# Google's Python client asks for no rows while it waits for a query, and then fetches them by the
# Storage API from Google's own address, unless it has been given all of them.
MAX_UNASKED_CELLS = 100_000


def query_response(call: Call, job: Job, start: int) -> dict[str, Any]:
    """An ended query as REST answers it, with the page of its rows from `start` on."""
    answer: dict[str, Any] = {
        "kind": "bigquery#queryResponse",
        "jobReference": job_reference(job),
        "jobComplete": True,
        "totalBytesProcessed": str(job.bytes_processed),
        "cacheHit": False,
        "location": job.location,
    }
    outcome = job.outcome
    if outcome is None:
        answer["schema"] = job.statistics.get("schema", {"fields": []})
        answer["totalRows"] = "0"
        return answer
    if outcome.affected is not None:
        answer["numDmlAffectedRows"] = str(outcome.affected)
    if outcome.table is None:
        return answer
    answer["schema"] = schema_resource(outcome.table.fields)
    answer["totalRows"] = str(outcome.rows)
    fields = outcome.table.fields
    if call.query.get("maxResults") == "0" and outcome.rows * len(fields) <= MAX_UNASKED_CELLS:
        asked = {name: value for name, value in call.query.items() if name != "maxResults"}
        # What asks for none does not say how it reads a TIMESTAMP: as whole microseconds.
        call = replace(call, query={**asked, "formatOptions.useInt64Timestamp": "true"})
    rows, token = read_page(call, outcome.table, fields, start, outcome.rows)
    answer["rows"] = rows
    if token is not None:
        answer["pageToken"] = token
    return answer


def resource(job: Job, call: Call) -> dict[str, Any]:
    """A job as REST writes it."""
    status: dict[str, Any] = {"state": job.state}
    if job.error is not None:
        status["errorResult"] = job.error.to_proto()
        status["errors"] = [job.error.to_proto()]
    configuration = dict(job.configuration)
    configuration["jobType"] = job.kind
    key = job.kind.lower()
    outcome = job.outcome
    statistics: dict[str, Any] = {
        "creationTime": str(job.created_ms),
        "totalBytesProcessed": str(job.bytes_processed),
    }
    if job.started_ms:
        statistics["startTime"] = str(job.started_ms)
    if job.ended_ms:
        statistics["endTime"] = str(job.ended_ms)
    if job.kind == "QUERY":
        statistics["query"] = _query_statistics(job)
        if (target := _target(job)) is not None:
            configuration["query"] = {**configuration.get("query", {}), "destinationTable": target}
    elif outcome is not None:
        statistics["load"] = {
            "outputRows": str(outcome.rows),
            "inputFiles": "1",
            **outcome.statistics,
        }
    configuration.setdefault(key, {})
    return {
        "kind": "bigquery#job",
        "id": f"{job.project}:{job.location}.{job.id}",
        "etag": f"{job.id}-{job.state}",
        "selfLink": f"{call.services.address}/bigquery/v2/projects/{job.project}/jobs/{job.id}",
        "jobReference": job_reference(job),
        "configuration": configuration,
        "status": status,
        "statistics": statistics,
        "user_email": "bqlite@localhost",
    }


def _target(job: Job) -> dict[str, str] | None:
    """The table that a query's or CREATE TABLE AS SELECT's rows are in."""
    if job.outcome is None:
        return None
    if job.outcome.table is not None:
        return reference(job.outcome.table.name)
    is_created = job.statement_type == "CREATE_TABLE_AS_SELECT"
    return job.outcome.statistics.get("ddlTargetTable") if is_created else None


def _query_statistics(job: Job) -> dict[str, Any]:
    statistics: dict[str, Any] = {
        "statementType": job.statement_type,
        "totalBytesProcessed": str(job.bytes_processed),
        "totalBytesBilled": str(job.bytes_billed),
        "cacheHit": False,
        **job.statistics,
    }
    if job.outcome is not None:
        statistics.update(job.outcome.statistics)
        if job.outcome.affected is not None:
            statistics["numDmlAffectedRows"] = str(job.outcome.affected)
        if job.outcome.table is not None:
            statistics["schema"] = schema_resource(job.outcome.table.fields)
    return statistics


def job_reference(job: Job) -> dict[str, str]:
    """A `JobReference`."""
    return {"projectId": job.project, "jobId": job.id, "location": job.location}
