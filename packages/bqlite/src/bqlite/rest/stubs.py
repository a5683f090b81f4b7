"""What bqlite has none of, and clients ask for all the same: answered empty, or refused by name."""

from typing import Any

from bqlite.errors import InvalidError, UnsupportedError
from bqlite.rest.call import Call

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_LIFE_S = 3600


def list_routines(call: Call) -> dict[str, Any]:
    """The data set's routines: none."""
    call.allow("maxResults", "pageToken", "filter", "readMask")
    call.services.catalog.dataset(call.project, call.path["dataset"])
    return {}


def list_models(call: Call) -> dict[str, Any]:
    """The data set's models: none."""
    call.allow("maxResults", "pageToken")
    call.services.catalog.dataset(call.project, call.path["dataset"])
    return {}


def refuse_routines(_: Call) -> dict[str, Any]:
    """Raises `UnsupportedError`: there are no routines."""
    raise UnsupportedError("bqlite does not support routines")


def refuse_policies(call: Call) -> dict[str, Any]:
    """Raises `UnsupportedError`: there are no users whose rights could be told."""
    call.services.catalog.table(call.table_name)
    raise UnsupportedError("bqlite does not support IAM policies: it has no users")


def token(grant_type: str, assertion: str) -> dict[str, Any]:
    """The answer to a service account's signed assertion, which is not looked into.

    Raises:
        InvalidError: It is not what Google's clients send.
    """
    if grant_type != GRANT or assertion.count(".") != 2:
        raise InvalidError(
            f"POST /token: expected grant_type {GRANT} and a signed assertion, found grant_type "
            f"'{grant_type:.100}'"
        )
    return {"access_token": "bqlite", "token_type": "Bearer", "expires_in": TOKEN_LIFE_S}
