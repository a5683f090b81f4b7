"""How each expression of BigQuery's SQL is written for DuckDB.

`FAITHFUL` are the nodes DuckDB treats as BigQuery does, `RULES` those that need other words. What
is in neither is refused by name, so a construct with another meaning cannot slip through.
"""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.errors import UnsupportedSqlError

_MICROSECONDS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
}
_DATE_UNITS = ("day", "week", "isoweek", "month", "quarter", "year")
_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_STRFTIME_DIRECTIVES = frozenset("YmdHMSjaAbBpIyf%")

FAITHFUL: frozenset[type[exp.Expression]] = frozenset(
    getattr(exp, name)
    for name in ["Select", "From", "Join", "Where", "Group", "Having", "Order", "Ordered", "Limit", "Offset", "Qualify", "Window", "WindowSpec", "With", "CTE", "Subquery", "Union", "Except", "Intersect", "Table", "TableAlias", "Identifier", "Column", "Star", "Alias", "Aliases", "Paren", "Literal", "Boolean", "Null", "Neg", "And", "Or", "Not", "EQ", "NEQ", "GT", "GTE", "LT", "LTE", "NullSafeEQ", "NullSafeNEQ", "Is", "Between", "Case", "If", "Coalesce", "Nullif", "Add", "Sub", "Mul", "DPipe", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitwiseLeftShift", "BitwiseRightShift", "DataType", "DataTypeParam", "Var", "Exists", "Tuple", "Struct", "PropertyEQ", "Dot", "Distinct", "Filter", "Count", "Sum", "Min", "Max", "Avg", "AnyValue", "CountIf", "LogicalAnd", "LogicalOr", "Stddev", "StddevPop", "StddevSamp", "Variance", "VariancePop", "Corr", "CovarPop", "CovarSamp", "ArgMax", "ArgMin", "BitwiseAndAgg", "BitwiseOrAgg", "BitwiseXorAgg", "RowNumber", "Rank", "DenseRank", "PercentRank", "CumeDist", "Ntile", "Lag", "Lead", "FirstValue", "LastValue", "NthValue", "PercentileCont", "PercentileDisc", "Lower", "Upper", "Replace", "Reverse", "Repeat", "Trim", "StartsWith", "EndsWith", "Length", "Concat", "Greatest", "Least", "Abs", "Sign", "Sqrt", "Exp", "Ln", "Log", "Pow", "Round", "Ceil", "Floor", "Trunc", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Atan2", "IsNan", "IsInf", "ArraySize", "ArrayReverse", "ArrayConcat", "GenerateSeries", "Uuid", "RawString", "HexString", "ByteString", "JSONPath", "JSONPathRoot", "JSONPathKey", "JSONPathSubscript", "WeekStart", "Values", "Insert", "Update", "Delete", "Merge", "When", "Whens", "Schema", "Grouping", "Cube", "Rollup", "GroupingSets"]
    if hasattr(exp, name)
)

# Function names sqlglot does not know, each with its arity and DuckDB's words for it.
NAMED: dict[str, tuple[int, str]] = {"IEEE_DIVIDE": (2, "bq_ieee_divide"), "ERROR": (1, "error")}

_WIDENED = (
    exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Select, exp.Alias, exp.If, exp.Case,
    exp.Coalesce, exp.Array, exp.Struct, exp.PropertyEQ, exp.Tuple, exp.Nullif, exp.Greatest,
    exp.Least, exp.BitwiseLeftShift,
)  # fmt: skip


def call(name: str, *args: exp.Expression | str | int) -> exp.Anonymous:
    """A DuckDB function call, written as given."""
    return exp.Anonymous(
        this=name,
        expressions=[a if isinstance(a, exp.Expression) else _literal(a) for a in args],
    )


def cast(value: exp.Expression, kind: str) -> exp.Cast:
    """A plain DuckDB cast."""
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="duckdb"))


def refuse(what: str, hint: str = "") -> UnsupportedSqlError:
    """The error that names a refused construct."""
    return UnsupportedSqlError(f"{what} is not supported by bqlite{': ' + hint if hint else ''}")


