"""What commands show of histories and versions has its tables on a screen of 80 columns, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from tests.cli.test_models import judged_version
from tests.harness import SAMPLE

from fraudline.bundle.bundle_files import read_manifest
from fraudline.bundle.manifest import Part
from fraudline.cli import screen
from fraudline.cli.history_commands import load_file, show_check
from fraudline.cli.version_facts import show_manifest
from fraudline.registry import Registry
from fraudline.use_cases.project import Project


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(screen, "OUT", Console(highlight=False, soft_wrap=True, width=80))


def test_the_figures_of_a_version_are_a_table_whatever_its_times_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(tmp_path, lambda: "creditcard")
    manifest = read_manifest(registry.path(judged_version(registry)))
    ends = ("2026-02-28T22:00:00.123456+00:00", "2026-03-06T17:53:00.123456+00:00")
    part = Part(960, 54, *ends, {"calibration_error_of_alerts": 0.05, "average_precision": 0.4})
    parts = {"train": part, "validation": part, "test": part}
    show_manifest(msgspec.structs.replace(manifest, parts=parts))
    shown = capsys.readouterr().out
    assert "scores                       train   validation  test" in shown
    assert " ".join(shown.split()).count(f"from {ends[0]} to {ends[1]}") == 3
    assert "row 1 of" not in shown


def test_the_check_of_a_history_is_a_table_and_says_nothing_of_what_has_no_value(
    make: Callable[..., Project], capsys: pytest.CaptureFixture[str]
) -> None:
    project = make("creditcard")
    load_file(project, SAMPLE)
    show_check(project)
    shown = capsys.readouterr().out
    assert "column  type     nulls  min" in shown
    assert "row 1 of" not in shown
    assert "NULL" not in shown
