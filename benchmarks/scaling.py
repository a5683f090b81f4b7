"""How the scorer scales: with processes, with the size of a transaction, with columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.csv
from benchmarks.measure import ratio, spread, table, take_turns
from benchmarks.place import Place, Throughput, throughput

TITLE = "How the scorer scales"
ROUNDS = 2
TRANSACTIONS = 150_000
SCORERS = (1, 2)
BATCHES = (250, 1_000, 4_000, 8_000)
COLUMNS = (10, 30, 100)
_HISTORY_ROWS = 3_500


def measure(place: Place) -> list[str]:
    """Three tables, each with its contenders in turns."""
    place.train("default")
    place.fill(place.kafka.topic_transactions, place.lines(), TRANSACTIONS)
    default = place.project.settings.scoring.batch_rows
    return [
        *_compared(
            f"Processes that share {place.kafka.partitions} partitions. This machine has two "
            "cores and the broker needs one, so a second scorer finds little left of them; with "
            "a core for each, the partitions are the limit. Transactions/s of all together:",
            "scorers",
            {str(copies): _scored(place, copies=copies) for copies in SCORERS},
            "1",
        ),
        *_compared(
            f"Most transactions in one Kafka transaction (`scoring.batch_rows`, default "
            f"{default:,}), one scorer:",
            "batch_rows",
            {f"{rows:,}": _scored(place, batch_rows=rows) for rows in BATCHES},
            f"{default:,}",
        ),
        *_compared(
            "Columns of a transaction, one scorer; contracts, histories and networks made for "
            "this, random numbers of 6 digits:",
            "columns",
            {str(columns): _scored(_with_columns(place, columns)) for columns in COLUMNS},
            "30",
        ),
    ]


def _compared(
    sentence: str, what: str, contenders: dict[str, Callable[[], Throughput]], to: str
) -> list[str]:
    found = take_turns(contenders, ROUNDS)
    rates = {name: [run.rate for run in runs] for name, runs in found.items()}
    return [
        sentence,
        table(
            (what, "transactions/s", "processor us a transaction", f"rate to that of {to}"),
            [
                (
                    name,
                    spread(rates[name]),
                    spread([run.cpu_us for run in runs], 1),
                    f"{ratio(rates[name], rates[to]):.2f}",
                )
                for name, runs in found.items()
            ],
        ),
    ]


def _scored(
    place: Place, copies: int = 1, batch_rows: int | None = None
) -> Callable[[], Throughput]:
    return lambda: throughput(
        place.sibling(batch_rows=batch_rows), ("score",), TRANSACTIONS, copies
    )


def _with_columns(place: Place, columns: int) -> Place:
    """A place whose transactions have so many columns, with a model and a full topic."""
    directory = place.project.settings.home / f"columns-{columns}"
    directory.mkdir()
    names = [f"v{index}" for index in range(columns - 2)]
    contract = directory / "contract.toml"
    contract.write_text(_contract(f"columns{columns}", names))
    history = directory / "history.csv"
    pyarrow.csv.write_csv(_history(names), history)
    there = place.elsewhere(directory, str(contract))
    there.run("load", str(history))
    there.train("default", history)
    there.fill(there.kafka.topic_transactions, there.lines(history), TRANSACTIONS)
    return there


def _contract(name: str, names: list[str]) -> str:
    return "\n".join(
        [
            f'name = "{name}"',
            'description = "Random numbers, to measure by."',
            '[roles]\nlabel = "is_fraud"\namount = "amount"\nevent_time = "second"',
            "[columns]",
            'second = { type = "float64", unit = "s", min = 0, max = 1e9 }',
            *(f'{name} = {{ type = "float64", min = -1e4, max = 1e4 }}' for name in names),
            'amount = { type = "float64", unit = "EUR", min = 0, max = 1e7 }',
            'is_fraud = { type = "int64", min = 0, max = 1 }',
        ]
    )


def _history(names: list[str]) -> pa.Table:
    random = np.random.default_rng(0)
    rows = random.standard_normal((_HISTORY_ROWS, len(names))).round(6)
    return pa.table(
        {
            "second": np.arange(_HISTORY_ROWS, dtype=np.float64),
            **{name: rows[:, index] for index, name in enumerate(names)},
            "amount": random.exponential(80, _HISTORY_ROWS).round(2),
            "is_fraud": (rows[:, 0] + rows[:, 1] > 2).astype(np.int64),
        }
    )
