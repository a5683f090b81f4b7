"""How each expression of BigQuery's SQL is written for DuckDB.

`FAITHFUL` are the nodes DuckDB treats as BigQuery does, `RULES` those that need other words. What
is in neither is refused by name, so a construct with another meaning cannot slip through.
"""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.errors import UnsupportedSqlError
from bqlite.sql.arrays import ARRAY_RULES
from bqlite.sql.macros import RAISING
from bqlite.sql.nodes import call, cast, name_of, plain, refuse
from bqlite.sql.times import TIME_RULES
from bqlite.sql.windows import WINDOW_RULES

FAITHFUL: frozenset[type[exp.Expr]] = frozenset(
    getattr(exp, name)
    for name in """
    Select From Join Where Group Having Order Ordered Limit Offset Qualify With
    CTE Subquery Union Table TableAlias Identifier Column Star Alias Aliases Paren
    Literal Boolean Null Neg And Or Not EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Between Case
    If Coalesce Nullif Add Mul DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift
    DataType DataTypeParam Var Exists Tuple PropertyEQ Dot Distinct
    Count Sum Min Max Avg AnyValue LogicalAnd LogicalOr Stddev StddevPop StddevSamp Variance
    VariancePop CovarPop CovarSamp BitwiseAndAgg BitwiseOrAgg BitwiseXorAgg
    RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead FirstValue LastValue NthValue
    Lower Upper Replace Reverse Repeat StartsWith EndsWith Length
    Concat Greatest Least Abs Sqrt Exp Ln Log Ceil Floor Sin Cos Tan Asin Acos Atan Atan2 IsNan
    IsInf ArraySize ArrayReverse GenerateSeries Uuid RawString HexString ByteString
    JSONPath JSONPathRoot JSONPathKey JSONPathSubscript WeekStart Rollup Cube GroupingSets Grouping
    Values Insert Update Delete Merge When Whens Schema
    """.split()  # noqa: SIM905  # a hundred names read better as words than as a list
)

# Function names sqlglot does not know, each with its arity and DuckDB's words for it.
NAMED: dict[str, tuple[int, str]] = {"IEEE_DIVIDE": (2, "bq_ieee_divide"), "ERROR": (1, "error")}

# What TRIM takes off if it is not told: Unicode's white space, where DuckDB takes the blank.
_WHITESPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

_WIDENED = (
    exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Select, exp.Alias, exp.If, exp.Case,
    exp.Coalesce, exp.Array, exp.Struct, exp.PropertyEQ, exp.Tuple, exp.Nullif, exp.Greatest,
    exp.Least, exp.BitwiseLeftShift,
)  # fmt: skip


_DATE = r"\s*\d{4}-\d{1,2}-\d{1,2}"
_CLOCK = r"([01]?\d|2[0-3]):[0-5]?\d(:[0-5]?\d(\.\d*)?)?"
_ZONE = r"\s*([+-]\d{1,2}(:?\d{2})?|[A-Za-z][\w+/-]*)?"
# What a STRING must look like for a CAST; DuckDB would take '2024/01/01', 'epoch' and '1_000', too.
TEXTS: dict[exp.DType, str] = {
    exp.DType.DATE: rf"{_DATE}([ Tt]{_CLOCK}{_ZONE})?\s*",
    exp.DType.TIME: rf"\s*{_CLOCK}\s*",
    exp.DType.TIMESTAMP: rf"{_DATE}([ Tt]{_CLOCK})?\s*",
    exp.DType.DATETIME: rf"{_DATE}([ Tt]{_CLOCK})?\s*",
    exp.DType.TIMESTAMPTZ: rf"{_DATE}([ Tt]{_CLOCK})?{_ZONE}\s*",
    exp.DType.DOUBLE: "[^_]*",
    exp.DType.DECIMAL: "[^_]*",
}


def rewrite(root: exp.Expr) -> exp.Expr:
    """Rewrites a whole statement, children first; returns the new root.

    Raises:
        UnsupportedSqlError: A node is neither faithful nor has a rule.
    """
    for node in reversed(list(root.walk(bfs=True))):
        rule = RULES.get(type(node))
        if rule is None:
            if type(node) not in FAITHFUL:
                raise refuse(name_of(node))
            continue
        replacement = rule(node)
        if replacement is node:
            continue
        if node is root:
            root = replacement
        else:
            node.replace(replacement)
    return root


