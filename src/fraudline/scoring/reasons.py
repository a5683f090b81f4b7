"""Reasons for what is not approved, and for nothing else: they cost more than a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fraudline.bundle.bundle import Bundle
from fraudline.bundle.reason_sentences import Reason, Value, name_reasons
from fraudline.scoring.assess import Assessment


def reasons(
    values_of: Callable[[int], Sequence[Value]], assessment: Assessment, bundle: Bundle
) -> dict[int, list[Reason]]:
    """The top reasons of each row that is not approved, by row number.

    Args:
        values_of: The values of a row's features as they were sent, in feature order.
        assessment: What `assess` said of the rows.
        bundle: The model that said it.
    """
    found = np.flatnonzero(assessment.is_alert)
    if not len(found):
        return {}
    alerts: list[int] = found.tolist()
    stopped = assessment if len(alerts) == len(assessment.scores) else assessment.take(found)
    contributions = bundle.contributions(stopped.features, stopped.inner)
    values = [values_of(row) for row in alerts]
    named = name_reasons(values, contributions, bundle.contract, bundle.comparisons)
    return dict(zip(alerts, named, strict=True))
