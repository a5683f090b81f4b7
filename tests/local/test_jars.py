"""Only jars whose hash is the known one are ever given to Java."""

import shutil

import pytest

from fraudline.datasets import user_cache
from fraudline.errors import LocalServiceError
from fraudline.local.jars import broker_jars, pinned_jars

from .conftest import Told


@pytest.fixture
def offline(monkeypatch):
    """No way out of this machine: the proxy is a port on which nothing listens."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")


@pytest.fixture
def cache_copy(tmp_path):
    """A copy of the user's cache, complete."""
    broker_jars(user_cache(), Told())
    shutil.copytree(user_cache() / "maven", tmp_path / "maven")
    return tmp_path


def test_every_pinned_jar_names_its_version_and_a_whole_hash():
    jars = pinned_jars()

    assert len(jars) == len({jar.path for jar in jars}) == 46
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in jars)


def test_a_complete_cache_needs_no_network_and_says_that_it_is_reused(cache_copy, offline, told):
    jars = broker_jars(cache_copy, told)

    assert [jar.is_file() for jar in jars] == [True] * 46
    assert told.lines == [
        f"Kafka 4.3.1: reusing 46 verified jars in {cache_copy / 'maven'}",
    ]


def test_a_jar_that_was_altered_is_never_used(cache_copy, offline, told):
    altered = cache_copy / "maven" / pinned_jars()[7].path
    altered.write_bytes(altered.read_bytes() + b"!")

    with pytest.raises(LocalServiceError, match=rf"{altered.name}.* could not be fetched"):
        broker_jars(cache_copy, told)

    assert not altered.exists()


def test_a_jar_that_an_interruption_left_half_is_fetched_again(cache_copy, told):
    half = cache_copy / "maven" / min(pinned_jars(), key=lambda jar: len(jar.path.name)).path
    whole = half.read_bytes()
    half.write_bytes(whole[: len(whole) // 2])

    broker_jars(cache_copy, told)

    assert half.read_bytes() == whole


def test_a_first_start_without_a_network_says_so_and_what_to_run_again(tmp_path, offline, told):
    with pytest.raises(LocalServiceError) as caught:
        broker_jars(tmp_path, told)

    assert "could not be fetched" in str(caught.value)
    assert "Run `fraudline up` again when the machine is online" in str(caught.value)
