"""The API keys of a project, in a SQLite file of its home.

A key is `fl_<id>_<secret>`. The secret is 256 random bits, so a plain SHA-256 of it is kept: there
is nothing to guess, and a slow hash would protect nothing but cost each request. Any number of
processes read the file while a command changes it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fraudline.access.key_roles import Role
from fraudline.errors import InputError
from fraudline.home import PRIVATE_UMASK, make_private

FILE = "api-keys.sqlite"
MAX_NAME_CHARACTERS = 100
_SHOWN = re.compile(r"fl_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_FORMAT = 1
_WAIT_S = 5.0
# Where SQLite counts the changes of a file: its time stamp is too coarse for two in a row.
_CHANGES_AT, _CHANGES_END = 24, 28
_TABLE = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at TEXT NOT NULL,
    revoked_at TEXT,
    used_at TEXT
) STRICT
"""


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key.

    Attributes:
        id: By which it is revoked; 12 hexadecimal digits.
        name: Who or what uses it.
        role: What for.
        created_at: When it was made, UTC.
        revoked_at: When it was revoked; None if it is in force.
        used_at: When it was shown last, as of a minute ago or so; None if it never was.
    """

    id: str
    name: str
    role: Role
    created_at: dt.datetime
    revoked_at: dt.datetime | None = None
    used_at: dt.datetime | None = None


@dataclass(frozen=True)
class IssuedKey:
    """A key that was just made.

    Attributes:
        key: What its user shows with each request; nobody can tell it again.
        about: What is known of it from now on.
    """

    key: str
    about: ApiKey


class ApiKeys:
    """The keys of a project.

    Args:
        home: Its home directory.

    Raises:
        InputError: from each method: the file is none of ours, or a newer version's.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / FILE
        self._in_force: dict[str, tuple[bytes, ApiKey]] = {}
        self._seen: tuple[int, bytes] | None = None

    def issue(self, name: str, role: Role) -> IssuedKey:
        """Make a key.

        Raises:
            InputError: the name is empty, long, or not printable.
        """
        if not (name.strip() and name.isprintable() and len(name) <= MAX_NAME_CHARACTERS):
            raise InputError(
                f"a key's name has 1 to {MAX_NAME_CHARACTERS} printable characters; it says who "
                "or what uses the key"
            )
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        about = ApiKey(key_id, name, role, _now())
        with self._changed() as file:
            file.execute(
                "INSERT INTO keys (id, name, role, digest, created_at) VALUES (?, ?, ?, ?, ?)",
                (key_id, name, role, _digest(secret), about.created_at.isoformat()),
            )
        return IssuedKey(f"fl_{key_id}_{secret}", about)

    def all(self) -> list[ApiKey]:
        """Every key that was ever made, oldest first."""
        if not self.path.exists():
            return []
        with self._open() as file:
            return [key for _, key in _rows(file)]

    def revoke(self, key_id: str) -> ApiKey:
        """Let a key open nothing any more; whoever serves takes it within a second.

        Raises:
            InputError: there is no such key, or it was revoked before.
        """
        found = {key.id: key for key in self.all()}.get(key_id)
        if found is None:
            raise InputError(f"there is no key {key_id!r}; `fraudline keys list` has them all")
        if found.revoked_at is not None:
            raise InputError(f"key {key_id} was revoked on {found.revoked_at:%Y-%m-%d %H:%M} UTC")
        with self._changed() as file:
            file.execute(
                "UPDATE keys SET revoked_at = ? WHERE id = ?", (_now().isoformat(), key_id)
            )
        return {key.id: key for key in self.all()}[key_id]

    def reload(self) -> None:
        """Read which keys are in force, if the file has changed; for who serves, now and then."""
        try:
            with self.path.open("rb") as opened:
                seen = os.fstat(opened.fileno()).st_ino, opened.read(_CHANGES_END)[_CHANGES_AT:]
        except FileNotFoundError:
            self._in_force, self._seen = {}, None
            return
        if seen == self._seen:
            return
        with self._open() as file:
            rows = list(_rows(file))
        self._in_force = {key.id: (digest, key) for digest, key in rows if key.revoked_at is None}
        self._seen = seen

    @property
    def count(self) -> int:
        """How many keys are in force, as of the last `reload`."""
        return len(self._in_force)

    def holder(self, shown: str) -> ApiKey | None:
        """The key that somebody shows, as of the last `reload`; None if it opens nothing."""
        matched = _SHOWN.fullmatch(shown)
        if matched is None:
            return None
        digest, key = self._in_force.get(matched[1], (b"", None))
        is_right = hmac.compare_digest(digest, _digest(matched[2]))
        return key if is_right else None

    def note_used(self, used_at: Mapping[str, dt.datetime]) -> None:
        """Keep when keys were shown last, by their ids."""
        if not (used_at and self.path.exists()):
            return
        with self._changed() as file:
            file.executemany(
                "UPDATE keys SET used_at = max(coalesce(used_at, ''), ?) WHERE id = ?",
                [(at.isoformat(), key_id) for key_id, at in used_at.items()],
            )

    @contextmanager
    def _changed(self) -> Iterator[sqlite3.Connection]:
        """The file, in one transaction."""
        make_private(self.path.parent)
        with self._open() as file, file:
            file.execute(_TABLE)
            file.execute(f"PRAGMA user_version = {_FORMAT}")
            yield file

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        before = os.umask(PRIVATE_UMASK)
        try:
            with closing(sqlite3.connect(self.path, timeout=_WAIT_S)) as file:
                (form,) = file.execute("PRAGMA user_version").fetchone()
                if form > _FORMAT:
                    raise InputError(
                        f"{self.path} has format {form}, and this version of fraudline reads "
                        f"{_FORMAT}: a newer one wrote it. Install that one, or set `home` "
                        "elsewhere."
                    )
                yield file
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}, which holds the API keys: {error}") from None
        finally:
            os.umask(before)


def _rows(file: sqlite3.Connection) -> Iterator[tuple[bytes, ApiKey]]:
    asked = (
        "SELECT id, name, role, digest, created_at, revoked_at, used_at FROM keys ORDER BY rowid"
    )
    for key_id, name, role, digest, *times in file.execute(asked):
        created_at, revoked_at, used_at = (
            each and dt.datetime.fromisoformat(each) for each in times
        )
        try:
            known = Role(role)
        except ValueError:
            raise InputError(
                f"API key {key_id} has the role {role!r}, which this version of fraudline does not "
                "know: a newer one made it. Install that one, or revoke the key there."
            ) from None
        yield digest, ApiKey(key_id, name, known, created_at, revoked_at, used_at)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
