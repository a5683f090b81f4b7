"""What reasons cost: the scorer, topic to topic, with and without payments to explain.

Only the policy differs between the two: blocking from the score that 0.2 % of the payments
reach, or from one that none reaches.
"""

from __future__ import annotations

from benchmarks.measure import percent, ratio, spread, table, take_turns
from benchmarks.place import ALERT_SHARE, Place
from benchmarks.scorer import ours

TITLE = "Reasons"
ROUNDS = 4
TRANSACTIONS = 200_000
_WITHOUT, _WITH = "no payment stopped", f"{100 * ALERT_SHARE:g} % stopped, with reasons"


def measure(place: Place) -> list[str]:
    """The same scorer under both policies, in turns."""
    bundle = place.train("default")
    version = bundle.manifest.version
    versions = {_WITHOUT: place.blocking_from(version, 1.0), _WITH: version}
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
