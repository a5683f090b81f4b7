"""Keys: made once, kept as a digest, revoked, and read by many processes."""

from __future__ import annotations

import datetime as dt
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.access import ApiKeys, Role
from fraudline.errors import InputError


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    return ApiKeys(tmp_path / "home")


def test_a_key_is_known_by_whoever_reads_the_file_and_is_not_in_it(keys: ApiKeys) -> None:
    issued = keys.issue("gateway", Role.SCORER)
    other = ApiKeys(keys.path.parent)
    assert other.holder(issued.key) is None  # not before it has looked
    other.reload()
    assert other.holder(issued.key) == issued.about
    secret = issued.key.split("_", 2)[2].encode()
    assert secret not in keys.path.read_bytes()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.path.parent.stat().st_mode) == 0o700


def test_a_revoked_key_opens_nothing_and_is_still_listed(keys: ApiKeys) -> None:
    first, second = keys.issue("a", Role.VIEWER), keys.issue("b", Role.ADMIN)
    keys.reload()
    keys.revoke(first.about.id)
    keys.reload()
    assert keys.holder(first.key) is None
    assert keys.holder(second.key) == second.about
    assert [key.revoked_at is None for key in keys.all()] == [False, True]
    with pytest.raises(InputError, match="was revoked on"):
        keys.revoke(first.about.id)
    with pytest.raises(InputError, match="there is no key 'nobody'"):
        keys.revoke("nobody")


def test_the_last_use_is_kept_and_an_older_one_changes_nothing(keys: ApiKeys) -> None:
    key = keys.issue("a", Role.VIEWER).about
    at = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    keys.note_used({key.id: at})
    keys.note_used({key.id: at - dt.timedelta(days=1)})
    assert keys.all()[0].used_at == at


def test_no_text_but_the_key_opens_anything(keys: ApiKeys) -> None:
    key = keys.issue("a", Role.ADMIN).key
    keys.reload()

    @given(st.text() | st.from_regex(r"fl_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", fullmatch=True))
    def opens_nothing(shown: str) -> None:
        assert keys.holder(shown) is None

    opens_nothing()
    for place in range(len(key)):
        assert (
            keys.holder(key[:place] + ("x" if key[place] != "x" else "y") + key[place + 1 :])
            is None
        )
    assert keys.holder(key) is not None


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_name_that_says_nothing_is_refused(keys: ApiKeys, name: str) -> None:
    with pytest.raises(InputError, match="who or what uses the key"):
        keys.issue(name, Role.VIEWER)
    assert keys.all() == []


def test_a_file_of_somebody_else_or_of_a_newer_version_is_refused_by_name(keys: ApiKeys) -> None:
    keys.path.parent.mkdir()
    keys.path.write_text("not a database, but long enough to be taken for one" * 20)
    with pytest.raises(InputError, match=r"api-keys\.sqlite.*not a database"):
        keys.all()
    keys.path.unlink()
    keys.issue("a", Role.VIEWER)
    with sqlite3.connect(keys.path) as file:
        file.execute("PRAGMA user_version = 2")
    file.close()
    with pytest.raises(InputError, match=r"has format 2.*Install that one"):
        keys.reload()
