"""The type of what each function gives, as GoogleSQL documents it and bqlite answers it."""

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from bqlite.errors import InvalidQueryError
from bqlite.sql.kinds import NULL, Kind

Given = Sequence[Kind | None]
Result = Callable[[exp.Expr, Given], Kind | None]

_FIXED = {
    "INTEGER": """
        Count CountIf ApproxDistinct Length ByteLength StrPosition UnixSeconds UnixMillis UnixMicros
        UnixDate TimestampDiff DatetimeDiff DateDiff RowNumber Rank DenseRank Ntile BitwiseCount
        RangeBucket ArraySize Int64 Grouping BitwiseAnd BitwiseOr BitwiseXor BitwiseNot
        BitwiseLeftShift BitwiseRightShift BitwiseAndAgg BitwiseOrAgg BitwiseXorAgg IntDiv HexString
    """,
    "FLOAT": """
        Exp Ln Log Sin Cos Tan Asin Acos Atan Atan2 Pow Sqrt Stddev StddevPop StddevSamp Variance
        VariancePop Corr CovarPop CovarSamp PercentRank CumeDist Rand Float64 Div SafeDivide
    """,
    "STRING": """
        Concat Format LowerHex MD5 ToBase64 Uuid TimeToStr JSONExtractScalar ArrayToString String
        RawString
    """,
    "BYTES": "ByteString Unhex FromBase64 MD5Digest SHA1Digest SHA2Digest",
    "BOOLEAN": """
        And Or Not EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Between In Exists Like RegexpLike
        StartsWith EndsWith IsNan IsInf LogicalAnd LogicalOr Boolean JSONBool
    """,
    "DATE": """
        CurrentDate DateAdd DateSub DateTrunc LastDay Date DateFromParts DateFromUnixDate
        StrToDate TsOrDsToDate
    """,
    "DATETIME": """
        CurrentDatetime DatetimeAdd DatetimeSub DatetimeTrunc Datetime TimestampFromParts
        TsOrDsToDatetime
    """,
    "TIME": "CurrentTime TimeFromParts",
    "TIMESTAMP": """
        CurrentTimestamp TimestampAdd TimestampSub TimestampTrunc Timestamp StrToTime
        TsOrDsToTimestamp
    """,
    "JSON": "ParseJSON",
    "INTERVAL": "Interval",
}
# The type of the first argument.
_AS_FIRST = """
    Paren Alias Abs Neg Sign Min Max Sum AnyValue ArgMax ArgMin PercentileDisc FirstValue LastValue
    NthValue Lag Lead Window Filter IgnoreNulls Distinct Order Limit Ordered Lower Upper Trim Left
    Right Pad Repeat Replace Reverse Substring RegexpReplace RegexpExtract ArrayReverse SafeAdd
    SafeSubtract SafeMultiply SafeNegate SafeFunc Mod GroupConcat
"""
# A FLOAT64 of a whole number, else the type of the argument.
_REAL = "Round Trunc Ceil Floor"
_ARRAYS_OF = {
    "Split": "STRING",
    "RegexpExtractAll": "STRING",
    "JSONValueArray": "STRING",
    "GenerateDateArray": "DATE",
    "GenerateTimestampArray": "TIMESTAMP",
}


def _fixed(kind: Kind) -> Result:
    return lambda _, __: kind


def _first(_: exp.Expr, given: Given) -> Kind | None:
    return given[0] if given else None


def _real(_: exp.Expr, given: Given) -> Kind | None:
    kind = given[0]
    return Kind("FLOAT") if kind is not None and kind.type in {"INTEGER", "NULL"} else kind


def _gathered(_: exp.Expr, given: Given) -> Kind | None:
    return Kind("ARRAY", given[0]) if given[0] is not None else None


def _at(_: exp.Expr, given: Given) -> Kind | None:
    return given[0].element if given[0] is not None and given[0].type == "ARRAY" else None


def _part(node: exp.Expr, _: Given) -> Kind | None:
    word = node.this.name.upper() if isinstance(node.this, exp.Expr) else ""
    return Kind(word if word in {"DATE", "TIME"} else "INTEGER")


def _of_epoch(_: exp.Expr, given: Given) -> Kind | None:
    """TIMESTAMP_SECONDS and its like, which DuckDB would round for."""
    kind = given[0]
    if kind is not None and kind.type in {"NUMERIC", "FLOAT"}:
        raise InvalidQueryError(f"a time since 1970 is an INT64, found {kind.sql}: CAST it")
    return Kind("TIMESTAMP")


def _json(node: exp.Expr, _: Given) -> Kind | None:
    return Kind("JSON" if node.args.get("to_json") else "STRING")


def _json_of(wrap: Callable[[Kind], Kind]) -> Result:
    """JSON of a JSON, and a STRING of a STRING."""
    return lambda _, given: wrap(given[0]) if given[0] is not None else None


def _zoned(_: exp.Expr, given: Given) -> Kind | None:
    """TIMESTAMP at a time zone is a DATETIME, within EXTRACT only."""
    return Kind("DATETIME") if given[0] is not None else None


def _named(node: exp.Expr, _: Given) -> Kind | None:
    return {"IEEE_DIVIDE": Kind("FLOAT"), "ERROR": NULL}.get(node.name.upper())


RESULTS: Mapping[type[exp.Expr], Result] = {
    **{
        getattr(exp, name): _fixed(Kind(word))
        for word, names in _FIXED.items()
        for name in names.split()
    },
    **{getattr(exp, name): _fixed(Kind("ARRAY", Kind(word))) for name, word in _ARRAYS_OF.items()},
    **{getattr(exp, name): _first for name in _AS_FIRST.split()},
    **{getattr(exp, name): _real for name in _REAL.split()},
    exp.Avg: _fixed(Kind("FLOAT")),
    exp.PercentileCont: _real,
    exp.ArrayAgg: _gathered,
    exp.ApproxQuantiles: _gathered,
    exp.GenerateSeries: _gathered,
    exp.Bracket: _at,
    exp.Extract: _part,
    exp.JSONFormat: _json,
    exp.JSONExtract: _json_of(lambda kind: kind),
    exp.JSONExtractArray: _json_of(lambda kind: Kind("ARRAY", kind)),
    exp.AtTimeZone: _zoned,
    exp.UnixToTime: _of_epoch,
    exp.Anonymous: _named,
    exp.Null: lambda _, __: NULL,
}
