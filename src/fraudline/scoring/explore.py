"""Exploration: a share of what would be blocked is shown to people instead, so that it is labelled.

Which payments these are follows from their values and from the model, and from nothing else: a
message, the row of its decision and a line of a file give the same answer, and so does the same
payment when it is sent again. Who has not the model's graph cannot tell beforehand.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from fraudline.bundle.bundle import Bundle
from fraudline.contract import BLOCKED, REVIEWED
from fraudline.contract.array_types import DecisionCodes, Floats
from fraudline.contract.decoder import Row
from fraudline.scoring.draws import drawn

RowsOf = Callable[[list[int]], list[Row]]
"""The values of some rows, by their numbers: all of a transaction's, in the contract's order."""

_encode = msgspec.msgpack.Encoder().encode


def explore(codes: DecisionCodes, rows_of: RowsOf, bundle: Bundle) -> Floats | None:
    """Let a share of the blocked rows be reviewed, in place.

    Args:
        codes: What the policy says of each row, shape (rows,); it is changed.
        rows_of: Gives the values of those rows that would be blocked.
        bundle: Its policy says which share, and its graph is what nobody outside knows.

    Returns:
        With which probability each of these rows was to be reviewed, NaN for all other rows, shape
        (rows,); None where the policy does not explore.
    """
    share = bundle.manifest.policy.explored_share
    if not share:
        return None
    propensities = np.full(len(codes), np.nan)
    blocked = np.flatnonzero(codes == BLOCKED).tolist()
    if blocked:
        is_drawn = drawn(map(_encode, rows_of(blocked)), share, bundle)
        explored = [row for row, is_one in zip(blocked, is_drawn, strict=True) if is_one]
        codes[explored] = REVIEWED
        propensities[explored] = share
    return propensities
