"""The wheel carries all that the commands need, and needs nothing of the repository."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / "src" / "fraudline", ROOT / "packages" / "bqlite" / "src" / "bqlite"]

LOADED_FROM_THE_WHEEL = """
import bqlite, fraudline, importlib.resources as resources
from fraudline.contract import load_contract
from fraudline.training.pages import PAGES
print(bqlite.__file__)
print(fraudline.__file__)
print(load_contract("creditcard").name, load_contract("handbook").name)
print(PAGES.get_template("report.html.jinja").name)
print((resources.files("fraudline") / "contracts" / "handbook.sql").is_file())
"""

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """What a command prints; it has to end well."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(kind: str, source: Path, directory: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", directory, cwd=source)
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel_of_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built the way an installer does that is given the source archive."""
    place = tmp_path_factory.mktemp("archive")
    with tarfile.open(build("sdist", ROOT, place / "sdist")) as archive:
        archive.extractall(place, filter="data")
    (source,) = place.glob("fraudline-*")
    return build("wheel", source, place / "wheel")


def packed(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def empty_place(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory outside the repository, with an environment that has our wheel.

    What the wheel depends on is borrowed from the tests' environment, so that no index is asked.
    """
    place = tmp_path_factory.mktemp("place")
    run(sys.executable, "-m", "venv", "--without-pip", place / "env", cwd=place)
    pip = (sys.executable, "-m", "pip", "--python", place / "env" / "bin" / "python", "install")
    run(*pip, "--quiet", "--no-index", "--no-deps", wheel, cwd=place)
    (site_packages,) = (place / "env" / "lib").glob("python3.*/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    (place / "home").mkdir()
    return place


def in_place(place: Path, command: str, *arguments: str) -> str:
    program = place / "env" / "bin" / command
    return run(program, *arguments, cwd=place, HOME=str(place / "home"), PYTHONPATH="")


def test_every_file_of_the_packages_is_in_the_wheel(wheel, wheel_of_archive):
    expected = {
        str(path.relative_to(package.parent))
        for package in PACKAGES
        for directory, _, names in os.walk(package, followlinks=True)
        for path in (Path(directory) / name for name in names)
        if "__pycache__" not in path.parts
    }
    assert {"fraudline/contracts/creditcard.toml", "fraudline/py.typed"} <= expected
    assert packed(wheel) == expected
    assert packed(wheel_of_archive) == expected


def test_commands_of_the_wheel_start_where_nothing_of_the_repository_is(empty_place):
    for line in ("demo", "score", "reconcile"):
        assert line in in_place(empty_place, "fraudline", "--help")
    assert "--data" in in_place(empty_place, "bqlite", "--help")
    assert "kafka.bootstrap_servers" in in_place(empty_place, "fraudline", "settings")


def test_contracts_and_templates_come_with_the_wheel(empty_place):
    *modules, contracts, template, has_sql = in_place(
        empty_place, "python", "-c", LOADED_FROM_THE_WHEEL
    ).splitlines()
    assert all(module.startswith(str(empty_place / "env")) for module in modules)
    assert contracts == "creditcard handbook"
    assert (template, has_sql) == ("report.html.jinja", "True")
