from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.harness import SCREEN, typed


class Shell:
    """Runs the command line in this process, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._environment = {**os.environ, **SCREEN}

    def set(self, **environment: str) -> Shell:
        self._environment |= environment
        return self

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was said, with a space for all white space."""
        answer = typed(arguments, self._environment, self._directory)
        return answer.code, " ".join(answer.said.split())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)
