"""Transactions of both contracts, as a producer would send them."""

from dataclasses import replace
from pathlib import Path

import msgspec

from fraudline.contract import Contract, load_contract

WALLET_FILE = Path(__file__).parent / "data" / "contracts" / "wallet.toml"
SHOP_FILE = WALLET_FILE.with_name("shop.toml")
TRIP_FILE = WALLET_FILE.with_name("trip.toml")
ACQUIRER_FILE = WALLET_FILE.with_name("acquirer.toml")
CREDITCARD: Contract = load_contract("creditcard")
WALLET: Contract = load_contract(str(WALLET_FILE))
SHOP: Contract = load_contract(str(SHOP_FILE))
TRIP: Contract = load_contract(str(TRIP_FILE))
# Of a table in which no column says what a payment is worth, nor when it was made.
BARE: Contract = replace(SHOP, name="bare", amount=None, event_time=None, payments_a_day=400.0)
ACQUIRER: Contract = load_contract(str(ACQUIRER_FILE))

CARD_ROW = {column.name: 1.0 for column in CREDITCARD.transaction_columns}
WALLET_ROW = {
    "payment_id": "p-1",
    "paid_at": "2026-01-02T03:04:05.678901Z",
    "amount_minor": 1250,
    "velocity": 1.5,
    "distance_km": 2.0,
    "is_abroad": True,
    "risk_note": None,
    "merchant": "Café \u0022Zur Post\u0022 {}",
}
SHOP_ROW = {
    "order_id": "o-1",
    "ordered_at": "2026-01-02T03:04:05.678901Z",
    "amount": 12.5,
    "items": 3,
    "amount_of_last_order": 7.25,
    "is_known": True,
    "last_login_at": "2026-01-02T01:02:03Z",
    "speed": 0.5,
    "country": "Österreich",
    "code": 5411,
    "is_gift": False,
    "merchant": "m-17",
}
ACQUIRER_ROW = {
    "acquirer": "north|sea",
    "rrn": 12,
    "paid_at": "2026-01-02T03:04:05.678901Z",
    "card": "c-1",
    "terminal": None,
    "merchant": 9,
    "amount": 12.5,
    "speed": 0.5,
}


def message(row: dict[str, object], **changes: object) -> bytes:
    return msgspec.json.encode({**row, **changes})


def raw(row: dict[str, object], column: str, value: bytes) -> bytes:
    """The row with a column whose value is exactly these bytes, JSON or not."""
    return message(row, **{column: msgspec.Raw(value)})
