"""A contract was too strict: it is mended, and what it refused is sent again, exactly once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import Place, eventually, place
from tests.stream.test_score_loop import Scorer, send
from tests.stream.test_sink_loop import run_sink
from tests.transactions import WALLET_FILE, WALLET_ROW, message

from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

DEAR = [message(WALLET_ROW, payment_id=f"dear-{number}", amount_minor=1000) for number in range(5)]
CHEAP = [message(WALLET_ROW, payment_id=f"cheap-{number}", amount_minor=10) for number in range(5)]
PENDING = """
SELECT source_topic, source_partition, source_offset
FROM rejects
GROUP BY source_topic, source_partition, source_offset
HAVING COUNTIF(reason = 'replayed') = 0"""


@pytest.fixture(scope="module")
def strict(services_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project whose contract refuses half of what was sent, and all of that is stored."""
    directory = tmp_path_factory.mktemp("strict")
    contract = directory / "strict.toml"
    text = WALLET_FILE.read_text()
    contract.write_text(text.replace('unit = "cent", min = 0', 'unit = "cent", min = 0, max = 99'))
    assert contract.read_text() != text
    with place(services_home, directory / "home", str(contract)) as made:
        send(made, [*DEAR, *CHEAP, b"broken"])
        score_and_store(made, messages=11, rows=11)
        yield made


def score_and_store(made: Place, messages: int, rows: int) -> None:
    shutil.rmtree(made.project.settings.home / "tiny", ignore_errors=True)
    with Scorer(made) as scorer:
        eventually(lambda: scorer.done == messages)
    run_sink(made, routes(made.project), until=lambda: count(made) == rows)


def count(made: Place) -> int:
    sql = "SELECT (SELECT COUNT(*) FROM decisions) + (SELECT COUNT(*) FROM rejects) AS n"
    total: int = query(made.project.warehouse, sql).to_pylist()[0]["n"]
    return total


def test_what_a_strict_contract_refused_is_decided_once_after_it_was_mended(strict: Place) -> None:
    listed = strict.run("rejects", "list")
    assert "6 rejects are pending" in listed.said
    assert "out_of_range" in listed.said
    tried = strict.run("rejects", "replay", "--dry-run")
    assert "0 rejects would be sent again; 6 stay." in tried.said

    settings = strict.project.settings.model_copy(update={"contract": str(WALLET_FILE)})
    mended = Place(Project(settings))
    red = mended.run("reconcile")
    assert red.code == 1
    assert "`fraudline rejects replay` sends it again" in red.said

    done = mended.run("rejects", "replay")
    assert done.code == 0, done.said
    assert "5 rejects were sent again in" in done.said
    assert "1 stay." in done.said
    again = mended.run("rejects", "replay")
    assert "0 rejects were sent again in 0 transactions; 1 stay." in again.said

    score_and_store(mended, messages=5, rows=11 + 5 + 5)  # decisions, and marks of rejects
    decided = query(
        mended.project.warehouse, "SELECT payment_id FROM decisions ORDER BY payment_id"
    )
    assert decided.column("payment_id").to_pylist() == [
        *(f"cheap-{number}" for number in range(5)),
        *(f"dear-{number}" for number in range(5)),
    ]
    assert query(mended.project.warehouse, PENDING).num_rows == 1
    green = mended.run("reconcile")
    assert green.code == 0, green.said
    assert "16 inputs: 10 decisions, 6 rejects (5 of them sent again)\nmissing 0" in green.said

    row = query(mended.project.warehouse, "SELECT * FROM rejects WHERE reason = 'replayed'")
    topic = mended.project.kafka.topic_transactions
    first = row.to_pylist()[0]
    position = f"{topic}:{first['source_partition']}:{first['source_offset']}"
    shown = mended.run("rejects", "show", position)
    assert "out_of_range" in shown.said
    assert f"sent again as {topic}:{first['source_partition']}:" in shown.said
    refused = mended.run("rejects", "replay", position)
    assert refused.code == 2
    assert "was already sent again" in refused.said
