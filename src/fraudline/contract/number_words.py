"""Numbers as people read them off: whole ones whole, others with digits that tell them apart."""

from __future__ import annotations

_WHOLE = 1e15
"""From here on a float64 no longer tells neighbouring whole numbers' halves apart."""
_DIGITS = 10


def number_words(value: float) -> str:
    """A number with thousands separators, and never with fewer digits than stand before its point.

    A fraction has ten digits, or two behind the point where those before it take all of them.
    """
    if isinstance(value, int):
        return f"{value:,}"
    if value.is_integer() and abs(value) < _WHOLE:
        return f"{value:,.0f}"
    before = len(f"{abs(value):.0f}") if abs(value) < _WHOLE else 0
    return f"{value:,.{max(_DIGITS, before + 2)}g}"
