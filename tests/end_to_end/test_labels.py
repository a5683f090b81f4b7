"""Labels from a file to the table, by the commands that a person types."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import msgspec
import pytest
from tests.harness import SAMPLE, Place, eventually, place
from tests.stream.test_score_loop import Scorer, committed, send, transactions
from tests.stream.test_sink_loop import CrashError, crashing, run_sink
from tests.stream.test_topic_guard import recreate
from tests.transactions import WALLET_FILE, WALLET_ROW, message

from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.use_cases.look_at_labels import labelled_decisions
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

COLUMNS = ("transaction_id", "transaction_received_at", "label", "source", "known_at", "told_by")
COUNT = 6
LABEL = {
    "contract": "creditcard",
    "transaction_id": "transactions:0:1",
    "label": "fraud",
    "source": "analyst",
    "known_at": "2026-03-01T00:00:00Z",
    "told_by": "ann",
}


def count(here: Place, table: str) -> int:
    rows = query(here.project.warehouse, f"SELECT COUNT(*) AS n FROM {table}")
    return int(rows["n"][0].as_py())


def store(here: Place, **counts: int) -> None:
    """Run a sink until tables have so many rows."""
    run_sink(
        here,
        routes(here.project),
        until=lambda: all(count(here, table) >= rows for table, rows in counts.items()),
    )


def written(file: Path, rows: list[tuple[object, ...]]) -> Path:
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([COLUMNS, *rows])
    return file


def send_to_one_partition(here: Place, lines: list[bytes]) -> None:
    send(here, [*lines], here.project.kafka.topic_labels, key_of=lambda _: b"one")


def decided(here: Place) -> list[dict]:
    sql = (
        "SELECT transaction_id, received_at FROM decisions ORDER BY source_partition, source_offset"
    )
    return query(here.project.warehouse, sql).to_pylist()


@pytest.mark.timeout(180)
def test_labels_are_sent_stored_listed_and_shown_and_each_is_accounted_for(
    here: Place, tmp_path: Path
) -> None:
    empty = here.run("labels", "list")
    assert empty.code == 0
    assert "`fraudline labels send FILE` sends some" in empty.said
    send(here, transactions(here, COUNT))
    with Scorer(here) as scorer:
        eventually(lambda: scorer.done == COUNT)
    store(here, decisions=COUNT)
    first, second, *_ = decided(here)
    at = "2026-03-01T00:00:00Z"
    file = written(
        tmp_path / "labels.csv",
        [
            (first["transaction_id"], first["received_at"], "fraud", "customer", at, "ann"),
            (first["transaction_id"], first["received_at"], "legitimate", "chargeback", at, "bank"),
            (second["transaction_id"], second["received_at"], "stolen", "customer", at, "ann"),
            (second["transaction_id"], "", "fraud", "customer", at, "ann"),
            ("transactions:0:99999", at, "fraud", "test", at, "ann"),
        ],
    )
    refused = here.run("labels", "send", str(file))
    assert refused.code == 1
    assert "2 of 5 rows" in refused.said
    assert "Nothing was sent." in refused.said
    sent = here.run("labels", "send", str(file), "--max-refused", "50")
    assert sent.code == 0, sent.said
    expected = "expected one of fraud, legitimate, withdrawn, found 'stolen'"
    assert f"out_of_range; the first is row 3: column 'label': {expected}" in sent.said
    assert "null_value; the first is row 4: column 'transaction_received_at'" in sent.said
    assert "3 labels are in topic" in sent.said
    send(here, [b"junk", None, b'{"label": 1}'], here.project.kafka.topic_labels)
    store(here, labels=3, rejects=3)
    listed = here.run("labels", "list", COLUMNS="80")
    assert "3 labels since" in listed.said
    assert "2 fraud, 1 legitimate, 0 withdrawn" in listed.said
    assert "LOOK: 1 of them name a transaction without a decision" in listed.said
    assert len(here.run("labels", "list", "--source", "test").out.splitlines()) == 4
    assert here.run("labels", "list", "--label", "stolen").code == 2
    shown = here.run("labels", "show", str(first["transaction_id"]), COLUMNS="80")
    assert "legitimate as of" in shown.said
    assert "chargeback outranks customer, analyst, test" in " ".join(shown.said.split())
    assert max(map(len, shown.said.splitlines())) <= 80
    before = here.run("labels", "show", str(first["transaction_id"]), "--as-of", "2026-03-02")
    assert "to come" in before.said  # known by then, and not arrived
    assert "3 days" not in before.said
    proved = here.run("reconcile")
    assert proved.code == 0, proved.said
    assert "6 labels sent: 3 stored, 3 rejects; missing 0, doubled 0" in proved.said
    here.project.warehouse.client.query(
        "UPDATE labels SET label = 'withdrawn' WHERE source = 'test'"
    ).result()
    forged = here.run("reconcile")
    assert forged.code == 1
    assert "differing 1" in forged.said
    none = here.run("labels", "show", "transactions:0:5000")
    assert none.code == 2
    assert "neither a decision nor a label" in none.said


def test_a_sink_that_dies_with_labels_stored_and_not_committed_stores_none_twice(
    here: Place,
) -> None:
    lines = [message(LABEL, note=str(number)) for number in range(40)]
    lines[7] = message({**LABEL, "unknown": 1})
    send(here, lines, here.project.kafka.topic_labels)
    with pytest.raises(CrashError):
        run_sink(here, routes(here.project), commit_interval_ms=60_000, progress=crashing())
    store(here, labels=39, rejects=1)
    rows = query(
        here.project.warehouse,
        "SELECT COUNT(*) AS n, COUNT(DISTINCT note) AS notes, "
        "COUNT(DISTINCT CONCAT(source_topic_id, ':', CAST(source_partition AS STRING), ':', "
        "CAST(source_offset AS STRING))) AS places, COUNT(arrived_at) AS arrived FROM labels",
    ).to_pylist()
    assert rows == [{"n": 39, "notes": 39, "places": 39, "arrived": 39}]
    assert here.run("reconcile").code == 0
    # What is stored or rejected is known to be so, where the group's offsets are gone.
    kafka, topic = here.project.kafka, here.project.kafka.topic_labels
    (route,) = (one for one in routes(here.project) if one.topic == topic)
    assert route.are_stored is not None
    for partition, (start, stop) in offset_ranges(kafka, topic).items():
        for _, _, messages in read_range(kafka, topic, partition, start, stop, 1000):
            assert all(route.are_stored(messages))


def test_rejects_of_a_topic_of_labels_that_was_deleted_are_not_taken_for_those_of_the_new_one(
    here: Place,
) -> None:
    kafka = here.project.kafka
    send_to_one_partition(here, [b"broken", message(LABEL)])
    store(here, labels=1, rejects=1)
    recreate(kafka, kafka.topic_labels)
    send_to_one_partition(here, [message(LABEL), b"of another kind"])
    set_back = here.run("offsets", "set", "sink", "--topic", kafka.topic_labels, "--to", "start")
    assert set_back.code == 0, set_back.said
    store(here, labels=2, rejects=2)
    proved = here.run("reconcile")
    assert proved.code == 0, proved.said
    assert "2 labels sent: 1 stored, 1 rejects; missing 0, doubled 0" in proved.said
    assert "2 rows more are of a topic" in proved.said


@pytest.mark.timeout(180)
def test_a_file_is_replayed_with_its_labels_each_after_its_delay(
    here: Place, tmp_path: Path
) -> None:
    lines = SAMPLE.read_text().splitlines()
    rows = [line.rsplit(",", 1)[0] for line in lines[1:31]]
    marks = [str(int(place % 10 == 0)) for place in range(30)]
    timed = [  # in a minute each, and not in order
        ",".join([str(60.0 * (29 - place)), *row.split(",")[1:], marks[place]])
        for place, row in enumerate(rows)
    ]
    file = tmp_path / "labelled.csv"
    file.write_text("\n".join([lines[0], *timed]))
    call = ("replay", str(file), "--labels", "--delay", "30min", "--speed", "3600")
    done = here.run(*call)
    assert done.code == 0, done.said
    assert "30 transactions and 3 labels were sent." in done.said
    with Scorer(here) as scorer:
        eventually(lambda: scorer.done == 30)
    store(here, decisions=30, labels=3)
    now = dt.datetime.now(dt.UTC)
    found = labelled_decisions(here.project, as_of=now, columns=("Time",)).to_pylist()
    frauds = {row["Time"]: row for row in found if row["is_fraud"]}
    assert sorted(frauds) == [60.0 * (29 - place) for place in (20, 10, 0)]
    for row in frauds.values():
        assert row["label_source"] == "test"
        late = row["label_known_at"] - row["received_at"]
        assert late >= dt.timedelta(seconds=30 * 60 / 3600 - 0.002)  # a time stamp has milliseconds
    assert here.run("replay", str(file), "--delay", "6h").code == 2
    assert here.run("replay", str(file), "--labels", "--rate", "5").code == 2
    wrong = here.run("replay", str(file), "--labels", "--delay", "soon")
    assert wrong.code == 2
    assert "expected a time such as '6h'" in wrong.said


def test_where_the_contract_has_an_id_a_label_names_it(services_home: Path, tmp_path: Path) -> None:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as here:
        kafka = here.project.kafka
        send(here, [message(WALLET_ROW)], key_of=here.project.contract.key_of)
        with Scorer(here) as scorer:
            eventually(lambda: scorer.done == 1)
        file = tmp_path / "labels.jsonl"
        label = {**LABEL, "contract": here.project.contract.name, "transaction_id": "p-1"}
        other = {**label, "contract": "another"}
        file.write_bytes(b"\n".join(map(msgspec.json.encode, [label, other, []])))
        sent = here.run("labels", "send", str(file), "--max-refused", "70")
        assert "not_an_object; the first is row 3" in sent.said
        assert "column 'contract': expected 'wallet', the contract of the settings" in sent.said
        assert len(committed(here, kafka.topic_labels)) == 1
        store(here, decisions=1, labels=1)
        (row,) = labelled_decisions(here.project).to_pylist()
        assert (row["label"], row["is_fraud"]) == ("fraud", True)
        assert "fraud" in here.run("labels", "sql").said
