"""JSON: how each of BigQuery's functions is written for DuckDB."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.sql.nodes import call, cast, plain, refuse


def _json_format(node: exp.JSONFormat) -> exp.Expr:
    if node.args.get("options") is not None:
        raise refuse("TO_JSON_STRING with pretty_print")
    return call("bq_to_json" if node.args.get("to_json") else "bq_to_json_string", node.this)


def _json_path(node: Any) -> exp.Literal:
    path = node.expression
    if not isinstance(path, exp.JSONPath):
        raise refuse("a JSON path that is not a literal")
    return exp.Literal.string(path.sql(dialect="duckdb").strip("'"))


def _json_scalar(kind: str, wanted: str, *kinds: str) -> Callable[[Any], exp.Expr]:
    """INT64(json) and its like: an error if the JSON holds something else."""
    listed = exp.Array(expressions=[exp.Literal.string(one) for one in kinds])
    return lambda n: cast(call("bq_json_scalar", n.this, listed.copy(), wanted), kind)


JSON_RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.JSONExtractScalar: lambda n: call("bq_json_value", n.this, _json_path(n)),
    exp.JSONExtract: lambda n: call("bq_json_query", n.this, _json_path(n)),
    exp.JSONExtractArray: lambda n: call("bq_json_query_array", n.this, _json_path(n)),
    exp.JSONValueArray: lambda n: call("bq_json_value_array", n.this, _json_path(n)),
    exp.Int64: _json_scalar("BIGINT", "INT64", "BIGINT", "UBIGINT"),
    exp.Float64: _json_scalar("DOUBLE", "FLOAT64", "BIGINT", "UBIGINT", "DOUBLE"),
    exp.JSONBool: _json_scalar("BOOLEAN", "BOOL", "BOOLEAN"),
    exp.String: plain("bq_string_of", "this"),
    exp.JSONFormat: _json_format,
    exp.ParseJSON: plain("bq_parse_json", "this"),
}
