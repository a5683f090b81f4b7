"""What is derived is the same in training, in the stream, in files and in SQL, and is told."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from confluent_kafka import Producer
from tests.end_to_end.test_pipeline import assert_well
from tests.harness import Place, eventually, place
from tests.transactions import TRIP, TRIP_FILE

from fraudline.bundle.reference import watched_values
from fraudline.contract import Period
from fraudline.scoring import assess
from fraudline.stream.broker import client_config
from fraudline.use_cases.open_version import open_version
from fraudline.warehouse.query import query
from fraudline.warehouse.watched_decisions import count_decided, draw_decided

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]  # it trains; each piece has its own test
ROWS = 900
COSTS = {
    "FRAUDLINE_POLICY__FRAUD_COST": "15",
    "FRAUDLINE_POLICY__REVIEW_COST": "1",
    "FRAUDLINE_POLICY__WRONG_BLOCK_COST": "25",
}


@pytest.fixture(scope="module")
def trip(services_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(services_home, tmp_path_factory.mktemp("trip") / "home", str(TRIP_FILE)) as made:
        yield made


def payments() -> list[dict[str, object]]:
    """Frauds are far from home, at night, and many times what is usual."""
    random = np.random.default_rng(3)
    begin = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)
    made = []
    for number in range(ROWS):
        is_fraud = random.random() < 0.12
        at = (begin + dt.timedelta(minutes=31 * number)).astimezone(ZoneInfo("Europe/Vienna"))
        usual = float(random.uniform(5, 50))
        far = random.normal(0, 40 if is_fraud else 2, 2)
        made.append(
            {
                "paid_at": at.strftime("%d.%m.%Y %H:%M:%S"),
                "opened_at": "" if number % 9 == 0 else f"2020-01-{1 + number % 28:02d}T00:00:00Z",
                "born_on": "" if number % 7 == 0 else str(dt.date(1950 + number % 50, 2, 28)),
                "issued_on": "2024-02-29",
                "amount": round(usual * random.uniform(3, 9 if is_fraud else 4), 2),
                "usual": "" if number % 5 == 0 else usual,
                "items": int(random.integers(0, 4)),
                "large": number,
                "home_lat": 48.2, "home_lon": 16.4,
                "shop_lat": float(np.clip(48.2 + far[0], -90, 90)),
                "shop_lon": float(16.4 + far[1]),
                "home_country": "AT", "shop_country": "DE" if number % 3 else "AT",
                "is_fraud": int(is_fraud),
            }
        )  # fmt: skip
    return made


def test_what_is_derived_is_the_same_on_every_road(trip: Place) -> None:
    rows, home = payments(), trip.project.settings.home
    with (home / "trips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert_well(trip.run("load", str(home / "trips.csv")))
    checked = trip.run("check")
    assert_well(checked)
    assert "| km | derived |" in (home / "reports" / "trip" / "check.md").read_text()
    trained = trip.run("train", "--promote", **COSTS, FRAUDLINE_TRAINING__MOST_STEPS="200")
    assert_well(trained)
    assert "'times'" in trained.said or "times" in trained.said
    trip.start("score")
    trip.start("sink")
    producer = Producer(client_config(trip.project.kafka))
    for row in rows:  # as a producer has them: its own times, and null for what is not there
        sent = {k: None if v == "" else v for k, v in row.items() if k != "is_fraud"}
        producer.produce(trip.project.settings.kafka.topic_transactions, json.dumps(sent).encode())
    producer.flush()
    warehouse = trip.project.warehouse
    eventually(
        lambda: query(warehouse, "SELECT COUNT(*) AS n FROM decisions").to_pylist()[0]["n"] == ROWS
    )
    assert_well(trip.run("reconcile", "--wait", "50"))

    assert_well(trip.run("predict", str(home / "trips.csv"), "--out", str(home / "out.jsonl")))
    stored = query(warehouse, "SELECT * FROM decisions ORDER BY large")
    of_file = query(warehouse, "SELECT * FROM fraud_detection_train ORDER BY large")
    bundle = open_version(trip.project, trip.project.registry.champion())
    assert assess(of_file, bundle).scores.tolist() == stored["score"].to_pylist()
    reasons = [each for told in stored["reasons"].to_pylist() for each in json.loads(told or "[]")]
    names = {each.name for each in TRIP.derivations}
    sentences = [each["sentence"] for each in reasons if each["feature"] in names]
    told = ("(from home_lat, home_lon to shop_lat", "paid_at falls", "amount / usual")
    assert any(words in sentence for words in told for sentence in sentences), sentences[:5]

    shown = trip.run("contract", "sql")
    assert_well(shown)
    found = query(warehouse, f"{shown.out.decode()} ORDER BY large")
    for name, values in TRIP.derive(stored).items():
        theirs = [math.nan if each is None else float(each) for each in found[name].to_pylist()]
        assert values == pytest.approx(np.array(theirs), rel=1e-12, nan_ok=True)

    times = stored["decided_at"].to_pylist()
    period = Period(min(times), max(times) + dt.timedelta(seconds=1))
    version = stored["model_version"][0].as_py()
    drawn = draw_decided(warehouse, TRIP, period, version, ROWS)
    assert watched_values(TRIP, drawn).shape == (ROWS, len(TRIP.features))
    counts = count_decided(warehouse, TRIP, period, version, 0.5, None)
    expected = {name: int(np.isnan(values).sum()) for name, values in TRIP.derive(stored).items()}
    assert {name: counts.nulls[name] for name in ("times", "each", "years")} == {
        name: expected[name] for name in ("times", "each", "years")
    }
    assert_well(trip.run("models", "report"))