def _cast(node: exp.Cast) -> exp.Expr:
    if node.args.get("format") is not None:
        raise refuse("CAST with FORMAT")
    safe, kind = isinstance(node, exp.TryCast), node.to.this
    prefix = "bq_safe_" if safe else "bq_"
    types = exp.DType
    if kind == types.BIGINT:
        return call(f"{prefix}int64", node.this)
    if kind == types.BOOLEAN:
        return call(f"{prefix}bool", node.this)
    if kind == types.TEXT:
        return call("bq_string", node.this)
    if kind in {types.BINARY, types.VARBINARY, types.BLOB}:
        return call("bq_bytes", node.this)
    if kind == types.JSON:
        raise refuse("CAST to JSON", "use PARSE_JSON")
    pattern = TEXTS.get(kind)
    is_known = isinstance(node.this, exp.Literal) and re.fullmatch(pattern or "", node.this.name)
    if pattern is not None and not is_known:
        wanted = exp.DataType(this=kind).sql(dialect="bigquery")
        node.set("this", call(f"{prefix}text", node.this, pattern, wanted))
    return node


def _data_type(node: exp.DataType) -> exp.Expr:
    types = exp.DType
    if node.this in {types.DECIMAL, types.DECIMAL64, types.DECIMAL128}:
        if node.expressions:
            raise refuse("NUMERIC with a precision", "write NUMERIC")
        node.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(n)) for n in (38, 9)])
        return node
    if node.this in {types.INT, types.SMALLINT, types.TINYINT, types.UTINYINT}:
        node.set("this", types.BIGINT)
        return node
    allowed = {
        types.BIGINT, types.DOUBLE, types.BOOLEAN, types.TEXT, types.BINARY, types.VARBINARY,
        types.DATE, types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ, types.DATETIME, types.JSON,
        types.STRUCT, types.ARRAY,
    }  # fmt: skip
    if node.this not in allowed:
        raise refuse(f"the type {node.sql(dialect='bigquery')}")
    if node.expressions and node.this not in {types.STRUCT, types.ARRAY}:
        raise refuse(f"the type {node.sql(dialect='bigquery')}", "leave out its length")
    return node


def _number(node: exp.Literal) -> exp.Expr:
    """FLOAT64 for a literal with a point, INT64 where DuckDB would compute in 32 bits."""
    if node.is_string:
        return node
    text = str(node.this)
    if not text.isdigit():
        return node if "e" in text.lower() else exp.Literal.number(f"{text}e0")
    parent = node.parent
    if not isinstance(parent, _WIDENED) or int(text) >= 2**31:
        return node
    if isinstance(parent, (exp.Add, exp.Sub)):
        beside = parent.expression if node.arg_key == "this" else parent.this
        if not isinstance(beside, (exp.Literal, exp.Binary, exp.Paren, exp.Neg)):
            return node  # a DATE plus days, where DuckDB wants the narrow integer
    return cast(exp.Literal.number(text), "BIGINT")


def _like(node: exp.Like) -> exp.Expr:
    pattern = node.expression
    if isinstance(pattern, (exp.Any, exp.All, exp.Tuple)):
        raise refuse("a quantified LIKE")
    if isinstance(node.parent, exp.Escape):
        raise refuse("LIKE with ESCAPE")
    if isinstance(pattern, exp.Literal) and "\\" not in pattern.this:
        return node
    negate = node.args.get("negate")
    like: exp.Expr = exp.Escape(
        this=exp.Like(this=node.this, expression=pattern), expression=exp.Literal.string("\\")
    )
    return exp.Not(this=exp.Paren(this=like)) if negate else like


def _regexp_extract(name: str) -> Callable[[Any], exp.Expr]:
    def rule(node: Any) -> exp.Expr:
        if node.args.get("position") is not None:
            raise refuse("REGEXP_EXTRACT with a position")
        if not isinstance(node.expression, (exp.Literal, exp.RawString)):
            raise refuse("REGEXP_EXTRACT with a pattern that is not a literal")
        pattern = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", node.expression.name)
        groups = len(re.findall(r"\((?!\?)|\(\?P?<(?![=!])", pattern))
        if groups > 1:
            raise refuse("REGEXP_EXTRACT with more than one capturing group")
        return call(name, node.this, node.expression, groups)

    return rule


def _trim(node: exp.Trim) -> exp.Expr:
    if node.expression is None:
        node.set("expression", exp.Literal.string(_WHITESPACE))
    return node


def _struct(node: exp.Struct) -> exp.Expr:
    """Compared, stored, or in an array after its first, a STRUCT's fields count by position."""
    parent = node.parent
    follows = isinstance(parent, exp.Array) and parent.expressions[0] is not node
    is_stored = isinstance(parent, exp.Tuple) and isinstance(
        parent.parent, (exp.Values, exp.Insert)
    )
    if not follows and not is_stored and not isinstance(parent, (exp.Predicate, exp.In)):
        return node
    values = [one.expression if isinstance(one, exp.PropertyEQ) else one.unalias() for one in node]
    return call("row", *values)


