"""What fraudline stands on may be used, and the list of it is true."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "licences.py"


def check(root: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(root / "deploy" / "licences.py"), "--check"]
    return subprocess.run(words, check=False, capture_output=True, text=True)


@pytest.fixture
def copied(tmp_path) -> Path:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    return tmp_path


def test_each_pinned_package_and_jar_has_a_licence_that_is_allowed_and_is_on_the_list():
    done = check(ROOT)
    assert done.returncode == 0, done.stderr
    text = (ROOT / "deploy" / "LICENCES.md").read_text()
    for name in ("tensorflow-cpu", "confluent-kafka", "pytest", "kafka_2.13.jar"):
        assert f"| {name} |" in text


def test_a_package_that_is_new_and_names_no_licence_is_refused_by_name(copied):
    with (copied / "requirements" / "scoring.txt").open("a") as file:
        file.write("mystery==1.0\n")
    done = check(copied)
    assert done.returncode == 1
    assert "mystery 1.0: no licence is named" in done.stderr


def test_a_list_that_is_not_of_what_is_pinned_now_is_refused(copied):
    path = copied / "requirements" / "all.txt"
    path.write_text(re.sub(r"^duckdb==\S+", "duckdb==0.0.1", path.read_text(), flags=re.MULTILINE))
    done = check(copied)
    assert done.returncode == 1
    assert "is not what is pinned now: run `make licences`" in done.stderr


def test_an_expression_is_allowed_if_each_licence_in_it_is():
    is_allowed = runpy.run_path(str(SCRIPT))["is_allowed"]
    assert is_allowed("MIT")
    assert is_allowed("(Apache-2.0 OR MIT) AND BSD-3-Clause")
    for licence in ("", "AGPL-3.0-only", "MIT AND GPL-3.0-or-later", "Proprietary", "UNKNOWN"):
        assert not is_allowed(licence)
