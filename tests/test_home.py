"""The home is its user's alone: what is made there, what was there before, and who is told."""

import logging
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.harness import eventually

from fraudline.home import make_private, tighten
from fraudline.local import Companion
from fraudline.local.process import is_alive, spawn
from fraudline.registry import Registry
from fraudline.settings import Settings
from fraudline.use_cases.project import Project

WRITES = "import pathlib; pathlib.Path('made').mkdir(); pathlib.Path('made/file').touch()"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0o000)  # the widest there is
    yield
    os.umask(before)


def test_what_is_missing_is_made_for_its_user_alone_and_what_is_there_stays(tmp_path):
    (tmp_path / "shared").mkdir(0o755)
    make_private(tmp_path / "shared" / "home" / "logs")
    assert mode(tmp_path / "shared") == 0o755
    assert mode(tmp_path / "shared" / "home") == 0o700
    assert mode(tmp_path / "shared" / "home" / "logs") == 0o700


def test_a_home_that_was_open_to_others_is_closed_and_that_is_told_once(tmp_path, caplog):
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    home.chmod(0o755)
    Project(Settings(home=home))
    assert mode(home) == 0o700
    assert f"{home} was open to other users of this machine (mode 0755)" in caplog.text
    caplog.clear()
    Project(Settings(home=home))
    assert caplog.text == ""


def test_a_directory_that_holds_others_things_too_stays_open_and_that_is_told(tmp_path, caplog):
    (tmp_path / "models").mkdir()
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o755)
    tighten(tmp_path)
    assert mode(tmp_path) == 0o755
    assert "is open to other users" in caplog.text
    assert "holds 'thesis.tex', too" in caplog.text
    assert "`chmod 700` it, or set `home`" in caplog.text


def test_a_directory_without_anything_of_ours_is_left_alone(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o755)
    tighten(tmp_path)
    tighten(tmp_path / "nowhere")
    assert mode(tmp_path) == 0o755
    assert caplog.text == ""


def test_models_are_kept_where_no_other_user_may_look(tmp_path):
    registry = Registry(tmp_path / "home", lambda: "creditcard")
    registry.new_directory()
    assert mode(tmp_path / "home") == mode(registry.directory) == 0o700


def test_what_services_and_companions_write_is_for_their_user_alone(tmp_path):
    service, beside = tmp_path / "service", tmp_path / "beside"
    service.mkdir()
    beside.mkdir()
    words = [sys.executable, "-c", WRITES]
    pid = spawn(words, service, service / "lock", service / "log")
    companion = Companion(words, os.environ, beside / "log", beside)
    companion.start()
    assert companion.process.wait(30) == 0
    eventually(lambda: not is_alive(service / "lock"))
    assert pid
    for made in (service / "made", beside / "made"):
        assert mode(made) == 0o700
        assert mode(made / "file") == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_another_account_of_the_machine_sees_nothing_of_a_home():
    with tempfile.TemporaryDirectory() as shared:  # pytest's own directory is closed anyway
        Path(shared).chmod(0o755)
        home = Path(shared) / "home"
        champion = home / "models" / "champion"
        champion.parent.mkdir(parents=True)
        champion.write_text("creditcard")
        look = f"import os; os.setgid(65534); os.setuid(65534); open({str(champion)!r})"

        def looked() -> str:
            words = [sys.executable, "-c", look]
            return subprocess.run(words, capture_output=True, check=False, text=True).stderr

        assert looked() == ""
        Project(Settings(home=home))
        assert "PermissionError" in looked()
