"""MLflow's own page, served from the record in the home directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests

from fraudline.errors import TrackingError
from fraudline.home import PRIVATE_UMASK, make_private
from fraudline.settings import Settings
from fraudline.tracking.mlflow_engine import artifacts, record_address

_LOOPBACK = "127.0.0.1"
_START_TIMEOUT_S = 120.0
_STOP_GRACE_S = 10.0
_POLL_S = 0.1


class MlflowServer:
    """MLflow's server in a process group of its own, on the loopback address.

    Attributes:
        address: Where the page is.
    """

    def __init__(self, settings: Settings, port: int) -> None:
        port = _free_port(port)
        self.address = f"http://{_LOOPBACK}:{port}"
        self._log = settings.home.absolute() / "logs" / "mlflow.log"
        make_private(self._log.parent)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours, no shell reads it
                _command(settings, port),
                cwd=settings.home / "mlflow",
                # It would start workers for jobs that only its evaluations of texts need.
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                umask=PRIVATE_UMASK,
                start_new_session=True,  # so that one signal ends it and its children
            )

    def wait_until_served(self, stop: threading.Event) -> bool:
        """Wait for the page to answer.

        Returns:
            Whether it does; False if somebody wants to stop.

        Raises:
            TrackingError: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        direct = requests.Session()
        direct.trust_env = False  # no proxy stands between us and this machine
        while not stop.is_set():
            self._require_running()
            with suppress(requests.RequestException):
                if direct.get(f"{self.address}/health", timeout=1).ok:
                    return True
            if time.monotonic() > deadline:
                raise TrackingError(
                    f"MLflow's page did not answer within {_START_TIMEOUT_S:.0f} s. Its log, "
                    f"{self._log}, ends with:\n{self._tail()}"
                )
            stop.wait(_POLL_S)
        return False

    def wait_until(self, stop: threading.Event) -> None:
        """Serve until somebody wants to stop.

        Raises:
            TrackingError: the server ended by itself.
        """
        while not stop.wait(_POLL_S):
            self._require_running()

    def close(self) -> None:
        """End the server and all that it started."""
        deadline = time.monotonic() + _STOP_GRACE_S
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_GRACE_S)
        while self._signal(0) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> bool:
        """Send the whole group a signal; False if none of it is left."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _require_running(self) -> None:
        code = self._process.poll()
        if code is not None:
            raise TrackingError(
                f"MLflow's page ended with exit code {code}. Its log, {self._log}, ends with:\n"
                f"{self._tail()}"
            )

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])


@contextmanager
def serving_mlflow(settings: Settings, port: int) -> Iterator[MlflowServer]:
    """Start MLflow's page, and end it with the block.

    Args:
        settings: Whose record; it must be the one in the home directory.
        port: 0 takes a free one.

    Raises:
        TrackingError: the port is taken.
    """
    page = MlflowServer(settings, port)
    try:
        yield page
    finally:
        page.close()


def _command(settings: Settings, port: int) -> list[str]:
    options = {
        "--backend-store-uri": record_address(settings),
        "--default-artifact-root": artifacts(settings),
        "--host": _LOOPBACK,
        "--port": port,
        "--workers": 1,
    }
    given = [str(part) for option in options.items() for part in option]
    return [sys.executable, "-P", "-m", "mlflow", "server", "--no-serve-artifacts", *given]


def _free_port(port: int) -> int:
    try:
        with socket.create_server((_LOOPBACK, port)) as server:
            return int(server.getsockname()[1])
    except OSError as error:
        raise TrackingError(
            f"MLflow's page cannot be served at {_LOOPBACK}, port {port}: {error.strerror}. "
            "Give another --port; without one, a free port is taken."
        ) from None
