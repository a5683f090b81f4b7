"""The broker's classes are recorded once per user, and used by whoever starts it later."""

import json
import shutil
from pathlib import Path

import psutil
import pytest

from fraudline import local
from fraudline.datasets import user_cache
from fraudline.errors import LocalServiceError
from fraudline.local.start_cache import start_cache

from .conftest import Told


@pytest.fixture
def java(tmp_path) -> Path:
    (tmp_path / "java").mkdir()
    (tmp_path / "java" / "release").write_text('JAVA_VERSION="25.0.2"')
    return tmp_path / "java"


def record(options: list[str]) -> None:
    Path(options[0].partition("=")[2]).write_bytes(b"classes")


def refuse(options: list[str]) -> None:
    raise AssertionError(f"it was recorded again: {options}")


def mapped(settings) -> str:
    """Files that the broker's process has in its memory."""
    pid = json.loads((settings.home / "services.json").read_bytes())["kafka"]["pid"]
    return "\n".join(each.path for each in psutil.Process(pid).memory_maps())


def test_it_is_recorded_once_for_a_java_and_its_jars(java, tmp_path, told):
    first = start_cache(java, "a.jar:b.jar", tmp_path, record, told)
    assert len(told.lines) == 1
    assert start_cache(java, "a.jar:b.jar", tmp_path, refuse, told) == first
    assert start_cache(java, "a.jar:c.jar", tmp_path, record, told) != first
    (java / "release").write_text('JAVA_VERSION="26"')
    assert start_cache(java, "a.jar:b.jar", tmp_path, record, told) != first


def test_where_nothing_could_be_recorded_it_is_told_and_tried_again(java, tmp_path, told):
    def fail(options: list[str]) -> None:
        record(options)
        raise LocalServiceError("a broker to record did not start")

    assert start_cache(java, "a.jar", tmp_path, fail, told) == []
    assert "nothing recorded: a broker to record did not start" in str(told)
    assert [each.name for each in (tmp_path / "kafka").iterdir()] == ["lock"], (
        "nothing half is left"
    )
    assert start_cache(java, "a.jar", tmp_path, record, told) != []


def test_a_broker_that_runs_has_what_was_recorded_in_its_memory(broker):
    assert str(user_cache() / "kafka" / "start-") in mapped(broker)


@pytest.mark.slow  # it records one
@pytest.mark.timeout(300)
def test_a_first_start_records_and_one_whose_record_is_unfit_starts_all_the_same(
    stopped, tmp_path, monkeypatch
):
    shutil.copytree(user_cache() / "maven", tmp_path / "fraudline" / "maven")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told = Told()
    local.up(stopped, told)
    assert "recording what makes its next starts fast" in str(told)
    (kept,) = (tmp_path / "fraudline" / "kafka").glob("start-*.aot")
    assert str(kept) in mapped(stopped)
    local.down(stopped, told)

    kept.write_bytes(b"something else")
    local.up(stopped, told)
    assert [service.state for service in local.status(stopped)] == ["running"]
    assert "[error][aot" in (stopped.home / "logs" / "kafka.log").read_text()
