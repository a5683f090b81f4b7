"""The committed sample is what its README says."""

from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "data" / "creditcard-sample.csv"


def test_the_sample_holds_every_fraud_and_stays_in_the_order_of_time():
    _header, *rows = SAMPLE.read_text(encoding="ascii").splitlines()
    times = [float(row.split(",")[0]) for row in rows]

    assert len(rows) == 3551
    assert sum(row.endswith('"1"') for row in rows) == 492
    assert times == sorted(times)
