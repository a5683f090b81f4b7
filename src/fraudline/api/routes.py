"""Every route, and whose keys open it; a test walks the table."""

from __future__ import annotations

from typing import NamedTuple

from fraudline.access import Role

_ALL = frozenset(Role)
_LOOKING = frozenset({Role.VIEWER, Role.ANALYST, Role.ADMIN})


class RouteRule(NamedTuple):
    """A route.

    Attributes:
        method: Its HTTP method.
        path: Its address.
        roles: Those whose keys open it; None: no key is asked for.
        summary: What it gives, in a line.
    """

    method: str
    path: str
    roles: frozenset[Role] | None
    summary: str


SCORE = RouteRule(
    "POST",
    "/v1/score",
    frozenset({Role.SCORER, Role.ADMIN}),
    "A decision on a transaction, or on each of several",
)
MODELS = RouteRule("GET", "/v1/models", _LOOKING, "The versions, and which one decides")
METRICS = RouteRule("GET", "/metrics", _LOOKING, "Prometheus metrics")
HEALTH = RouteRule("GET", "/health", None, "Whether the process answers")
READY = RouteRule("GET", "/ready", None, "Whether transactions are decided")
OPENAPI = RouteRule("GET", "/openapi.json", _ALL, "This description")
ROUTES = (SCORE, MODELS, METRICS, HEALTH, READY, OPENAPI)
