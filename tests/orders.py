"""A history of the made-up shop: seeded; values are missing more often where it is fraud."""

import datetime as dt

import numpy as np
import pyarrow as pa
from tests.transactions import SHOP

BEGIN = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)


def orders(rows: int = 2000, seed: int = 11) -> pa.Table:
    """Orders, seven minutes apart; one in ten is a fraud."""
    random = np.random.default_rng(seed)
    is_fraud = random.random(rows) < 0.1

    def missing(values: list[object], honest: float, fraud: float) -> list[object]:
        is_null = random.random(rows) < np.where(is_fraud, fraud, honest)
        return [None if null else value for null, value in zip(is_null, values, strict=True)]

    def pick(levels: list[object], times: float) -> list[object]:
        """The last level is so many times as often picked by a fraud."""
        usual = np.linspace(len(levels), 1, len(levels))
        shares = np.where(is_fraud[:, None] & (np.arange(len(levels)) == len(levels) - 1), times, 1)
        shares = usual * shares
        drawn = shares.cumsum(axis=1) / shares.sum(axis=1, keepdims=True) < random.random((rows, 1))
        return [levels[at] for at in drawn.sum(axis=1)]

    at = [BEGIN + dt.timedelta(minutes=7 * number) for number in range(rows)]
    logins = [each - dt.timedelta(hours=float(random.exponential(5))) for each in at]
    columns = {
        "order_id": [f"o-{number}" for number in range(rows)],
        "ordered_at": at,
        "amount": np.exp(random.normal(3, 1, rows)),
        "items": missing(random.poisson(2, rows).tolist(), 0.3, 0.3),
        "amount_of_last_order": missing(np.exp(random.normal(3, 1, rows)).tolist(), 0.1, 0.6),
        "is_known": missing((random.random(rows) < 0.5).tolist(), 0.002, 0.0),
        "last_login_at": missing(logins, 0.2, 0.2),
        "speed": random.normal(is_fraud, 0.7),
        "country": missing(pick(["AT", "DE", "FR", "IT", "Ελλάδα", "NL", "XX"], 3.0), 0.05, 0.05),
        "code": pick([5411, 5812, 7995], 6.0),
        "is_gift": missing((random.random(rows) < 0.1).tolist(), 0.1, 0.1),
        "merchant": [f"m-{number}" for number in random.zipf(1.3, rows) % 500],
        "is_fraud": is_fraud,
    }
    return pa.table(columns, schema=SHOP.history_schema)
