"""A made-up table of card payments such as a team may have, which no contract describes yet.

It is here to be read and loaded: nothing that is learned of it says anything about real fraud.
Frauds are dearer, farther away and more often abroad; the distance is not always known; the
chargeback is filed weeks later, for frauds alone.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import numpy as np

ROWS = 800
LABEL = "is_fraud"
CATEGORIES = ("grocery", "travel", "fuel", "shopping, “online”", "games")


def write_card_table(file: Path, rows: int = ROWS) -> Path:
    """Write the table as CSV, the same one each time."""
    random = np.random.default_rng(11)
    begin = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    with file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(
            [
                *("payment_id", "paid_at", "card_number", "amount_eur", "merchant_category"),
                *("payments_last_day", "distance_km", "is_abroad", "currency"),
                *("chargeback_filed", LABEL),
            ]
        )
        for number in range(rows):
            is_fraud = random.random() < 0.1
            table.writerow(
                [
                    f"p-{number:05}",
                    f"{begin + dt.timedelta(minutes=7 * number):%Y-%m-%dT%H:%M:%SZ}",
                    card_number(number % 97),
                    f"{random.gamma(2.0, 40.0 + 60.0 * is_fraud):.2f}",
                    CATEGORIES[random.integers(len(CATEGORIES))],
                    random.poisson(2.0 + 2.0 * is_fraud),
                    "" if random.random() < 0.2 else f"{random.gamma(1.5, 5 + 30 * is_fraud):.1f}",
                    "true" if random.random() < 0.1 + 0.4 * is_fraud else "false",
                    "EUR",
                    int(is_fraud),
                    int(is_fraud),
                ]
            )
    return file


def card_number(number: int) -> str:
    """A number of 16 digits with the check digit of a card, which is no card's."""
    digits = f"999999{number:09}"
    doubled = (int(digit) * 2 for digit in digits[-1::-2])
    total = sum(map(int, digits[-2::-2])) + sum(each - 9 * (each > 9) for each in doubled)
    return digits + str(-total % 10)
