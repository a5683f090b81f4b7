"""MLflow's page is served on this machine only, shows what is recorded, and ends whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from tests.conftest import eventually
from tests.tracking.conftest import tiny_version

from fraudline.errors import TrackingError
from fraudline.tracking.page import serving
from fraudline.tracking.record import Record


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


def test_the_page_shows_a_report_and_sigterm_ends_all_of_it(settings, client):
    directory = tiny_version(settings.home)
    Record(settings).add(directory)
    (found,) = client.search_model_versions("name = 'fraudline-creditcard'")
    with ui(settings.home) as (process, log):
        eventually(lambda: "stop it with Ctrl-C" in log.read_text(), timeout_s=120)
        (address,) = (line for line in log.read_text().splitlines() if line.startswith("http"))
        base, _, path = address.partition("/#/")
        assert base.startswith("http://127.0.0.1:")
        assert path.startswith("experiments/")
        assert "MLflow" in requests.get(base, timeout=10).text
        asked = {"path": "report.html", "run_uuid": found.run_id}
        report = requests.get(f"{base}/get-artifact", asked, timeout=10)
        assert report.content == (directory / "report.html").read_bytes()
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
