"""Card payments that nobody made, by a law that is written down: to try things with.

They have what a team's table has and the public ones have not: customers, cards, merchants,
devices, categories, places, dates of birth, missing values, several kinds of fraud, and a change.
Nothing that is learned of them says anything about real fraud.

The law, all of it drawn from one seed:

- *Customers*, one for 40 payments: at home in one of six cities (normal around it, sd 0.15
  degrees), 18 to 90 years old, paying 8 to 120 EUR in the middle (log-uniform; each payment
  log-normal around it, sd 0.7). A sixth of them has two cards, a third two devices.
- *Merchants*, one for 50 payments, at least 60: each in one category and one of the cities. How
  often one is paid falls with its rank (Zipf, exponent 1.1).
- *Payments* over 90 days from 2026-01-01: three of ten online, else in the customer's city; there
  nine of ten below 50 EUR are contactless, the rest by chip. The hour is normal around 16, sd 4.
  The device is known of nine of ten online payments and of no other, the date of birth of 19 of
  20 customers.
- *Fraud*, 6 of 1,000 payments, in bouts on one card within six hours. `stolen`: 2 to 6 payments by
  chip from 11 on, in other cities, of five times the customer's amounts. `takeover`: 2 to 4 online
  payments from 1 on, from a device that nobody has used, for electronics and gift cards, of four
  times the amounts. `testing`: 5 to 15 online payments from 3 on, below 2 EUR. From day 60 on also
  `transfer`: 1 to 3 payments from 12 on of the usual amounts to who transfers money, from a new
  device; no earlier fraud resembles it.
- *A change without fraud*: from day 60 on all amounts are a tenth higher.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.errors import InputError

MOST_ROWS = 20_000_000
LEAST_ROWS = 1_000
DAYS = 90
CHANGES_ON_DAY = 60
FRAUD_SHARE = 0.006
KINDS = ("stolen", "takeover", "testing", "transfer")
_BEGIN = np.datetime64("2026-01-01", "us")
_DAY_US = 86_400_000_000
_CITIES = np.array(
    [(48.21, 16.37), (52.52, 13.40), (48.86, 2.35), (45.46, 9.19), (40.42, -3.70), (53.34, -6.27)]
)
_COUNTRIES = np.array(["AT", "DE", "FR", "IT", "ES", "IE"])
_CATEGORIES = np.array(
    [
        *("grocery", "restaurant", "fuel", "clothing", "pharmacy", "travel", "electronics"),
        *("gift_card", "games", "streaming", "furniture", "money_transfer"),
    ]
)
_CHANNELS = np.array(["contactless", "chip", "online"])
_CONTACTLESS, _CHIP, _ONLINE = range(3)

Ints = np.ndarray[Any, np.dtype[np.int64]]
Columns = dict[str, np.ndarray[Any, Any]]


def made_up_payments(rows: int, seed: int) -> pa.Table:
    """Made-up card payments in the order of their times, the same ones for a seed.

    Args:
        rows: How many, from a thousand to 20 million.
        seed: What they are drawn from.

    Returns:
        The columns `payment_id`, `paid_at`, `customer_id`, `card_id`, `merchant_id`,
        `merchant_category`, `amount` (EUR), `channel`, `country`, `device` (null at a terminal),
        `home_lat`, `home_lon`, `merchant_lat`, `merchant_lon`, `date_of_birth` (some null) and
        `is_fraud`.

    Raises:
        InputError: fewer or more rows than that.
    """
    if not LEAST_ROWS <= rows <= MOST_ROWS:
        raise InputError(
            f"{rows:,} payments cannot be made up: expected {LEAST_ROWS:,} to {MOST_ROWS:,}."
        )
    random = np.random.default_rng(seed)
    customers = _customers(random, max(rows // 40, 20))
    merchants = _merchants(random, max(rows // 50, 60))
    frauds = _frauds(random, customers, merchants, round(rows * FRAUD_SHARE))
    usual = _usual(random, customers, merchants, rows - len(frauds["at"]))
    all_of = {name: np.concatenate([usual[name], frauds[name]]) for name in usual}
    order = np.argsort(all_of["at"], kind="stable")
    return _table(random, customers, merchants, {name: all_of[name][order] for name in all_of})


def _customers(random: np.random.Generator, count: int) -> Columns:
    city = random.integers(len(_CITIES), size=count)
    age_days = random.integers(18 * 365, 90 * 365, size=count)
    return {
        "city": city,
        "place": _CITIES[city] + random.normal(0, 0.15, (count, 2)),
        "amount": np.exp(random.uniform(np.log(8), np.log(120), count)),
        "born": np.datetime64("2026-01-01", "D") - age_days,
        "is_birth_known": random.random(count) >= 0.05,
        "cards": np.where(random.random(count) < 1 / 6, 2, 1),
        "devices": np.where(random.random(count) < 1 / 3, 2, 1),
    }


def _merchants(random: np.random.Generator, count: int) -> Columns:
    city = np.arange(count) % len(_CITIES)  # each city has some of every rank
    weights = np.arange(1, count + 1) ** -1.1
    category = random.integers(len(_CATEGORIES) - 1, size=count)
    category[-len(_CITIES) :] = len(_CATEGORIES) - 1  # one of each city transfers money
    return {
        "city": city,
        "place": _CITIES[city] + random.normal(0, 0.1, (count, 2)),
        "category": category,
        "weight": weights,
    }


def _drawn(
    random: np.random.Generator, merchants: Columns, among: np.ndarray[Any, Any], count: int
) -> Ints:
    """Merchants among some, each as often as its weight says."""
    chosen = np.flatnonzero(among)
    weights = merchants["weight"][chosen]
    at = np.searchsorted(np.cumsum(weights), random.random(count) * weights.sum(), "right")
    drawn: Ints = chosen[at]
    return drawn


def _usual(
    random: np.random.Generator, customers: Columns, merchants: Columns, count: int
) -> Columns:
    customer = random.integers(len(customers["city"]), size=count)
    is_online = random.random(count) < 0.3
    merchant = np.zeros(count, np.int64)
    for city in range(len(_CITIES)):
        here = np.flatnonzero(~is_online & (customers["city"][customer] == city))
        merchant[here] = _drawn(random, merchants, merchants["city"] == city, len(here))
    online = np.flatnonzero(is_online)
    merchant[online] = _drawn(random, merchants, merchants["weight"] > 0, len(online))
    day = random.integers(DAYS, size=count)
    amount = customers["amount"][customer] * np.exp(random.normal(0, 0.7, count))
    is_tapped = (amount < 50) & (random.random(count) < 0.9)
    return {
        "at": day * _DAY_US + _hours(random, 16, 4, count),
        "customer": customer,
        "card": random.integers(customers["cards"][customer]),
        "merchant": merchant,
        "amount": amount * np.where(day >= CHANGES_ON_DAY, 1.1, 1.0),
        "channel": np.where(is_online, _ONLINE, np.where(is_tapped, _CONTACTLESS, _CHIP)),
        "device": random.integers(customers["devices"][customer]),
        "kind": np.full(count, -1),
    }


def _hours(random: np.random.Generator, middle: float, spread: float, count: int) -> Ints:
    """Times of a day in microseconds, around the clock."""
    hours = random.normal(middle, spread, count) % 24
    return (hours * 3_600e6).astype(np.int64) % _DAY_US


def _frauds(
    random: np.random.Generator, customers: Columns, merchants: Columns, count: int
) -> Columns:
    """Bouts of fraud until there are as many payments as wanted."""
    bouts = count  # more than are needed: each has one payment at least
    day = random.integers(DAYS, size=bouts)
    kind = random.integers(np.where(day >= CHANGES_ON_DAY, len(KINDS), len(KINDS) - 1))
    least, most = np.array([2, 2, 5, 1])[kind], np.array([7, 5, 16, 4])[kind]
    size = random.integers(least, most)
    bout = np.repeat(np.arange(bouts), size)[:count]
    victim = random.integers(len(customers["city"]), size=bouts)
    begins = np.array([11 * 3_600e6, 1 * 3_600e6, 3 * 3_600e6, 12 * 3_600e6])[kind].astype(np.int64)
    kind, customer = kind[bout], victim[bout]
    takes_us = random.integers(0, 6 * 3_600_000_000, size=count)
    away = (customers["city"][customer] + random.integers(1, len(_CITIES), size=count)) % len(
        _CITIES
    )
    merchant = np.zeros(count, np.int64)
    names = _CATEGORIES[merchants["category"]]
    among = {
        1: np.isin(names, ("electronics", "gift_card")),
        2: merchants["weight"] > 0,
        3: names == "money_transfer",
    }
    for city in range(len(_CITIES)):
        here = np.flatnonzero((kind == 0) & (away == city))
        merchant[here] = _drawn(random, merchants, merchants["city"] == city, len(here))
    for number, those in among.items():
        here = np.flatnonzero(kind == number)
        # Of few merchants none may sell what such a bout buys.
        merchant[here] = _drawn(random, merchants, those if those.any() else among[2], len(here))
    scale = np.array([5.0, 4.0, 0.0, 1.0])[kind]
    amount = scale * customers["amount"][customer] * np.exp(random.normal(0, 0.4, count))
    amount = np.where(kind == 2, random.uniform(0.05, 2, count), amount)
    return {
        "at": day[bout] * _DAY_US + begins[bout] + takes_us,
        "customer": customer,
        "card": random.integers(customers["cards"][victim])[bout],
        "merchant": merchant,
        "amount": amount * np.where(day[bout] >= CHANGES_ON_DAY, 1.1, 1.0),
        "channel": np.where(kind == 0, _CHIP, _ONLINE),
        "device": np.where(kind == 2, 0, 100 + bout),  # those of a bout share a new one
        "kind": kind,
    }


def _table(
    random: np.random.Generator, customers: Columns, merchants: Columns, made: Columns
) -> pa.Table:
    count = len(made["at"])
    customer, merchant = made["customer"], made["merchant"]
    is_online = made["channel"] == _ONLINE
    has_device = is_online & (random.random(count) < 0.9)
    numbers = pa.array(np.arange(count)).cast(pa.string())
    devices = _joined("d-", customer, made["device"])
    return pa.table(
        {
            "payment_id": pc.binary_join_element_wise("p-", numbers, ""),
            "paid_at": pa.array(_BEGIN + made["at"]).cast(pa.timestamp("us", tz="UTC")),
            "customer_id": pa.array(100_000 + customer),
            "card_id": _joined("c-", customer, made["card"]),
            "merchant_id": pc.binary_join_element_wise(
                "m-", pa.array(merchant).cast(pa.string()), ""
            ),
            "merchant_category": _names(_CATEGORIES, merchants["category"][merchant]),
            "amount": pa.array(np.maximum(np.round(made["amount"], 2), 0.01)),
            "channel": _names(_CHANNELS, made["channel"]),
            "country": _names(_COUNTRIES, merchants["city"][merchant]),
            "device": pc.if_else(pa.array(has_device), devices, None),
            "home_lat": pa.array(np.round(customers["place"][customer, 0], 4)),
            "home_lon": pa.array(np.round(customers["place"][customer, 1], 4)),
            "merchant_lat": pa.array(np.round(merchants["place"][merchant, 0], 4)),
            "merchant_lon": pa.array(np.round(merchants["place"][merchant, 1], 4)),
            "date_of_birth": pa.array(
                customers["born"][customer], mask=~customers["is_birth_known"][customer]
            ),
            "is_fraud": pa.array((made["kind"] >= 0).astype(np.int64)),
        }
    )


def _joined(prefix: str, first: Ints, second: Ints) -> pa.Array:
    parts = (pa.array(each).cast(pa.string()) for each in (first, second))
    return pc.binary_join_element_wise(
        pc.binary_join_element_wise(prefix, next(parts), ""), next(parts), "-"
    )


def _names(names: np.ndarray[Any, Any], codes: Ints) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), names.tolist()).cast(
        pa.string()
    )
