"""What reasons cost: the scorer, topic to topic, with and without payments to explain.

Only the policy differs between the two: blocking from the score that 0.5 % of the payments
reach, or from one that none reaches.
"""

from __future__ import annotations

import numpy as np
from benchmarks.measure import percent, ratio, spread, table, take_turns
from benchmarks.place import Place
from benchmarks.scorer import ours

TITLE = "Reasons"
ALERT_SHARE = 0.005
ROUNDS = 4
TRANSACTIONS = 200_000
_WITHOUT, _WITH = "no payment stopped", f"{100 * ALERT_SHARE:g} % stopped, with reasons"


def measure(place: Place) -> list[str]:
    """The same scorer under both policies, in turns."""
    bundle = place.train("default")
    scores = bundle.score(place.project.contract.feature_matrix(place.rows()))
    reached = float(np.quantile(scores, 1 - ALERT_SHARE))
    versions = {
        name: _version(place, bundle.manifest.version, threshold)
        for name, threshold in ((_WITHOUT, 1.0), (_WITH, reached))
    }
    place.fill(place.kafka.topic_transactions, place.lines(), TRANSACTIONS)

    def run(version: str) -> object:
        place.project.registry.promote(version)
        return ours(place, TRANSACTIONS)

    found = take_turns(
        {name: lambda version=version: run(version) for name, version in versions.items()},
        ROUNDS,
    )
    rates = {name: [each.rate for each in runs] for name, runs in found.items()}
    costs = {name: [each.cpu_us for each in runs] for name, runs in found.items()}
    return [
        f"{TRANSACTIONS:,} transactions; one process. Median (least to most); ratios are medians "
        "of each round's:",
        table(
            ("", "transactions/s", "processor us a transaction", "of the rate without"),
            [
                (
                    name,
                    spread(rates[name]),
                    spread(costs[name], 1),
                    percent(ratio(rates[name], rates[_WITHOUT])),
                )
                for name in found
            ],
        ),
    ]


def _version(place: Place, version: str, threshold: float) -> str:
    """The same model, blocking from a score."""
    known = {manifest.version for manifest in place.project.registry.versions()}
    fixed = str(threshold)
    place.run("models", "policy", version, "--review-from", fixed, "--block-from", fixed)
    (made,) = {manifest.version for manifest in place.project.registry.versions()} - known
    return made
