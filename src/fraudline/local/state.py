"""What `fraudline up` remembers of the services of one home: `<home>/services.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fraudline.errors import LocalServiceError


@dataclass(frozen=True)
class Record:
    """One service as it was last started.

    Attributes:
        pid: process number; None after it was stopped, and for the instant in which it starts.
        started_at: seconds since 1970, UTC.
        ports: by role, such as `client` or `rest`; kept after a stop, to be taken again.
    """

    pid: int | None
    started_at: float
    ports: Mapping[str, int]


def read_records(home: Path) -> dict[str, Record]:
    """Every service that was ever started in this home, by name.

    Raises:
        LocalServiceError: the file is there, but it is not what `fraudline up` writes.
    """
    path = _path(home)
    try:
        found = json.loads(path.read_bytes())
        return {name: Record(**fields) for name, fields in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise LocalServiceError(
            f"{path} is not the JSON that `fraudline up` writes: {error}. "
            "Remove the file; services that still run hold their ports until they are ended."
        ) from None


def write_record(home: Path, name: str, record: Record) -> None:
    """Replace one service's record, at once and whole: a reader sees the old file or the new."""
    records = read_records(home) | {name: record}
    path = _path(home)
    draft = path.with_suffix(".json.draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({name: asdict(record) for name, record in records.items()}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _path(home: Path) -> Path:
    return home / "services.json"
