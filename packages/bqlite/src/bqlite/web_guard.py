"""Keeps web pages of others away from a server on this machine.

A browser lets any page send requests to 127.0.0.1, and by a name that the page's owner lets point
there it may read the answers, too. What the browser says of such a request gives it away: the name
it asked for (`Host`), the page it comes from (`Origin`, `Sec-Fetch-Site`), and a body of a kind
that a page may send without asking first. Programs that are no browsers send none of these.

Knows nothing of what it guards: any ASGI application can stand behind it.
"""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
# A page may send none of these without asking first, and nobody answers that question here.
BODY_TYPES = frozenset({"application/json", "multipart/related"})
FORM_TYPE = "application/x-www-form-urlencoded"
_OWN_SITE = frozenset({"same-origin", "none"})  # "none": its user typed the address


class WebGuard:
    """An ASGI application that lets through what is no page of somebody else's.

    Args:
        app: What is guarded.
        refuse: Makes the answer to a refused request, of an HTTP status and a sentence.
        names: The hosts by which the server may be asked for, without ports.
        form_paths: Paths that take an HTML form's body; the other checks hold there, too.
    """

    def __init__(
        self,
        app: App,
        refuse: Callable[[int, str], App],
        *,
        names: Collection[str] = LOOPBACK_NAMES,
        form_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._names = names
        self._form_paths = form_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with a refusal, or lets the application answer."""
        is_request = scope["type"] in {"http", "websocket"}
        wrong = self._objection(scope) if is_request else None
        await (self._app if wrong is None else self._refuse(*wrong))(scope, receive, send)

    def _objection(self, scope: Scope) -> tuple[int, str] | None:
        """Why the request is refused, with its status; None if it is not."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        hosts = headers.get("host", [])
        if len(hosts) != 1 or _host(hosts[0]) not in self._names:
            return 403, (
                f"Host is {_told(hosts)}: this server answers to {', '.join(sorted(self._names))} "
                "only, whatever the port, so that no web page can reach it by a name of its own"
            )
        sites = headers.get("sec-fetch-site", [])
        if any(site not in _OWN_SITE for site in sites):
            return 403, f"Sec-Fetch-Site is {_told(sites)}: another page's requests are refused"
        origins = headers.get("origin", [])
        if any(origin.partition("://")[2] != hosts[0] for origin in origins):
            return 403, f"Origin is {_told(origins)}: another page's requests are refused"
        return self._body_objection(scope, headers)

    def _body_objection(
        self, scope: Scope, headers: dict[str, list[str]]
    ) -> tuple[int, str] | None:
        # A page must ask before a PUT; uploads send any file by it.
        has_body = "transfer-encoding" in headers or headers.get("content-length", ["0"]) != ["0"]
        if scope["type"] != "http" or scope["method"] not in {"POST", "PATCH"} or not has_body:
            return None
        takes = BODY_TYPES | {FORM_TYPE} if scope["path"] in self._form_paths else BODY_TYPES
        found = headers.get("content-type", [])
        if [one.partition(";")[0].strip().lower() in takes for one in found] == [True]:
            return None
        return 415, (
            f"Content-Type is {_told(found)}: a body is of the type "
            f"{' or '.join(sorted(takes))} here, which no other page can send"
        )


def _host(text: str) -> str | None:
    """The name in a Host header, in lower case and without its port."""
    try:
        return urlsplit(f"//{text}").hostname
    except ValueError:
        return None


def _told(values: list[str]) -> str:
    return ", ".join(repr(value[:100]) for value in values) or "missing"
