"""Data sets over REST."""

import zlib
from typing import Any

from bqlite.errors import UnsupportedError
from bqlite.relations import LOCATION, Dataset, now_ms
from bqlite.rest.call import Call, page

_KEPT = {
    "description", "friendlyName", "labels", "location", "defaultTableExpirationMs",
    "defaultPartitionExpirationMs", "access", "storageBillingModel",
}  # fmt: skip
_DERIVED = {
    "datasetReference", "kind", "id", "etag", "selfLink", "creationTime", "lastModifiedTime",
    "type",
}  # fmt: skip


def list_projects(call: Call) -> dict[str, Any]:
    """Every project that has a data set, and the server's own."""
    call.allow("maxResults", "pageToken")
    names = sorted({call.services.project, *call.services.catalog.projects()})
    items, token = page(names, call)
    projects = [
        {
            "kind": "bigquery#project",
            "id": name,
            "numericId": str(zlib.crc32(name.encode())),
            "friendlyName": name,
            "projectReference": {"projectId": name},
        }
        for name in items
    ]
    return _with_token({"projects": projects, "totalItems": len(names)}, token)


def insert(call: Call) -> dict[str, Any]:
    """Creates a data set."""
    call.allow()
    body = call.json
    reference = body.get("datasetReference") or {}
    project = str(reference.get("projectId") or call.project)
    now = str(now_ms())
    kept = {"location": LOCATION, **_kept(body), "creationTime": now, "lastModifiedTime": now}
    dataset = Dataset(project, str(reference.get("datasetId", "")), kept)
    catalog = call.services.catalog
    with catalog.engine.write() as transaction:
        catalog.create_dataset(transaction, dataset)
    return resource(dataset, call)


def get(call: Call) -> dict[str, Any]:
    """One data set."""
    call.allow()
    return resource(call.services.catalog.dataset(call.project, call.path["dataset"]), call)


def patch(call: Call) -> dict[str, Any]:
    """Changes what is said of a data set."""
    call.allow()
    catalog = call.services.catalog
    changes = _kept(call.json)
    with catalog.engine.write() as transaction:
        dataset = catalog.dataset(call.project, call.path["dataset"])
        call.check_etag(resource(dataset, call)["etag"])
        body = merge(dataset.body, changes)
        body["lastModifiedTime"] = str(now_ms())
        changed = Dataset(dataset.project, dataset.dataset, body)
        catalog.put_dataset(transaction, changed)
    return resource(changed, call)


def delete(call: Call) -> None:
    """Removes a data set, with `deleteContents` its tables too."""
    call.allow("deleteContents")
    catalog = call.services.catalog
    with catalog.engine.write() as transaction:
        dataset = catalog.dataset(call.project, call.path["dataset"])
        contents = call.query.get("deleteContents", "false").lower() == "true"
        catalog.delete_dataset(transaction, dataset, contents=contents)


def list_(call: Call) -> dict[str, Any]:
    """The project's data sets."""
    call.allow("maxResults", "pageToken", "all")
    items, token = page(call.services.catalog.datasets(call.project), call)
    datasets = [resource(one, call) for one in items]
    return _with_token({"kind": "bigquery#datasetList", "datasets": datasets}, token)


def resource(dataset: Dataset, call: Call) -> dict[str, Any]:
    """A data set as REST writes it."""
    path = f"projects/{dataset.project}/datasets/{dataset.dataset}"
    return {
        "kind": "bigquery#dataset",
        "id": f"{dataset.project}:{dataset.dataset}",
        "etag": str(dataset.body["lastModifiedTime"]),
        "selfLink": f"{call.services.address}/bigquery/v2/{path}",
        "datasetReference": {"projectId": dataset.project, "datasetId": dataset.dataset},
        **dataset.body,
    }


def merge(body: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """PATCH: a null removes, labels are merged key by key, the rest is replaced."""
    merged = dict(body)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif key == "labels":
            labels = {**merged.get("labels", {}), **value}
            merged["labels"] = {k: v for k, v in labels.items() if v is not None}
        else:
            merged[key] = value
    return merged


def _kept(body: dict[str, Any]) -> dict[str, Any]:
    for key in sorted(body.keys() - _KEPT - _DERIVED):
        if body[key] not in (None, False, [], {}):
            raise UnsupportedError(f"bqlite does not support a data set's '{key}'", location=key)
    return {key: body[key] for key in _KEPT if key in body}


def _with_token(answer: dict[str, Any], token: str | None) -> dict[str, Any]:
    if token is not None:
        answer["nextPageToken"] = token
    return answer
