"""What legitimate payments are like, feature by feature: what a reason compares with."""

from __future__ import annotations

from typing import Literal

import msgspec

# The shares of legitimate payments that a sentence names, from both ends.
LEVELS = (0.001, 0.01, 0.05, 0.95, 0.99, 0.999)


class Frequency(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How frequent something is, such as a null, and how often it is fraud.

    Attributes:
        share: Of the legitimate payments of the train part.
        times: How many times as often payments are fraud where it is as where it is not; None
            where chance alone explains the difference.
        is_least: Whether it is that often at least, since no fraud was seen where it is not.
    """

    share: float
    times: float | None = None
    is_least: bool = False


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One feature over the legitimate payments of the train part.

    Attributes:
        kind: `number`; `time_of_day`, a number of seconds of which only the second of the
            day counts; `weekday`, from 0, a Monday; `flag`; or `level`.
        values: Of a number its quantiles at `LEVELS`; of a time of day the share of the
            payments in each of 24 hours, and of a weekday on each; of a flag the share that has
            it; of a level none. Nulls are left out.
        missing: Of nulls, where the feature may be null.
        levels: Of a category's most frequent levels, by name: the level as text.
        other: Of all its other levels together.
    """

    kind: Literal["number", "time_of_day", "weekday", "flag", "level"]
    values: tuple[float, ...]
    missing: Frequency | None = None
    levels: dict[str, Frequency] = {}
    other: Frequency | None = None

    def __post_init__(self) -> None:
        counts = {"number": len(LEVELS), "time_of_day": 24, "weekday": 7, "flag": 1, "level": 0}
        expected = counts[self.kind]
        if len(self.values) != expected:
            raise ValueError(f"{len(self.values)} values of kind {self.kind}, not {expected}")


class Comparisons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`comparisons.json` of a bundle.

    Attributes:
        rows: Legitimate payments that were counted.
        background_rows: Payments that contributions are measured from: a few legitimate ones, or
            of a forest all that it learned.
        background_log_odds: Mean log-odds of those; contributions and this add up to the
            log-odds of a payment.
        features: By name, in the order of the graph's input.
    """

    rows: int
    background_rows: int
    background_log_odds: float
    features: dict[str, Comparison]


decode_comparisons = msgspec.json.Decoder(Comparisons).decode
