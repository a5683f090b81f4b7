"""The account of loads: which files the history is made of, and what was refused of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from fraudline.datasets.files import RowFile
from fraudline.home import make_private
from fraudline.warehouse.history_files import HistoryFile, content_label


def write_account(
    account: Path,
    table: str,
    read: Sequence[tuple[RowFile, str, int]],
    held: Sequence[HistoryFile] | None = None,
) -> None:
    """Write what became of files.

    Args:
        account: Where to. What it says of other files of the same table is kept as far as the
            table holds them.
        table: Full name of the history table.
        read: Each file, what names its rows, and how many were loaded.
        held: All files that the table holds; these alone if it is not given.
    """
    entries = {
        content_label(content) or str(each.path): _entry(each, content, loaded)
        for each, content, loaded in read
    }
    if held is not None:
        before = _entries(account, table)
        names = [content_label(each.content) for each in held]
        known = {name: before[name] for name in names if name in before} | entries
        entries = {
            name: known.get(name) or _elsewhere(each)
            for name, each in zip(names, held, strict=True)
        }
    files = list(entries.values())
    total = {
        name: sum(each[name] for each in files)
        for name in ("rows_loaded", "rows_refused", "frauds_refused")
    }
    make_private(account.parent)
    account.write_bytes(
        msgspec.json.format(msgspec.json.encode({"table": table, **total, "files": files}))
    )


def _entry(read: RowFile, content: str, loaded: int) -> dict[str, Any]:
    return {
        "file": str(read.path),
        "sha256": read.sha256,
        "content": content_label(content),
        "rows_loaded": loaded,
        "rows_refused": len(read.refusals),
        "frauds_refused": sum(each.is_fraud is True for each in read.refusals),
        "notes": read.notes,
        "refusals": read.refusals,
    }


def _elsewhere(file: HistoryFile) -> dict[str, Any]:
    """Of a file that another project or an earlier release loaded."""
    return {
        "file": file.file,
        "content": file.content,
        "rows_loaded": file.rows,
        "rows_refused": 0,
        "frauds_refused": 0,
        "notes": ["loaded by another project or an earlier release: what it refused is not known"],
        "refusals": [],
    }


def _entries(account: Path, table: str) -> dict[str, Any]:
    """What an account says of a table's files, by what names their rows."""
    if not account.is_file():
        return {}
    record = msgspec.json.decode(account.read_bytes())
    if record["table"] != table or "files" not in record:
        return {}
    return {each["content"]: each for each in record["files"]}
