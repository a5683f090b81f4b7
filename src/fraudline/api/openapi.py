"""What the API takes and gives, as OpenAPI 3.1, for the columns of a contract."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import msgspec

from fraudline.api.api_app import SeveralAnswers
from fraudline.api.problems import Problem
from fraudline.api.routes import ROUTES, SCORE, RouteRule
from fraudline.api.scoring_turns import DecisionAnswer
from fraudline.contract import DECISIONS, Contract
from fraudline.schemas import json_schema
from fraudline.scoring import Reason
from fraudline.settings import ApiSettings

_PROBLEM = "application/problem+json"
_TEXTS = {"date-time": "2026-01-02T03:04:05Z", "date": "2026-01-02"}
_REFUSALS = {
    "400": "The body is no JSON.",
    "401": "No API key that is in force was shown.",
    "403": "The key is for another role.",
    "413": "The body is too large, or has too many transactions.",
    "415": "The body is of another type than JSON.",
    "422": "It is no transaction of the contract, or cannot be scored.",
    "429": "The key's rate is used up (`Retry-After`), or the address showed too many wrong keys.",
    "500": "A fault of the server. Of several transactions some may have been decided; with an id, "
    "they are given those decisions when they are sent again.",
    "503": "Too many transactions wait (`Retry-After`); nothing was decided.",
}


def describe(contract: Contract, settings: ApiSettings) -> bytes:
    """The description as JSON.

    Args:
        contract: Whose transactions are scored.
        settings: The limits.
    """
    transaction = json.loads(json_schema(contract))
    del transaction["$schema"]
    told = {
        "openapi": "3.1.1",
        "info": {
            "title": f"fraudline: {contract.name}",
            "version": version("fraudline"),
            "description": contract.description or "Decisions on payments.",
        },
        "security": [{"key": []}],
        "paths": _paths(contract, settings),
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `fl_…`; `fraudline keys create` makes one.",
                }
            },
            "schemas": {"Transaction": transaction, **_answers()},
        },
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _paths(contract: Contract, settings: ApiSettings) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for rule in ROUTES:
        operation: dict[str, Any] = {
            "summary": rule.summary,
            "operationId": rule.path.strip("/").replace("/", "_").removesuffix(".json"),
            "responses": _responses(rule),
        }
        if rule.roles is None:
            operation["security"] = []
        else:
            operation["description"] = f"For keys of the role {', '.join(sorted(rule.roles))}."
        if rule == SCORE:
            operation |= _scoring(contract, settings)
        paths[rule.path] = {rule.method.lower(): operation}
    return paths


def _scoring(contract: Contract, settings: ApiSettings) -> dict[str, Any]:
    example = _example(json.loads(json_schema(contract)))
    one = {"$ref": "#/components/schemas/Transaction"}
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": settings.max_rows}
    repeats = (
        f"A transaction whose `{'`, `'.join(contract.id_columns)}` this process has decided before "
        "is given that decision again; with other values it is refused."
        if contract.id is not None
        else "The contract has no id, so a transaction that is sent twice is decided twice."
    )
    return {
        "description": "One transaction as an object, or several as an array. Of an array each is "
        f"decided by itself, and the answer has a decision or a problem for each. {repeats} For "
        "keys of the role admin, scorer.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [one, several]},
                    "examples": {
                        "one": {"summary": "One transaction", "value": example},
                        "several": {"summary": "Several", "value": [example]},
                    },
                }
            },
        },
    }


def _responses(rule: RouteRule) -> dict[str, Any]:
    good: dict[str, Any] = {"description": rule.summary}
    if rule == SCORE:
        names = ("DecisionAnswer", "SeveralAnswers")
        schema = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}
        good["content"] = {"application/json": {"schema": schema}}
        codes = list(_REFUSALS)
    else:
        kind = "text/plain" if rule.path == "/metrics" else "application/json"
        good["content"] = {kind: {"schema": {}}}
        codes = ["503"] if rule.path == "/ready" else []
        codes += [] if rule.roles is None else ["401", "403", "429"]
    problem = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refusals = {
        code: {"description": _REFUSALS[code], "content": problem} for code in sorted(codes)
    }
    if rule.path == "/ready":
        refusals["503"] = {"description": "They are not; why.", "content": good["content"]}
    return {"200": good, **refusals}


def _answers() -> dict[str, Any]:
    """The schemas of what is answered."""
    _, found = msgspec.json.schema_components(
        (DecisionAnswer, Problem), ref_template="#/components/schemas/{name}"
    )
    schemas: dict[str, Any] = dict(found)
    answer = schemas["DecisionAnswer"]["properties"]
    answer["decision"] = {"enum": list(DECISIONS)}
    answer["reasons"] = {
        "type": ["array", "null"],
        "items": {
            "title": Reason.__name__,
            "type": "object",
            "properties": {
                "feature": {"type": "string"},
                "value": {},
                "contribution": {"type": "number"},
                "sentence": {"type": "string"},
            },
            "required": list(Reason.__struct_fields__),
        },
    }
    schemas["SeveralAnswers"] = {
        "title": SeveralAnswers.__name__,
        "type": "object",
        "properties": {
            "decided": {"type": "integer"},
            "refused": {"type": "integer"},
            "results": {
                "type": "array",
                "items": {
                    "oneOf": [
                        {"$ref": "#/components/schemas/DecisionAnswer"},
                        {"$ref": "#/components/schemas/Problem"},
                    ]
                },
            },
        },
        "required": ["decided", "refused", "results"],
    }
    return schemas


def _example(schema: dict[str, Any]) -> Any:
    """Something that a schema of a transaction lets pass."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0])
    kinds = schema.get("type")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        return {name: _example(each) for name, each in schema.get("properties", {}).items()}
    if kind in {"integer", "number"}:
        return max(schema.get("minimum", 1), min(schema.get("maximum", 1), 1))
    if kind == "boolean":
        return True
    return _TEXTS.get(schema.get("format", ""), "a")
