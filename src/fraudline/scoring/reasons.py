"""Reasons for what is not approved, and for nothing else: they cost more than a score."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fraudline.bundle import Bundle, Reason, name_reasons
from fraudline.scoring.assess import Assessment


def reasons(
    transactions: pa.RecordBatch, assessment: Assessment, bundle: Bundle
) -> dict[int, list[Reason]]:
    """The top reasons of each row that is not approved, by row number.

    Args:
        transactions: What was assessed.
        assessment: What `assess` said of these rows.
        bundle: The model that said it.
    """
    alerts = np.flatnonzero(assessment.is_alert)
    if not len(alerts):
        return {}
    contributions = bundle.contributions(assessment.features[alerts])
    return name_reasons(transactions, alerts, contributions, bundle.contract, bundle.comparisons)
