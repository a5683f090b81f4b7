"""MLflow's page is served on this machine only, shows what is recorded, and ends whole."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from tests.harness import eventually
from tests.tracking.conftest import tiny_version
from tests.tracking.later import reader, record, serving
from tests.transactions import CREDITCARD

from fraudline.errors import TrackingError
from fraudline.settings import MlflowSettings, Settings

pytestmark = pytest.mark.timeout(300)  # MLflow's server takes long to start


@contextmanager
def ui(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`fraudline models ui`, and the file with what it says."""
    log = home / "ui.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "fraudline.cli", "models", "ui"],
            env={**os.environ, "FRAUDLINE_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, log
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def served(
    empty_record: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, Any]]:
    """The page of a record, and whose record it is."""
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(empty_record, home)
    settings = Settings(home=home)
    with serving(settings, 0) as page:
        assert page.wait_until_served(threading.Event())
        yield settings, page


def test_the_page_shows_the_report_of_a_recorded_version(served):
    settings, page = served
    directory = tiny_version(settings.home)
    record(settings).add(directory, CREDITCARD)
    (found,) = reader(settings).search_model_versions(
        f"tags.`fraudline.version` = '{directory.name}'"
    )
    assert page.address.startswith("http://127.0.0.1:")
    assert "MLflow" in requests.get(page.address, timeout=10).text
    asked = {"path": "report.html", "run_uuid": found.run_id}
    report = requests.get(f"{page.address}/get-artifact", asked, timeout=10)
    assert report.content == (directory / "report.html").read_bytes()


def test_a_version_is_recorded_on_a_server_without_a_word_on_the_screen(served, tmp_path, capfd):
    settings, page = served
    directory = tiny_version(tmp_path, threshold=0.125)
    of_a_team = Settings(home=tmp_path, mlflow=MlflowSettings(tracking_uri=page.address))
    record(of_a_team).add(directory, CREDITCARD)
    record(of_a_team).name_champion(directory)
    assert capfd.readouterr() == ("", "")
    found = reader(settings).get_model_version_by_alias("fraudline-creditcard", "champion")
    assert found.tags["fraudline.version"] == directory.name
    assert not (tmp_path / "mlflow").exists()


@pytest.mark.slow
def test_sigterm_ends_all_of_the_page_which_listens_on_this_machine_only(settings):
    record(settings).add(tiny_version(settings.home), CREDITCARD)
    with ui(settings.home) as (process, log):
        eventually(lambda: "stop it with Ctrl-C" in log.read_text(), timeout_s=120)
        assert re.search(
            r"^http://127\.0\.0\.1:\d+/#/experiments/1/", log.read_text(), re.MULTILINE
        )
        below = psutil.Process(process.pid).children(recursive=True)
        assert {
            each.laddr.ip
            for child in below
            for each in child.net_connections("inet")
            if each.status == psutil.CONN_LISTEN
        } == {"127.0.0.1"}
        process.terminate()
        assert process.wait(30) == 0
        assert not any(child.is_running() for child in below)


@pytest.mark.slow
def test_ctrl_c_need_not_wait_for_the_page(settings):
    with ui(settings.home) as (process, log):
        eventually(lambda: "starting MLflow's page" in log.read_text())
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert below
        assert not any(child.is_running() for child in below)


def test_a_port_that_is_taken_is_told(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = f"port {port}: .*Give another --port"
        with pytest.raises(TrackingError, match=told), serving(settings, port):
            pass


def test_a_server_that_ends_by_itself_is_told_with_the_end_of_its_log(settings):
    (settings.home / "mlflow" / "mlflow.db").write_bytes(b"not a database at all" * 1000)
    told = r"ended with exit code \d+.*mlflow.log"
    with pytest.raises(TrackingError, match=told), serving(settings, 0) as page:
        page.wait_until_served(threading.Event())
