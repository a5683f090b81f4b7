"""What became of the levels of categories in a period, as rows of `alarms`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from fraudline.bundle.reference import Reference, watched_values
from fraudline.contract import Contract
from fraudline.contract.alarms import LEVELS
from fraudline.measures.level_drift import count_levels
from fraudline.measures.period_watch import OTHER_LEVELS, ColumnFound
from fraudline.measures.policy_effect import percent
from fraudline.measures.share_drift import UsualShare, share_limits
from fraudline.use_cases.share_rows import json_text

Row = dict[str, Any]

_MOST_CHARACTERS = 60  # of a level that is an example


def category_words(found: ColumnFound, levels: Sequence[str]) -> Row:
    """How the levels of a category were in a period: what its row of `columns` tells.

    Args:
        found: What was found.
        levels: The names of those that changed most.
    """
    first = f"'{levels[0]}'" if levels[0] != OTHER_LEVELS else OTHER_LEVELS
    return {
        "told": (
            f"'{found.name}': {percent(found.distance)} of the values are other levels. "
            f"{percent(found.found[0])} are {first}, of the reference {percent(found.usual[0])}"
        ),
        "usual": json_text(dict(zip(levels, found.usual, strict=True))),
        "found": json_text(dict(zip(levels, found.found, strict=True))),
    }


def level_rows(contract: Contract, reference: Reference, rows: pa.Table) -> list[Row]:
    """Categories that have levels more often than is usual that were rare or unseen.

    Args:
        contract: What a transaction looks like.
        reference: Of the version that decided.
        rows: What it decided in the period, or a draw of that.
    """
    found = []
    values = watched_values(contract, rows)
    for name, levels in reference.facts.levels.items():
        codes = values[:, contract.features.index(name)]
        counts = count_levels(np.array(levels.codes, np.int64), codes)
        if not counts.sum():
            continue
        usual = UsualShare(**msgspec.structs.asdict(levels.other))
        share, (_, most) = counts[-1] / counts.sum(), share_limits(usual, int(counts.sum()))
        if share <= most:
            continue
        is_new = ~np.isnan(codes) & ~np.isin(codes, levels.codes)
        examples = Counter(rows.column(name).filter(pa.array(is_new)).to_pylist()).most_common(3)
        such = ", ".join(repr(level)[:_MOST_CHARACTERS] for level, _ in examples)
        found.append(
            {
                "detector": LEVELS,
                "column_name": name,
                "is_alarm": True,
                "statistic": share,
                "threshold": most,
                "told": (
                    f"'{name}' has levels that were rare or unseen, such as {such}, in "
                    f"{percent(share)}, usually in {percent(usual.mean)}"
                ),
                "usual": json_text({"share": usual.mean}),
                "found": json_text({"share": float(share)}),
            }
        )
    return found