def rewrite(root: exp.Expression) -> exp.Expression:
    """Rewrites a whole statement, children first; returns the new root.

    Raises:
        UnsupportedSqlError: A node is neither faithful nor has a rule.
    """
    for node in reversed(list(root.walk(bfs=True))):
        rule = RULES.get(type(node))
        if rule is None:
            if type(node) not in FAITHFUL:
                raise refuse(_name_of(node))
            continue
        replacement = rule(node)
        if replacement is node:
            continue
        if node is root:
            root = replacement
        else:
            node.replace(replacement)
    return root


def _name_of(node: exp.Expression) -> str:
    if isinstance(node, exp.TableSample):
        return "TABLESAMPLE"
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.upper()}"
    if isinstance(node, exp.Func):
        return f"the function {node.sql_name()}"
    return f"the construct {re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', type(node).__name__).upper()}"


def _literal(value: str | int) -> exp.Literal:
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def _unit(node: exp.Expression | None) -> tuple[str, int]:
    """A date part's name, and for weeks by how many days to shift so that Monday is first."""
    if isinstance(node, exp.WeekStart):
        day = node.name.upper()
        return "week", (7 - _WEEKDAYS.index(day)) % 7
    name = (node.name if node is not None else "day").lower()
    return ("week", 0) if name == "isoweek" else ("week", 1) if name == "week" else (name, 0)


def _shift(value: exp.Expression, days: int) -> exp.Expression:
    return exp.Add(this=value, expression=call("to_days", days)) if days else value


def _truncated(kind: str, units: tuple[str, ...], guard: str = "") -> Callable[[Any], exp.Cast]:
    def rule(node: Any) -> exp.Cast:
        unit, days = _unit(node.args.get("unit"))
        value = call(guard, node.this) if guard else node.this
        if unit not in units:
            raise refuse(f"{type(node).__name__} to {unit.upper()}")
        zone = node.args.get("zone")
        if zone is not None:
            value = call("timezone", zone, value)
        cut: exp.Expression = call("date_trunc", unit, _shift(value, days))
        if days:
            cut = exp.Sub(this=cut, expression=call("to_days", days))
        return cast(cut if zone is None else call("timezone", zone.copy(), cut), kind)

    return rule


def _interval(number: exp.Expression, unit_node: exp.Expression | None) -> exp.Anonymous:
    unit = (unit_node.name if unit_node is not None else "").lower()
    if unit not in {*_MICROSECONDS, "week", "month", "quarter", "year"}:
        raise refuse(f"an INTERVAL in {unit.upper() or 'parts'}")
    if isinstance(number, exp.Literal) and number.is_string:
        if not re.fullmatch(r"-?\d+", number.this):
            raise refuse(f"the INTERVAL '{number.this}'", "write a whole number and one unit")
        number = exp.Literal.number(number.this)
    return call(f"to_{unit}s" if unit != "century" else unit, number)


def _shifted(kind: str, sign: int, units: tuple[str, ...], guard: str = "") -> Callable[[Any], Any]:
    def rule(node: Any) -> exp.Cast:
        if (node.args["unit"].name or "").lower() not in units:
            raise refuse(f"{type(node).__name__} by {node.args['unit'].name}")
        value = call(guard, node.this) if guard else node.this
        step = _interval(node.expression, node.args["unit"])
        moved = (exp.Add if sign > 0 else exp.Sub)(this=value, expression=step)
        return cast(moved, kind)

    return rule


def _timestamp_diff(node: exp.TimestampDiff) -> exp.Expression:
    unit, _ = _unit(node.args.get("unit"))
    if unit not in _MICROSECONDS:
        raise refuse(f"TIMESTAMP_DIFF in {unit.upper()}", "use DATE_DIFF of the two dates")
    return call("bq_timestamp_diff", node.this, node.expression, _MICROSECONDS[unit])


def _boundaries(node: Any) -> exp.Expression:
    unit, days = _unit(node.args.get("unit"))
    if unit not in {*_MICROSECONDS, *_DATE_UNITS}:
        raise refuse(f"a difference in {unit.upper()}")
    start, end = _shift(node.expression, days), _shift(node.this, days)
    if unit != "week":
        return call("date_diff", unit, start, end)
    mondays = [call("date_trunc", "week", value) for value in (start, end)]
    return exp.Paren(
        this=exp.IntDiv(this=call("date_diff", "day", *mondays), expression=exp.Literal.number(7))
    )


