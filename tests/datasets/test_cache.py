"""The cache is where the XDG Base Directory Specification says."""

from pathlib import Path

import pytest

from fraudline import datasets


def test_the_cache_follows_xdg_cache_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert datasets.user_cache() == tmp_path / "fraudline"


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_an_empty_or_relative_xdg_cache_home_is_ignored(monkeypatch, value):
    monkeypatch.setenv("XDG_CACHE_HOME", value)

    assert datasets.user_cache() == Path.home() / ".cache" / "fraudline"