def _subtract(node: exp.Sub) -> exp.Expr:
    # DuckDB's TRY, which is SAFE., takes no macro that raises.
    is_safe = node.find_ancestor(exp.SafeFunc) is not None
    return node if is_safe else call("bq_subtract", node.this, node.expression)


def _count_if(node: exp.CountIf) -> exp.Expr:
    """0 where there is nothing to count, where DuckDB's may be NULL."""
    if isinstance(node.this, exp.Distinct):
        raise refuse("COUNTIF of DISTINCT values")
    return exp.Count(this=call("nullif", node.this, exp.false()))


def _set_operation(node: exp.SetOperation) -> exp.Expr:
    if not node.args.get("distinct"):
        raise refuse(f"{type(node).__name__.upper()} ALL")
    return node


def _json_format(node: exp.JSONFormat) -> exp.Expr:
    if node.args.get("options") is not None:
        raise refuse("TO_JSON_STRING with pretty_print")
    return call("bq_to_json" if node.args.get("to_json") else "bq_to_json_string", node.this)


def _array_concat(node: exp.ArrayConcat) -> exp.Expr:
    joined: exp.Expr = node.this
    for one in node.expressions:
        joined = exp.DPipe(this=joined, expression=one)
    return exp.Paren(this=joined)


def _hashed(name: str) -> Callable[[Any], exp.Expr]:
    def rule(node: Any) -> exp.Expr:
        length = node.args.get("length")
        if length is not None and length.name != "256":
            raise refuse(f"SHA{length.name}")
        return call("unhex", call(name, node.this))

    return rule


def _json_path(node: Any) -> exp.Literal:
    path = node.expression
    if not isinstance(path, exp.JSONPath):
        raise refuse("a JSON path that is not a literal")
    return exp.Literal.string(path.sql(dialect="duckdb").strip("'"))


def _substring(node: exp.Substring) -> exp.Expr:
    length = node.args.get("length")
    start = node.args.get("start") or exp.Literal.number(1)
    if length is None:
        return call("bq_substr", node.this, start)
    return call("bq_substr_length", node.this, start, length)


def _printf(node: exp.Format) -> exp.Expr:
    pattern = node.this
    if not isinstance(pattern, exp.Literal) or re.search(r"%[^%dsfeg.0-9+\- ]", pattern.this):
        raise refuse("FORMAT beyond %d, %s, %f, %e and %g")
    return call("printf", pattern, *node.expressions)


def _named(node: exp.Anonymous) -> exp.Expr:
    name = node.name.upper()
    if name not in NAMED:
        raise refuse(f"the function {name}")
    arity, words = NAMED[name]
    if len(node.expressions) != arity:
        raise UnsupportedSqlError(f"{name} takes {arity} arguments, found {len(node.expressions)}")
    return call(words, *node.expressions)


def _try(node: exp.Expr) -> exp.Expr:
    # DuckDB's TRY takes no function of ours that raises an error itself.
    if any(one.name in RAISING for one in node.find_all(exp.Anonymous)):
        raise refuse("SAFE. of this function")
    return call("try", node.this)


def _rounded(name: str) -> Callable[[Any], exp.Expr]:
    def rule(node: Any) -> exp.Expr:
        if node.args.get("truncate"):
            raise refuse(f"{name.upper()} with a rounding mode")
        digits = node.args.get("decimals")
        value = call("bq_real", node.this)
        if digits is None:
            return call(name, value)
        return call(name, value, cast(digits, "INTEGER"))

    return rule


def _json_scalar(kind: str, wanted: str, *kinds: str) -> Callable[[Any], exp.Expr]:
    """INT64(json) and its like: an error if the JSON holds something else."""
    listed = exp.Array(expressions=[exp.Literal.string(one) for one in kinds])
    return lambda n: cast(call("bq_json_scalar", n.this, listed.copy(), wanted), kind)


def _try_operator(kind: type[exp.Expr]) -> Callable[[Any], exp.Expr]:
    return lambda node: call("try", kind(this=node.this, expression=node.expression))


def _select(node: exp.Select) -> exp.Expr:
    kind = node.args.get("kind")
    if kind not in {None, "STRUCT"}:
        raise refuse(f"SELECT AS {kind}")
    if node.args.get("laterals") or node.args.get("hint"):
        raise refuse("LATERAL or a hint")
    if kind == "STRUCT" and not _is_value(node):
        node.set("kind", None)  # a value table's columns are the struct's members
    return node


def _is_value(node: exp.Select) -> bool:
    """Whether a SELECT is a value, as in ARRAY(SELECT ...), rather than a table."""
    parent = node.parent
    if isinstance(parent, exp.Subquery):
        return not isinstance(parent.parent, (exp.From, exp.Join))
    return isinstance(parent, exp.Array)


def _join(node: exp.Join) -> exp.Expr:
    if node.args.get("method"):
        raise refuse(f"a {node.args['method']} JOIN")
    return node


