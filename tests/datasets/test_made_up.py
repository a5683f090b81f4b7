"""Made-up payments follow the law that is written down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fraudline.datasets import made_up_payments
from fraudline.errors import InputError
from fraudline.use_cases.generate_payments import generate_payments

ROWS = 40_000


@pytest.fixture(scope="module")
def payments() -> pa.Table:
    return made_up_payments(ROWS, seed=3)


def share(flags: pa.ChunkedArray) -> float:
    return float(pc.mean(flags.cast(pa.float64())).as_py())


def test_a_seed_gives_the_same_payments_and_another_one_others(payments: pa.Table) -> None:
    assert payments.equals(made_up_payments(ROWS, seed=3))
    assert not payments.equals(made_up_payments(ROWS, seed=4))


def test_there_are_as_many_as_asked_in_the_order_of_their_times(payments: pa.Table) -> None:
    assert payments.num_rows == ROWS
    assert pc.count_distinct(payments["payment_id"]).as_py() == ROWS
    times = payments["paid_at"].to_numpy()
    assert (np.diff(times) >= np.timedelta64(0)).all()
    assert times[-1] - times[0] > np.timedelta64(89, "D")


def test_frauds_are_as_many_as_the_law_says_and_unlike_the_rest(payments: pa.Table) -> None:
    is_fraud = payments["is_fraud"]
    assert pc.sum(is_fraud).as_py() == round(ROWS * 0.006)
    frauds, usual = (payments.filter(pc.equal(is_fraud, label)) for label in (1, 0))
    assert share(pc.equal(usual["channel"], "online")) == pytest.approx(0.3, abs=0.02)
    assert share(pc.equal(frauds["channel"], "online")) > 0.5
    assert share(pc.less(frauds["amount"], 2)) > 0.2 > share(pc.less(usual["amount"], 2))


def test_a_device_is_known_of_most_online_payments_and_of_no_other(payments: pa.Table) -> None:
    is_online = pc.equal(payments["channel"], "online")
    at_terminals = payments.filter(pc.invert(is_online))
    assert at_terminals["device"].null_count == at_terminals.num_rows
    online = payments.filter(is_online)
    assert online["device"].null_count / online.num_rows == pytest.approx(0.1, abs=0.02)


def test_from_the_sixtieth_day_on_amounts_are_higher_and_money_is_transferred(
    payments: pa.Table,
) -> None:
    days = (payments["paid_at"].to_numpy() - np.datetime64("2026-01-01")) // np.timedelta64(1, "D")
    is_later = pa.array(days >= 60)
    usual = payments.filter(pc.equal(payments["is_fraud"], 0))
    later = usual.filter(is_later.filter(pc.equal(payments["is_fraud"], 0)))
    assert pc.mean(later["amount"]).as_py() > pc.mean(usual["amount"]).as_py()
    transfers = pc.and_(
        pc.equal(payments["is_fraud"], 1),
        pc.equal(payments["merchant_category"], "money_transfer"),
    )
    before, after = (share(transfers.filter(rows)) for rows in (pc.invert(is_later), is_later))
    assert after > 2 * before


@pytest.mark.parametrize("rows", [0, -5, 999, 20_000_001])
def test_too_few_or_too_many_are_refused(rows: int) -> None:
    with pytest.raises(InputError, match="expected 1,000 to 20,000,000"):
        made_up_payments(rows, seed=1)


def test_a_file_is_written_once_and_never_over_another(tmp_path: Path) -> None:
    for name in ("payments.csv", "payments.parquet"):
        made = generate_payments(tmp_path / name, 1_000, seed=1)
        assert (made.rows, made.frauds) == (1_000, 6)
        before = made.file.read_bytes()
        with pytest.raises(InputError, match="exists, and was left as it is"):
            generate_payments(made.file, 1_000, seed=2)
        assert made.file.read_bytes() == before
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        generate_payments(tmp_path / "payments.json", 1_000, seed=1)
    with pytest.raises(InputError, match="cannot be written"):
        generate_payments(tmp_path / "nowhere" / "payments.csv", 1_000, seed=1)
