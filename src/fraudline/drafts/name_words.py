"""What the name of a column says it is."""

from __future__ import annotations

import re

from fraudline.contract.time_units import seconds_of

_LABELS = {"class", "label", "target", "y"}
_AMOUNTS = {"amount", "amt"}
# An amount with one of these is of other payments, or of none.
_NO_AMOUNT = {
    *("avg", "average", "mean", "median", "sum", "total", "max", "min", "std", "last", "prev"),
    *("previous", "first", "count", "nb", "num", "ratio", "share", "rate", "limit", "log", "fee"),
    *(
        "old",
        "new",
        "before",
        "after",
        "balance",
        "original",
        "per",
        "diff",
        "delta",
        "day",
        "hour",
    ),
}
_TIMES = {"time", "timestamp", "datetime", "date", "ts", "at", "epoch", "unix", "unixtime", "step"}
# A time with one of these is not the payment's own.
_NO_EVENT = {
    *("birth", "dob", "expiry", "expires", "updated", "settled", "reported", "chargeback", "since"),
    *("last", "first", "prev", "previous", "registered", "opened", "resolved", "labelled", "until"),
}
_PAYMENTS = {"transaction", "trans", "tx", "txn", "payment", "order", "event"}
_IDS = {"id", "uuid", "guid", "nr", "no", "num", "number", "key", "ref", "reference"}
# What takes part in a payment, by the words for it.
_ENTITIES = {
    **dict.fromkeys(("card", "cc"), "card"),
    **dict.fromkeys(("customer", "cust", "client", "cardholder", "user", "member"), "customer"),
    **dict.fromkeys(("account", "acct", "acc", "iban"), "account"),
    **dict.fromkeys(("merchant", "merch", "shop", "store", "seller"), "merchant"),
    **dict.fromkeys(("terminal", "pos", "atm"), "terminal"),
    **dict.fromkeys(("device", "phone"), "device"),
    **{each: each for each in ("acquirer", "wallet", "payer", "payee", "sender", "receiver")},
}
# What may stand beside one of them.
_OF_AN_ENTITY = {*_IDS, "hash", "hashed", "token", "pan", "code", "name"}
_NEVER_BELOW_0 = {"age", "count", "distance", "items", "nb", "qty", "quantity"}
_LATITUDES, _LONGITUDES = {"lat", "latitude"}, {"lon", "lng", "long", "longitude"}
_CENTS = {"cent", "cents", "minor"}
_CURRENCIES = {"eur", "usd", "gbp", "chf", "jpy", "sek", "dkk", "nok", "pln", "cad", "aud", "inr"}


def words_of(name: str) -> list[str]:
    """The words of a name such as `TX_AMOUNT` or `transactionAmt`, in small letters."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def is_called_label(name: str) -> bool:
    """Whether it says that it tells fraud."""
    words = words_of(name)
    return (
        any(word.startswith(("fraud", "isfraud", "chargeback")) for word in words)
        or "".join(words) in _LABELS
    )


def is_called_amount(name: str) -> bool:
    """Whether it says that it is what a payment is worth."""
    words = set(words_of(name))
    has_number = any(word.isdigit() for word in words)
    return bool(words & _AMOUNTS) and not words & _NO_AMOUNT and not has_number


def is_called_time(name: str) -> bool:
    """Whether it says that it is when something was."""
    return bool(set(words_of(name)) & _TIMES)


def is_called_event_time(name: str) -> bool:
    """Whether it may be when a payment was made, and not another time of it."""
    return not set(words_of(name)) & _NO_EVENT


def is_called_payment_id(name: str) -> bool:
    """Whether it says that it names the payment."""
    words = set(words_of(name))
    return bool(words & _IDS and words & _PAYMENTS) or words <= _IDS & {"id", "uuid", "guid"}


def entity_of(name: str) -> str | None:
    """Who or what takes part in a payment and is named by it; None if its name says nobody."""
    words = words_of(name)
    named = [_ENTITIES[word] for word in words if word in _ENTITIES]
    others = {word for word in words if word not in _ENTITIES}
    return named[0] if len(named) == 1 and others <= _OF_AN_ENTITY else None


def is_called_id(name: str) -> bool:
    """Whether it says that it names something, such as a customer."""
    return words_of(name)[-1:] in [["id"], ["uuid"], ["guid"], ["zip"], ["postcode"]]


def time_unit_of(name: str) -> str | None:
    """The unit that its name says a time is counted in."""
    return next((word for word in words_of(name) if len(word) > 1 and seconds_of(word)), None)


def money_unit_of(name: str) -> str:
    """The unit that its name says an amount is in; empty if it says none."""
    words = set(words_of(name))
    if words & _CENTS:
        return "cent"
    return next((word.upper() for word in sorted(words & _CURRENCIES)), "")


def place_of(name: str) -> tuple[str, str] | None:
    """Whose latitude or longitude it says it is, and which of the two; None: neither."""
    words = words_of(name)
    for end, known in (("latitude", _LATITUDES), ("longitude", _LONGITUDES)):
        if {*words} & known:
            return "_".join(word for word in words if word not in known), end
    return None


def is_called_birth(name: str) -> bool:
    """Whether it says that it is when somebody was born."""
    return bool({*words_of(name)} & {"birth", "born", "dob", "birthday", "birthdate"})


def limits_of(name: str) -> tuple[int | None, int | None]:
    """Between which numbers its meaning holds it, if its name says so."""
    words = set(words_of(name))
    if words & _LATITUDES:
        return -90, 90
    if words & _LONGITUDES:
        return -180, 180
    return (0, None) if words & _NEVER_BELOW_0 else (None, None)
