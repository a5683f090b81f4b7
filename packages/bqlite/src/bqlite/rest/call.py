"""One REST request, taken apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bqlite.database.catalog import Catalog
from bqlite.errors import InvalidError, PreconditionError, UnsupportedError
from bqlite.faults import Faults
from bqlite.relations import TableName
from bqlite.rest.insert_ids import InsertIds
from bqlite.work.jobs import Jobs

# Parameters that change the form of an answer and never its content, or that a server with one
# location and one user may leave unread.
HARMLESS = {
    "prettyPrint", "alt", "key", "quotaUser", "fields", "location", "projection", "datasetView",
    "view", "accessPolicyVersion", "$.xgafv", "access_token", "oauth_token", "formatOptions",
}  # fmt: skip


@dataclass(frozen=True)
class Services:
    """What the handlers work with.

    Attributes:
        uploads: Where uploaded files lie until they are loaded.
        project: The project shown to a client that names none.
        address: The REST endpoint's URL, for links back to it: never what a client calls it.
    """

    catalog: Catalog
    jobs: Jobs
    faults: Faults
    uploads: Path
    project: str
    address: str
    insert_ids: InsertIds = field(default_factory=InsertIds)


@dataclass(frozen=True)
class Call:
    """A request's parts.

    Attributes:
        path: The names in the path.
        query: The query parameters.
        headers: The headers, names in lower case.
        body: The raw body; empty for uploads, which are streamed to a file.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    services: Services = field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        return json_object(self.body) if self.body else {}

    @property
    def project(self) -> str:
        """The project in the path."""
        return self.path["project"]

    @property
    def table_name(self) -> TableName:
        """The table in the path."""
        return TableName(self.project, self.path["dataset"], self.path["table"])

    def allow(self, *names: str) -> None:
        """Refuses by name any query parameter that is neither in `names` nor harmless."""
        for name in self.query:
            if name.split(".")[0] not in HARMLESS and name not in names:
                raise UnsupportedError(f"bqlite does not support the query parameter '{name}'")

    def number(self, name: str, default: int) -> int:
        """A whole number among the query parameters."""
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isdigit():
            raise InvalidError(f"query parameter '{name}': expected a whole number, found '{text}'")
        return int(text)

    def check_etag(self, etag: str) -> None:
        """Raises `PreconditionError` if the request was meant for another version."""
        wanted = self.headers.get("if-match")
        if wanted not in {None, "*", etag}:
            raise PreconditionError(f"Precondition check failed: etag is {etag}, not {wanted}")


def page(items: list[Any], call: Call, default: int = 1000) -> tuple[list[Any], str | None]:
    """The part of a list that `maxResults` and `pageToken` ask for, and the next token."""
    start = call.number("pageToken", 0)
    size = call.number("maxResults", default) or default
    end = start + size
    return items[start:end], str(end) if end < len(items) else None


def json_object(text: bytes) -> dict[str, Any]:
    """A request's JSON; raises `InvalidError` if it is anything but an object."""
    try:
        return _decode_object(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"the request's body is not a JSON object: {error}") from error


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
