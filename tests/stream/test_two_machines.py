"""Scorers of two machines, with a home each, share one registry in an object store."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.faults.proxy import Proxy
from tests.harness import Place, eventually
from tests.stream.test_score_loop import committed, send
from tests.stream.test_swap import COLUMNS, assert_as_judged, judges
from tests.transactions import CREDITCARD, message
from tests.use_cases.versions import add_version

from fraudline.settings import RegistrySettings
from fraudline.use_cases.project import Project


def another_machine(here: Place, home: Path, url: str) -> Place:
    """The same stream from a home of its own, and a registry in an object store."""
    home.mkdir()
    for shared in ("services.json", "kafka", "bqlite"):
        (home / shared).symlink_to(here.project.settings.home / shared)
    changed = {"home": home, "registry": RegistrySettings(url=url)}
    return Place(Project(here.project.settings.model_copy(update=changed)))


@pytest.mark.slow  # processes start; tests/use_cases/test_follow_bucket.py proves the rest
@pytest.mark.timeout(240)
def test_both_take_a_promotion_and_go_on_and_end_in_order_while_the_store_hangs(
    here: Place, tmp_path: Path, bucket: str, way: Proxy
) -> None:
    one, two = (another_machine(here, tmp_path / name, f"{bucket}/models") for name in "ab")
    registry = one.project.registry
    first, second = (add_version(registry, CREDITCARD, power, power / 7) for power in (1.0, 3.0))
    registry.promote(first)
    topic = here.project.kafka.topic_decisions
    sent: list[bytes] = []

    def decide_more() -> None:
        numbers = range(len(sent), len(sent) + 200)
        payments = [
            message(dict.fromkeys(COLUMNS, number % 100 / 50), **{COLUMNS[1]: float(number)})
            for number in numbers
        ]
        send(here, payments)
        sent.extend(payments)
        eventually(lambda: len(committed(here, topic)) == len(sent), 120)

    try:
        scorers = [each.start("score") for each in (one, two)]
        for each in scorers:
            eventually(lambda scorer=each: f"with {first}" in scorer.said, 120)
        decide_more()
        done = two.run("models", "promote", second, "--reason", "from the other machine")
        assert done.code == 0, done.said
        for each in scorers:
            eventually(lambda scorer=each: f"{second} is the champion and" in scorer.said)
        decide_more()
        way.hold()
        for each in scorers:
            eventually(lambda scorer=each: "cannot be read who the champion is" in scorer.said)
        decide_more()
        assert [each.stop() for each in scorers] == [0, 0]
    finally:
        one.close()
        two.close()
    rows = committed(here, topic)
    places = Counter((row["source_partition"], row["source_offset"]) for row in rows)
    assert max(places.values()) == 1
    named = judges(one.project, [first, second])
    for version, judge in named.items():
        mine = [row for row in rows if row["model_version"] == version]
        assert mine
        assert_as_judged(mine, judge)
    assert {row["model_version"] for row in rows} == set(named)