def _extract(node: exp.Extract) -> exp.Expression:
    if isinstance(node.this, exp.WeekStart):
        raise refuse("EXTRACT(WEEK)", "use ISOWEEK")
    unit, value = node.name.upper(), node.expression
    if unit in {"DATE", "TIME"}:
        return cast(value, unit)
    if unit == "DAYOFWEEK":
        return exp.Paren(
            this=exp.Add(this=call("dayofweek", value), expression=exp.Literal.number(1))
        )
    if unit in {"MILLISECOND", "MICROSECOND"}:
        size = 1_000 if unit == "MILLISECOND" else 1_000_000
        part = call("date_part", unit.lower(), value)
        return exp.Paren(this=exp.Mod(this=part, expression=exp.Literal.number(size)))
    if unit == "ISOWEEK":
        unit = "WEEK"
    elif unit not in ["YEAR", "ISOYEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "DAYOFYEAR"]:
        raise refuse(f"EXTRACT({unit})")
    return call("date_part", unit.lower(), value)


def _format(node: Any) -> str:
    pattern = node.args.get("format")
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        raise refuse("a date format that is not a literal")
    for directive in re.findall(r"%(.?)", pattern.this):
        if directive not in _STRFTIME_DIRECTIVES:
            raise refuse(f"the date format %{directive}")
    return str(pattern.this)


def _format_time(node: exp.TimeToStr) -> exp.Expression:
    zone = node.args.get("zone")
    value = call("timezone", zone, node.this) if zone is not None else node.this
    return call("strftime", value, _format(node))


def _parse_time(kind: str) -> Callable[[Any], exp.Expression]:
    def rule(node: Any) -> exp.Expression:
        pattern = _format(node)
        if "%Y" not in pattern and "%y" not in pattern:
            raise refuse("parsing a date without its year")
        parsed = call("strptime", node.this, pattern)
        if kind == "TIMESTAMPTZ":
            return call("timezone", node.args.get("zone") or "UTC", parsed)
        return cast(parsed, kind)

    return rule


def _in_zone(kind: str) -> Callable[[Any], exp.Expression]:
    """DATE(x [, zone]), DATETIME(x [, zone]): a moment as seen in a time zone."""

    def rule(node: Any) -> exp.Expression:
        zone = node.args.get("zone") or node.args.get("expression")
        if node.this is None:
            raise refuse(f"{kind} without an argument")
        return cast(call("timezone", zone, node.this) if zone is not None else node.this, kind)

    return rule


def _timestamp(node: exp.Timestamp) -> exp.Expression:
    zone = node.args.get("zone")
    if zone is None:
        return cast(node.this, "TIMESTAMPTZ")
    return call("timezone", zone, cast(node.this, "TIMESTAMP"))


def _now(kind: str) -> Callable[[Any], exp.Expression]:
    def rule(node: Any) -> exp.Expression:
        return cast(call("timezone", node.this or "UTC", call("now")), kind)

    return rule


def _parts(name: str) -> Callable[[Any], exp.Expression]:
    def rule(node: Any) -> exp.Expression:
        return call(name, *[value for value in node.args.values() if value is not None])

    return rule


def _cast(node: exp.Cast) -> exp.Expression:
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
    return node


def _data_type(node: exp.DataType) -> exp.Expression:
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


def _number(node: exp.Literal) -> exp.Expression:
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


def _like(node: exp.Like) -> exp.Expression:
    pattern = node.expression
    if isinstance(pattern, (exp.Any, exp.All, exp.Tuple)):
        raise refuse("a quantified LIKE")
    if isinstance(node.parent, exp.Escape):
        raise refuse("LIKE with ESCAPE")
    if isinstance(pattern, exp.Literal) and "\\" not in pattern.this:
        return node
    negate = node.args.get("negate")
    like: exp.Expression = exp.Escape(
        this=exp.Like(this=node.this, expression=pattern), expression=exp.Literal.string("\\")
    )
    return exp.Not(this=exp.Paren(this=like)) if negate else like


def _in(node: exp.In) -> exp.Expression:
    unnest = node.args.get("unnest")
    if unnest is None:
        return node
    values = exp.Subquery(this=exp.select(call("unnest", unnest.expressions[0])))
    return exp.In(this=node.this, query=values)


def _unnest(node: exp.Unnest) -> exp.Expression:
    """A FROM item; `IN UNNEST` is left for its parent's rule."""
    if isinstance(node.parent, exp.In):
        return node
    if len(node.expressions) != 1:
        raise refuse("UNNEST of several arrays")
    array, offset, alias = node.expressions[0], node.args.get("offset"), node.args.get("alias")
    names = list(alias.columns) if alias is not None else []
    if alias is not None and not names and alias.this is not None:
        names = [alias.this]
    name = names[0].name if names else "f0_"
    columns: list[exp.Expression] = [exp.alias_(call("unnest", array), name, quoted=True)]
    if offset:
        offset_name = offset.name if isinstance(offset, exp.Identifier) else "offset"
        indices = call("unnest", call("range", call("len", array.copy())))
        columns.append(exp.alias_(indices, offset_name, quoted=True))
    table = exp.TableAlias(this=exp.to_identifier(f"_unnest_{id(node):x}", quoted=True))
    return exp.Subquery(this=exp.select(*columns), alias=table)


def _array(node: exp.Array) -> exp.Expression:
    first = node.expressions[0] if node.expressions else None
    if isinstance(first, (exp.Select, exp.Subquery, exp.SetOperation)):
        empty = exp.Array(expressions=[])
        return call("coalesce", node.copy(), empty)
    return node


def _bracket(node: exp.Bracket) -> exp.Expression:
    index = node.expressions[0]
    if len(node.expressions) != 1 or (isinstance(index, exp.Literal) and index.is_string):
        raise refuse("a subscript that is not an array's position", "use JSON_VALUE")
    if node.args.get("offset") == 1:
        index = exp.Paren(this=exp.Sub(this=index, expression=exp.Literal.number(1)))
    return call("bq_safe_at" if node.args.get("safe") else "bq_at", node.this, index)


def _array_agg(node: exp.ArrayAgg) -> exp.Expression:
    value, limit = node.this, None
    if isinstance(value, exp.Limit):
        value, limit = value.this, value.expression
    ignored = isinstance(node.parent, exp.IgnoreNulls)
    inner = value.this if isinstance(value, exp.Order) else value
    inner = inner.expressions[0] if isinstance(inner, exp.Distinct) else inner
    gathered: exp.Expression = call("list", value)
    if ignored:
        present = exp.Not(this=exp.Is(this=inner.copy(), expression=exp.Null()))
        gathered = exp.Filter(this=gathered, expression=exp.Where(this=present))
    if limit is not None:
        gathered = call("list_slice", gathered, 1, limit)
    return gathered


def _string_agg(node: exp.GroupConcat) -> exp.Expression:
    value = node.this
    if isinstance(value, exp.Limit):
        raise refuse("STRING_AGG with LIMIT")
    separator = node.args.get("separator") or exp.Literal.string(",")
    if isinstance(value, exp.Order):
        order = exp.Order(this=separator, expressions=value.expressions)
        return call("string_agg", value.this, order)
    return call("string_agg", value, separator)


def _ignore_nulls(node: exp.IgnoreNulls) -> exp.Expression:
    return node if isinstance(node.this, (exp.FirstValue, exp.LastValue, exp.NthValue,
                                          exp.Lag, exp.Lead)) else node.this  # fmt: skip


def _approx_quantiles(node: exp.ApproxQuantiles) -> exp.Expression:
    count = node.expression
    value = node.this
    if isinstance(value, exp.Distinct):
        raise refuse("APPROX_QUANTILES of DISTINCT values")
    if not isinstance(count, exp.Literal) or count.is_string:
        raise refuse("APPROX_QUANTILES with a number that is not a literal")
    number = int(count.this)
    marks = [exp.Literal.number(f"{i / number!r}") for i in range(number + 1)]
    return call("quantile_disc", value, exp.Array(expressions=marks))


def _regexp_extract(node: exp.RegexpExtract) -> exp.Expression:
    if node.args.get("position") is not None:
        raise refuse("REGEXP_EXTRACT with a position")
    if not isinstance(node.expression, (exp.Literal, exp.RawString)):
        raise refuse("REGEXP_EXTRACT with a pattern that is not a literal")
    return call("bq_regexp_extract", node.this, node.expression, node.args.get("group") or 0)


def _plain(name: str, *names: str) -> Callable[[Any], exp.Expression]:
    """A function of the arguments in `names` and no other."""

    def rule(node: Any) -> exp.Expression:
        given = {key for key, value in node.args.items() if isinstance(value, exp.Expression)}
        extra = given - set(names)
        if extra:
            raise refuse(f"{_name_of(node)} with {sorted(extra)[0].upper()}")
        return call(name, *[node.args[key] for key in names if node.args.get(key) is not None])

    return rule


def _hashed(name: str) -> Callable[[Any], exp.Expression]:
    def rule(node: Any) -> exp.Expression:
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


def _substring(node: exp.Substring) -> exp.Expression:
    length = node.args.get("length")
    start = node.args.get("start") or exp.Literal.number(1)
    if length is None:
        return call("bq_substr", node.this, start)
    return call("bq_substr_length", node.this, start, length)


def _printf(node: exp.Format) -> exp.Expression:
    pattern = node.this
    if not isinstance(pattern, exp.Literal) or re.search(r"%[^%dsfeg.0-9+\- ]", pattern.this):
        raise refuse("FORMAT beyond %d, %s, %f, %e and %g")
    return call("printf", pattern, *node.expressions)


def _named(node: exp.Anonymous) -> exp.Expression:
    name = node.name.upper()
    if name not in NAMED:
        raise refuse(f"the function {name}")
    arity, words = NAMED[name]
    if len(node.expressions) != arity:
        raise UnsupportedSqlError(f"{name} takes {arity} arguments, found {len(node.expressions)}")
    return call(words, *node.expressions)


def _try(node: exp.Expression) -> exp.Expression:
    return call("try", node.this)


def _try_operator(kind: type[exp.Expression]) -> Callable[[Any], exp.Expression]:
    return lambda node: call("try", kind(this=node.this, expression=node.expression))


def _date_array(node: exp.GenerateDateArray) -> exp.Expression:
    start, end = (cast(node.args[key], "TIMESTAMP") for key in ("start", "end"))
    return cast(call("generate_series", start, end, node.args["step"]), "DATE[]")


def _select(node: exp.Select) -> exp.Expression:
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


def _unix_to_time(node: exp.UnixToTime) -> exp.Expression:
    scale = int(node.args["scale"].name) if node.args.get("scale") is not None else 0
    micros = exp.Mul(
        this=exp.Paren(this=cast(node.this, "BIGINT")),
        expression=exp.Literal.number(10 ** (6 - scale)),
    )
    return call("make_timestamptz", micros)


def _table(node: exp.Table) -> exp.Expression:
    for key in ("sample", "version", "pivots", "hints", "when", "only", "partition"):
        if node.args.get(key):
            words = {"sample": "TABLESAMPLE", "version": "FOR SYSTEM_TIME", "pivots": "PIVOT"}
            raise refuse(words.get(key, key.upper()))
    return node


_TIME_UNITS = tuple(_MICROSECONDS)
_ALL_UNITS = (*_TIME_UNITS, "week", "month", "quarter", "year")

RULES: dict[type[exp.Expression], Callable[[Any], exp.Expression]] = {
    exp.Select: _select,
    exp.Table: _table,
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
    exp.SafeFunc: _try,
    exp.Like: _like,
    exp.In: _in,
    exp.Unnest: _unnest,
    exp.Array: _array,
    exp.Bracket: _bracket,
    exp.ArrayAgg: _array_agg,
    exp.GroupConcat: _string_agg,
    exp.IgnoreNulls: _ignore_nulls,
    exp.ApproxQuantiles: _approx_quantiles,
    exp.ApproxDistinct: lambda n: exp.Count(this=exp.Distinct(expressions=[n.this])),
    exp.RegexpLike: _plain("regexp_matches", "this", "expression"),
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpExtractAll: lambda n: call(
        "regexp_extract_all", n.this, n.expression, n.args.get("group") or 0
    ),
    exp.RegexpReplace: lambda n: call(
        "regexp_replace", n.this, n.expression, n.args["replacement"], "g"
    ),
    exp.Split: _plain("string_split", "this", "expression"),
    exp.StrPosition: _plain("strpos", "this", "substr"),
    exp.Substring: _substring,
    exp.ByteLength: _plain("bq_byte_length", "this"),
    exp.Pad: lambda n: call(
        "lpad" if n.args.get("is_left") else "rpad",
        n.this,
        n.expression,
        n.args.get("fill_pattern") or " ",
    ),
    exp.MD5: _plain("md5", "this"),
    exp.Left: _plain("left", "this", "expression"),
    exp.Right: _plain("right", "this", "expression"),
    exp.Format: _printf,
    exp.String: lambda n: call("bq_string", n.this),
    exp.ArrayToString: _plain("array_to_string", "this", "expression"),
    exp.GenerateDateArray: _date_array,
    exp.GenerateTimestampArray: _plain("generate_series", "start", "end", "step"),
    exp.JSONExtractScalar: lambda n: call("bq_json_value", n.this, _json_path(n)),
    exp.JSONExtract: lambda n: call("json_extract", n.this, _json_path(n)),
    exp.JSONFormat: lambda n: (
        call("to_json", n.this) if n.args.get("to_json") else cast(call("to_json", n.this), "TEXT")
    ),
    exp.ParseJSON: lambda n: cast(n.this, "JSON"),
    exp.LowerHex: lambda n: call("lower", call("hex", n.this)),
    exp.Unhex: _plain("unhex", "this"),
    exp.ToBase64: _plain("to_base64", "this"),
    exp.FromBase64: _plain("from_base64", "this"),
    exp.SHA2Digest: _hashed("sha256"),
    exp.SHA1Digest: _hashed("sha1"),
    exp.MD5Digest: _hashed("md5"),
    exp.Rand: lambda _: call("random"),
    exp.CurrentTimestamp: lambda _: call("now"),
    exp.CurrentDate: _now("DATE"),
    exp.CurrentDatetime: _now("TIMESTAMP"),
    exp.CurrentTime: _now("TIME"),
    exp.TimestampTrunc: _truncated("TIMESTAMPTZ", _ALL_UNITS),
    exp.DatetimeTrunc: _truncated("TIMESTAMP", _ALL_UNITS),
    exp.DateTrunc: _truncated("DATE", _DATE_UNITS, "bq_date"),
    exp.TimestampAdd: _shifted("TIMESTAMPTZ", 1, _TIME_UNITS),
    exp.TimestampSub: _shifted("TIMESTAMPTZ", -1, _TIME_UNITS),
    exp.DatetimeAdd: _shifted("TIMESTAMP", 1, _ALL_UNITS),
    exp.DatetimeSub: _shifted("TIMESTAMP", -1, _ALL_UNITS),
    exp.DateAdd: _shifted("DATE", 1, _DATE_UNITS, "bq_date"),
    exp.DateSub: _shifted("DATE", -1, _DATE_UNITS, "bq_date"),
    exp.TimestampDiff: _timestamp_diff,
    exp.DatetimeDiff: _boundaries,
    exp.DateDiff: _boundaries,
    exp.LastDay: _plain("last_day", "this"),
    exp.Interval: lambda n: _interval(n.this, n.args.get("unit")),
    exp.Extract: _extract,
    exp.AtTimeZone: lambda n: call("timezone", n.args["zone"], n.this),
    exp.TimeToStr: _format_time,
    exp.StrToTime: _parse_time("TIMESTAMPTZ"),
    exp.StrToDate: _parse_time("DATE"),
    exp.TsOrDsToTimestamp: lambda n: cast(n.this, "TIMESTAMPTZ"),
    exp.TsOrDsToDate: lambda n: cast(n.this, "DATE"),
    exp.TsOrDsToDatetime: _in_zone("TIMESTAMP"),
    exp.Timestamp: _timestamp,
    exp.Date: _in_zone("DATE"),
    exp.DateFromParts: _parts("make_date"),
    exp.TimestampFromParts: _parts("make_timestamp"),
    exp.TimeFromParts: _parts("make_time"),
    exp.UnixToTime: _unix_to_time,
    exp.UnixSeconds: lambda n: call("bq_unix", n.this, 1_000_000),
    exp.UnixMillis: lambda n: call("bq_unix", n.this, 1_000),
    exp.UnixMicros: lambda n: call("bq_unix", n.this, 1),
    exp.UnixDate: lambda n: call("date_diff", "day", cast(_literal("1970-01-01"), "DATE"), n.this),
    exp.Anonymous: _named,
}
