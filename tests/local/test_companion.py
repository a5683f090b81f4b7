"""A command beside this process: it sees the settings that it was given, and ends when asked."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from tests.harness import eventually

from fraudline.local import Companion, call, environment
from fraudline.settings import (
    BigQuerySettings,
    KafkaSettings,
    MetricsSettings,
    PolicySettings,
    ScoringSettings,
    Settings,
    load_settings,
)

WAITS = "import signal; print('begun', flush=True); signal.pause()"
IS_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS[15:]


@pytest.fixture
def companion(tmp_path: Path) -> Companion:
    return Companion([sys.executable, "-c", WAITS], os.environ, tmp_path / "log")


def test_a_command_sees_exactly_the_settings_that_it_was_given(monkeypatch, tmp_path):
    given = Settings(
        home=tmp_path / "home",
        contract="wallet.toml",
        kafka=KafkaSettings(
            bootstrap_servers="a:1,b:2",
            security_protocol="SASL_SSL",
            sasl_username="u",
            sasl_password="p",
        ),
        bigquery=BigQuerySettings(credentials_file=tmp_path / "key.json"),
        scoring=ScoringSettings(batch_rows=7),
        metrics=MetricsSettings(stalled_after_s=0.25),
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fraudline.toml").write_text("[sink]\nbatch_rows = 9\n[kafka]\npartitions = 3\n")
    monkeypatch.setenv("FRAUDLINE_SINK__COMMIT_INTERVAL_MS", "5")
    seen = environment(given)
    for name in os.environ.keys() - seen.keys():
        monkeypatch.delenv(name)
    for name, value in seen.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == given
    assert call("score")[0] == sys.executable


def test_a_command_knows_which_costs_nobody_gave(monkeypatch, tmp_path):
    given = Settings(home=tmp_path, policy=PolicySettings(review_cost=2.0))
    monkeypatch.chdir(tmp_path)
    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == given
    assert load_settings().policy.model_fields_set == {"review_cost"}


def test_it_is_started_again_and_only_what_it_said_since_is_told(companion):
    for _ in range(2):
        with companion.running():
            eventually(lambda: companion.said == "begun\n")
            assert companion.is_alive
        assert not companion.is_alive
    assert companion.log.read_text() == "begun\n" * 2


def test_it_ends_when_asked_and_by_force_when_it_does_not_listen(companion, tmp_path):
    companion.start()
    eventually(lambda: "begun" in companion.said)
    assert companion.stop() == -signal.SIGTERM
    deaf = Companion([sys.executable, "-c", IS_DEAF], os.environ, tmp_path / "deaf")
    deaf.start()
    eventually(lambda: "begun" in deaf.said)
    assert deaf.stop(grace_s=0.2) == -signal.SIGKILL