def _distinct(node: exp.Distinct) -> exp.Expr:
    if len(node.expressions) > 1 or node.args.get("on"):
        raise refuse("DISTINCT of several values")
    return node


def _table(node: exp.Table) -> exp.Expr:
    for key in ("sample", "version", "pivots", "hints", "when", "only", "partition"):
        if node.args.get(key):
            words = {"sample": "TABLESAMPLE", "version": "FOR SYSTEM_TIME", "pivots": "PIVOT"}
            raise refuse(words.get(key, key.upper()))
    return node


RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    **TIME_RULES,
    **ARRAY_RULES,
    **WINDOW_RULES,
    exp.RegexpExtract: _regexp_extract("bq_regexp_extract"),
    exp.RegexpExtractAll: _regexp_extract("regexp_extract_all"),
    exp.Trim: _trim,
    exp.Struct: _struct,
    exp.ArrayConcat: _array_concat,
    exp.Sub: _subtract,
    exp.BitwiseRightShift: plain("bq_shift_right", "this", "expression"),
    exp.Sign: plain("bq_sign", "this"),
    exp.CountIf: _count_if,
    exp.Except: _set_operation,
    exp.Intersect: _set_operation,
    exp.Corr: plain("bq_corr", "this", "expression"),
    exp.ArgMax: plain("arg_max_null", "this", "expression"),
    exp.ArgMin: plain("arg_min_null", "this", "expression"),
    exp.JSONExtractScalar: lambda n: call("bq_json_value", n.this, _json_path(n)),
    exp.JSONExtract: lambda n: call("bq_json_query", n.this, _json_path(n)),
    exp.JSONExtractArray: lambda n: call("bq_json_query_array", n.this, _json_path(n)),
    exp.JSONValueArray: lambda n: call("bq_json_value_array", n.this, _json_path(n)),
    exp.Int64: _json_scalar("BIGINT", "INT64", "BIGINT", "UBIGINT"),
    exp.Float64: _json_scalar("DOUBLE", "FLOAT64", "BIGINT", "UBIGINT", "DOUBLE"),
    exp.JSONBool: _json_scalar("BOOLEAN", "BOOL", "BOOLEAN"),
    exp.Select: _select,
    exp.Table: _table,
    exp.Join: _join,
    exp.Distinct: _distinct,
    exp.Literal: _number,
    exp.DataType: _data_type,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Div: lambda n: call("bq_div", n.this, n.expression),
    exp.SafeDivide: lambda n: call("bq_safe_divide", n.this, n.expression),
    exp.IntDiv: lambda n: call("bq_int_div", n.this, n.expression),
    exp.Mod: lambda n: call("bq_mod", n.this, n.expression),
    exp.SafeAdd: _try_operator(exp.Add),
    exp.SafeSubtract: _try_operator(exp.Sub),
    exp.SafeMultiply: _try_operator(exp.Mul),
    exp.SafeNegate: lambda n: call("try", exp.Neg(this=n.this)),
    exp.SafeFunc: _try,
    exp.Pow: plain("bq_pow", "this", "expression"),
    exp.Round: _rounded("round"),
    exp.Trunc: _rounded("trunc"),
    exp.BitwiseCount: lambda n: call("bit_count", cast(n.this, "BIGINT")),
    exp.Like: _like,
    exp.RegexpLike: plain("regexp_matches", "this", "expression"),
    exp.RegexpReplace: lambda n: call(
        "regexp_replace", n.this, n.expression, n.args["replacement"], "g"
    ),
    exp.Split: plain("string_split", "this", "expression"),
    exp.StrPosition: plain("strpos", "this", "substr"),
    exp.Substring: _substring,
    exp.ByteLength: plain("bq_byte_length", "this"),
    exp.Pad: lambda n: call(
        "lpad" if n.args.get("is_left") else "rpad",
        n.this,
        n.expression,
        n.args.get("fill_pattern") or " ",
    ),
    exp.MD5: plain("md5", "this"),
    exp.Left: plain("left", "this", "expression"),
    exp.Right: plain("right", "this", "expression"),
    exp.Format: _printf,
    exp.String: plain("bq_string_of", "this"),
    exp.JSONFormat: _json_format,
    exp.ParseJSON: lambda n: cast(n.this, "JSON"),
    exp.LowerHex: lambda n: call("lower", call("hex", n.this)),
    exp.Unhex: plain("unhex", "this"),
    exp.ToBase64: plain("to_base64", "this"),
    exp.FromBase64: plain("from_base64", "this"),
    exp.SHA2Digest: _hashed("sha256"),
    exp.SHA1Digest: _hashed("sha1"),
    exp.MD5Digest: _hashed("md5"),
    exp.Rand: lambda _: call("random"),
    exp.Anonymous: _named,
}
