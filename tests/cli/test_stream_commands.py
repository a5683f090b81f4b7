"""What commands of the stream say when they begin, and when they are stopped before their end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.cli.test_models import judged_version
from tests.harness import SAMPLE, Place, eventually, place
from tests.transactions import WALLET, WALLET_FILE

from fraudline import local
from fraudline.local import Companion
from fraudline.stream.read_topic import offset_ranges
from fraudline.use_cases.send_labels import send_labels


@pytest.mark.timeout(240)  # a process starts
def test_a_scorer_says_at_its_start_that_nobody_gave_the_costs_by_which_it_decides(
    services_home: Path, tmp_path: Path
) -> None:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as wallet:
        version = judged_version(wallet.project.registry, WALLET)
        wallet.project.registry.promote(version)  # as the last release would have done
        home = wallet.project.settings.home
        scorer = Companion(local.call("score"), wallet.environment, home / "score.log", home)
        scorer.start()
        wallet.companions.append(scorer)
        eventually(lambda: f"{version} decides by them" in " ".join(scorer.said.split()), 120)
        said = " ".join(scorer.said.split())
        assert "LOOK: contract 'wallet' is a file of your own" in said
        assert said.count("LOOK") == 1
        assert scorer.is_alive


@pytest.mark.timeout(240)  # a process starts
def test_a_replay_that_is_stopped_before_its_end_says_what_it_has_not_sent_and_fails(
    here: Place,
) -> None:
    kafka = here.project.kafka
    replay = here.start("replay", str(SAMPLE), "--rate", "1")
    eventually(
        lambda: any(end for _, end in offset_ranges(kafka, kafka.topic_transactions).values()), 120
    )
    assert replay.stop() == 1
    said = " ".join(replay.said.split())
    assert "stopped: the 3,5" in said
    assert "messages after them were not sent." in said


def test_labels_that_were_not_sent_any_more_are_counted(here: Place, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(
        "transaction_id,transaction_received_at,label,source,known_at,told_by\n"
        + "transactions:0:1,2026-03-01T00:00:00Z,fraud,test,2026-03-01T00:00:00Z,ann\n" * 3
    )
    stop = threading.Event()
    stop.set()
    stopped = send_labels(here.project, file, stop=stop)
    assert (stopped.sent, stopped.left) == (0, 3)
    done = send_labels(here.project, file)
    assert (done.sent, done.left) == (3, 0)
