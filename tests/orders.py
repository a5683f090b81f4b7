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
        "is_fraud": is_fraud,
    }
    return pa.table(columns, schema=SHOP.history_schema)
