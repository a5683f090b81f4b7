"""The discovery document: which calls there are, for clients that build themselves from it."""

import re
from collections.abc import Iterable
from typing import Any

PATHS = ("/discovery/v1/apis/bigquery/v2/rest", "/$discovery/rest")
_NAMES = {"project": "projectId", "dataset": "datasetId", "table": "tableId", "job": "jobId"}
_BASE = "/bigquery/v2/"


def document(routes: Iterable[tuple[str, str, str, Any]], address: str) -> dict[str, Any]:
    """The document.

    Args:
        routes: Google's name of each call, its method, address and handler.
        address: The REST endpoint's URL.
    """
    resources: dict[str, Any] = {}
    for name, method, where, _ in routes:
        room, _, call = name.partition(".")
        path = re.sub(r"{(\w+)}", lambda one: f"{{{_NAMES[one[1]]}}}", where.removeprefix(_BASE))
        names = re.findall(r"{(\w+)}", path)
        parameters = {
            one: {"type": "string", "required": True, "location": "path"} for one in names
        }
        methods = resources.setdefault(room, {"methods": {}})["methods"]
        methods[call] = {
            "id": f"bigquery.{name}",
            "path": path,
            "flatPath": path,
            "httpMethod": method,
            "parameters": parameters,
            "parameterOrder": names,
            **({"request": {"$ref": "Body"}} if method in {"POST", "PATCH"} else {}),
            "response": {"$ref": "Body"},
        }
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "bigquery:v2",
        "name": "bigquery",
        "version": "v2",
        "title": "BigQuery API, as far as bqlite has it",
        "protocol": "rest",
        "rootUrl": f"{address}/",
        "servicePath": _BASE.lstrip("/"),
        "baseUrl": f"{address}{_BASE}",
        "batchPath": "batch/bigquery/v2",
        "parameters": {},
        "schemas": {
            "Body": {"id": "Body", "type": "object", "additionalProperties": {"type": "any"}}
        },
        "resources": resources,
    }
