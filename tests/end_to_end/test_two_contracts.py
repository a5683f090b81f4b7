"""Two contracts in one directory stream beside one another, and nothing of one is the other's."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import chdir
from pathlib import Path

import msgspec
import pytest
from tests.harness import SCREEN, Answer, Place, eventually, typed
from tests.stream.test_score_loop import Scorer, committed
from tests.stream.test_sink_loop import run_sink
from tests.transactions import ACQUIRER_FILE, ACQUIRER_ROW, WALLET_FILE, WALLET_ROW
from tests.use_cases.versions import add_version

from fraudline import flows
from fraudline.stream.broker import existing_topics
from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

COUNT = {"wallet": 7, "acquirer": 5}
ROWS = {"wallet": WALLET_ROW, "acquirer": ACQUIRER_ROW}
ID = {"wallet": "payment_id", "acquirer": "acquirer"}


@pytest.mark.timeout(180)
def test_each_has_topics_tables_a_champion_and_a_proof_of_its_own(
    services_home: Path, tmp_path: Path
) -> None:
    ours = uuid.uuid4().hex[:8]
    for shared in ("services.json", "kafka", "bqlite"):  # the services of all tests
        (tmp_path / shared).symlink_to(services_home / shared)
    shutil.copy(WALLET_FILE, tmp_path)
    shutil.copy(ACQUIRER_FILE, tmp_path)
    tables = "\n".join(f'[contract.{name}]\nprefix = "{name}_{ours}"' for name in COUNT)
    (tmp_path / "fraudline.toml").write_text(
        f'home = "."\n[kafka]\ngroup = "{ours}"\n[bigquery]\ndataset = "two_{ours}"\n{tables}\n'
    )

    def run(*arguments: str) -> Answer:
        return typed(arguments, {**os.environ, **SCREEN}, tmp_path)

    made = run("setup")
    assert made.code == 0, made.said
    assert "topics and tables of contract wallet are there" in made.said
    assert "topics and tables of contract acquirer are there" in made.said
    with chdir(tmp_path):
        here = {name: Place(Project(contract=name)) for name in COUNT}
        topics = existing_topics(here["wallet"].project.kafka)
        for name, place in here.items():
            called = {f"{name}_{ours}.{flow.topic}" for flow in flows.FLOWS}
            assert set(place.project.stream_topics) == called <= set(topics)
            lines = [
                msgspec.json.encode({**ROWS[name], ID[name]: f"{name}-{number}"})
                for number in range(COUNT[name])
            ]
            (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(lines))
            sent = run("replay", f"{name}.jsonl", "--rate", "0", "--contract", name)
            assert f"contract {name}" in sent.said
            assert f"{COUNT[name]} messages are in topic '{name}_{ours}.transactions'" in sent.said
        assert run("replay", "wallet.jsonl").code == 2
        with Scorer(here["wallet"]) as wallet:
            eventually(lambda: wallet.done == COUNT["wallet"])
        shutil.rmtree(tmp_path / "tiny")  # a model is of one contract
        with Scorer(here["acquirer"]) as acquirer:
            eventually(lambda: acquirer.done == COUNT["acquirer"])
        versions = {}
        for name, place in here.items():
            project = place.project
            decided = committed(place, project.kafka.topic_decisions)
            assert {str(each["transaction_id"]).partition("-")[0] for each in decided} == {name}
            table = project.settings.bigquery.table_decisions
            _store(place, table, COUNT[name])
            found = query(project.warehouse, f"SELECT COUNT(*) AS n FROM {table}").to_pylist()
            assert found == [{"n": COUNT[name]}]
            proof = run("reconcile", "--contract", name)
            assert proof.code == 0, proof.said
            assert f"topic '{name}_{ours}.transactions'" in proof.said
            assert "missing 0, doubled 0" in proof.said
            versions[name] = add_version(project.registry, project.contract, 1.0)
            project.registry.promote(versions[name])
        listed = run("models", "list")
        for name, version in versions.items():
            assert version in listed.said
            assert f"champion of {name} since" in listed.said
            assert here[name].project.registry.champion() == version
        assert versions["acquirer"] not in run("models", "list", "--contract", "wallet").said


def _store(place: Place, table: str, count: int) -> None:
    def is_stored() -> bool:
        found = query(place.project.warehouse, f"SELECT COUNT(*) AS n FROM {table}")
        return bool(found["n"][0].as_py() >= count)

    run_sink(place, routes(place.project), until=is_stored)
