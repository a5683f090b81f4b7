"""A payment that two columns name together, by the commands that a person types."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.end_to_end.test_labels import count, store
from tests.harness import eventually, place
from tests.stream.test_score_loop import Scorer
from tests.transactions import ACQUIRER, ACQUIRER_FILE, ACQUIRER_ROW

from fraudline.scoring import RepeatMemory
from fraudline.warehouse.query import query

COUNT = 12
AT = "2026-03-01T00:00:00Z"


def written(file: Path, rows: list[dict[str, object]]) -> str:
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return str(file)


@pytest.mark.timeout(180)
def test_it_is_loaded_sent_decided_once_labelled_and_accounted_for(
    services_home: Path, tmp_path: Path
) -> None:
    # All have the number in common with another acquirer's payment, or the acquirer.
    payments = [
        {
            **ACQUIRER_ROW,
            "acquirer": f"north|{number % 3}",
            "rrn": number // 3,
            "paid_at": f"2026-01-02T{number:02}:04:05Z",
            "speed": number / 10,
        }
        for number in range(COUNT)
    ]
    history = [row | {"is_fraud": place % 4 == 0} for place, row in enumerate(payments)]
    reused = payments[5] | {"amount": 99.0}
    with place(services_home, tmp_path / "home", str(ACQUIRER_FILE)) as here:
        file = written(tmp_path / "history.csv", history)
        assert here.run("load", file).code == 0
        more = written(tmp_path / "more.csv", [*history[:2], history[0] | {"rrn": 77}])
        added = here.run("load", more, "--append")
        assert "2 of the ids that were added are in the history from before" in added.said
        checked = here.run("check")
        assert "each id belongs to one transaction" in checked.said
        assert "2 rows repeat another one" in checked.said

        sent = written(tmp_path / "sent.csv", [*payments, *payments[:4], reused])
        assert here.run("replay", sent, "--rate", "0").code == 0
        with Scorer(here, RepeatMemory(ACQUIRER, 1000)) as scorer:
            eventually(lambda: scorer.done == COUNT + 5)
        store(here, decisions=COUNT + 4, rejects=1)
        found = query(
            here.project.warehouse,
            "SELECT transaction_id, COUNT(*) AS n, COUNTIF(repeat_of IS NULL) AS first, "
            "COUNT(DISTINCT score) AS scores FROM decisions GROUP BY transaction_id",
        ).to_pylist()
        assert len(found) == COUNT
        assert {(row["first"], row["scores"]) for row in found} == {(1, 1)}
        assert sorted(row["n"] for row in found) == [1] * (COUNT - 4) + [2] * 4
        assert "north\\|2|1" in {row["transaction_id"] for row in found}
        assert "id_reused" in here.run("rejects", "list").said

        told = {"label": "fraud", "source": "customer", "known_at": AT, "told_by": "ann"}
        labels = [{"acquirer": "north|2", "rrn": 1} | told, {"acquirer": "", "rrn": 1} | told]
        by_columns = here.run(
            "labels", "send", written(tmp_path / "a.csv", labels), "--max-refused", "50"
        )
        assert "1 labels are in topic" in by_columns.said
        assert "expected an id that is not empty" in by_columns.said
        texts = [
            {"transaction_id": text} | told
            for text in ("north\\|1|2", "north|1|2", "north\\|1|1.0")
        ]
        by_text = here.run(
            "labels", "send", written(tmp_path / "b.csv", texts), "--max-refused", "70"
        )
        shape = "expected an id as its decision has it, acquirer|a whole number, found"
        assert f"{shape} 'north|1|2'" in by_text.said
        store(here, labels=2)
        listed = here.run("labels", "list")
        assert "2 labels since" in listed.said
        assert "LOOK" not in listed.said
        assert "fraud as of" in here.run("labels", "show", "north\\|2|1").said
        none = here.run("labels", "show", "north|2|1")
        assert "Give its id (acquirer|rrn)" in " ".join(none.said.split())
        proof = here.run("reconcile")
        assert proof.code == 0, proof.said
        assert count(here, "labels") == 2
