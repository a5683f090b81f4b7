"""A process that scores calls nobody: ONNX Runtime's telemetry is off, whatever was asked for."""

import os
import subprocess
import sys
from pathlib import Path

from tests.models import write_tiny_bundle
from tests.transactions import WALLET, WALLET_FILE

OPEN_AND_SCORE = """
import sys
from pathlib import Path
import numpy as np
from fraudline.bundle.bundle import open_bundle
from fraudline.contract import load_contract
bundle = open_bundle(Path(sys.argv[1]), load_contract(sys.argv[2]))
bundle.score(np.zeros((1, len(bundle.manifest.features)), np.float32))
"""
# Where one of these is set it takes the process for a test, and is silent of its own accord.
OF_TESTS = ("CI", "PYTEST", "ORT_", "GITHUB_", "TF_BUILD")


def left_in_home(home: Path, code: str, *arguments: str, **variables: str) -> list[str]:
    """The files that code leaves in an empty home, run as no test would be recognised."""
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_TESTS)}
    environment = {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), **variables}
    subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True)
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_a_process_that_scores_leaves_nothing_of_telemetry_behind(tmp_path):
    bundle = tmp_path / "tiny"
    write_tiny_bundle(bundle, WALLET)
    arguments = (OPEN_AND_SCORE, str(bundle), str(WALLET_FILE))
    assert left_in_home(tmp_path / "home", *arguments) == []
    asked_for = {"ORT_DISABLE_TELEMETRY": "0"}
    assert left_in_home(tmp_path / "other", *arguments, **asked_for) == []


def test_telemetry_left_on_would_be_seen(tmp_path):
    """Else the test above would hold of any release, and say nothing."""
    left = left_in_home(tmp_path / "home", "import onnxruntime")
    assert any("onnxruntime" in path for path in left)
