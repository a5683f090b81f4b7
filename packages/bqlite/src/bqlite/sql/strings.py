"""Strings, bytes and their digests: how each function is written for DuckDB."""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.sql.nodes import call, plain, refuse

# What TRIM takes off if it is not told: Unicode's white space, where DuckDB takes the blank.
_WHITESPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SHORT = 16  # characters in a replacement that need no bound


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


def _hashed(name: str) -> Callable[[Any], exp.Expr]:
    def rule(node: Any) -> exp.Expr:
        length = node.args.get("length")
        if length is not None and length.name != "256":
            raise refuse(f"SHA{length.name}")
        return call("unhex", call(name, node.this))

    return rule


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
    if re.search(r"%[^a-z]*\d{5}", pattern.this):
        raise refuse("FORMAT with a width or precision above 9,999")
    return call("printf", pattern, *node.expressions)


def _replace(node: exp.Replace) -> exp.Expr:
    old, new = node.expression, node.args["replacement"]
    is_shorter = old.is_string and new.is_string and len(new.name) <= len(old.name)
    return call("replace" if is_shorter else "bq_replace", node.this, old, new)


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    new = node.args["replacement"]
    if isinstance(new, (exp.Literal, exp.RawString)) and len(new.name) <= _SHORT:
        return call("regexp_replace", node.this, node.expression, new, "g")
    return call("bq_regexp_replace", node.this, node.expression, new)


STRING_RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.RegexpExtract: _regexp_extract("bq_regexp_extract"),
    exp.RegexpExtractAll: _regexp_extract("regexp_extract_all"),
    exp.Trim: _trim,
    exp.Like: _like,
    exp.RegexpLike: plain("regexp_matches", "this", "expression"),
    exp.Replace: _replace,
    exp.RegexpReplace: _regexp_replace,
    exp.Split: plain("string_split", "this", "expression"),
    exp.StrPosition: plain("strpos", "this", "substr"),
    exp.Substring: _substring,
    exp.ByteLength: plain("bq_byte_length", "this"),
    exp.Pad: lambda n: call(
        "lpad" if n.args.get("is_left") else "rpad",
        n.this,
        call("bq_width", n.expression),
        n.args.get("fill_pattern") or " ",
    ),
    exp.Repeat: lambda n: call("bq_repeat", n.this, n.args["times"]),
    exp.MD5: plain("md5", "this"),
    exp.Left: plain("left", "this", "expression"),
    exp.Right: plain("right", "this", "expression"),
    exp.Format: _printf,
    exp.LowerHex: lambda n: call("lower", call("hex", n.this)),
    exp.Unhex: plain("unhex", "this"),
    exp.ToBase64: plain("to_base64", "this"),
    exp.FromBase64: plain("from_base64", "this"),
    exp.SHA2Digest: _hashed("sha256"),
    exp.SHA1Digest: _hashed("sha1"),
    exp.MD5Digest: _hashed("md5"),
}
