"""How many days transactions take: the one way in which this project counts them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DAY_S = 86400.0


def days_covered(event_s: npt.NDArray[np.float64]) -> float:
    """Days from the first to the last transaction.

    Two of them are at least a second apart, else there would be no rate a day.

    Args:
        event_s: Event times, seconds, in any order, shape (rows,); at least one row.
    """
    return max(float(np.ptp(event_s)), 1.0) / DAY_S
