"""Numbers as people read them off: whole ones whole, others with digits that tell them apart."""

from __future__ import annotations

_WHOLE = 1e15
"""From here on a float64 no longer tells neighbouring whole numbers' halves apart."""
_DIGITS = 10


def number_words(value: float, digits: int = _DIGITS) -> str:
    """A number with thousands separators, and never with fewer digits than stand before its point.

    Args:
        value: Any.
        digits: How many a fraction has, or two behind the point where those before it take all.
    """
    if isinstance(value, int):
        return f"{value:,}"
    if value.is_integer() and abs(value) < _WHOLE:
        return f"{value:,.0f}"
    before = len(f"{abs(value):.0f}") if abs(value) < _WHOLE else 0
    return f"{value:,.{max(digits, before + 2)}g}"
