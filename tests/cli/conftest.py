from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fraudline.cli.app import main


class Shell:
    """Runs the command line in this process, in a directory of its own."""

    def __init__(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        monkeypatch.chdir(directory)
        monkeypatch.setenv("COLUMNS", "200")  # names are not cut in two

    def set(self, **environment: str) -> Shell:
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        return self

    def __call__(self, *arguments: str) -> tuple[int, str]:
        self._monkeypatch.setattr(sys, "argv", ["fraudline", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = self._capsys.readouterr()
        said = " ".join((captured.out + captured.err).split())
        assert "Traceback" not in said
        return int(end.value.code or 0), said


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return Shell(tmp_path, monkeypatch, capsys)
