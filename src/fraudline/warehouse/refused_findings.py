"""What `load` refused of the files that the history is made of, as a sentence of the report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from fraudline.warehouse.history_findings import Finding

_MOST_FILES = 5


def find_refused(load_record: Path, table: str, rows: int) -> Finding:
    """What `load` refused of the files that the table holds.

    Args:
        load_record: The account that it keeps.
        table: Full name of the history table.
        rows: How many rows it holds.
    """
    none = Finding(True, f"no record of a load of {table} in this project, so none of refused rows")
    if not load_record.is_file():
        return none
    record = msgspec.json.decode(load_record.read_bytes())
    if record["table"] != table:
        return none
    # A release of before there were several files kept one in the place of all.
    files = record.get("files") or [record]
    loaded = record["rows_loaded"]
    if "files" in record and loaded != rows:
        return Finding(
            False,
            f"the record of loads, {load_record}, is of {loaded:,} rows, and the table holds "
            f"{rows:,}: somebody else has written to it, and what was refused is not known. Load "
            "its files again to be certain",
        )
    refused = record["rows_refused"]
    it_was = "it was loaded" if len(files) == 1 else "they were loaded"
    if not refused:
        return Finding(True, f"no row of {_named(files)} was refused when {it_was}")
    reasons = Counter(refusal["reason"] for each in files for refusal in each["refusals"])
    listed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
    frauds = record.get("frauds_refused")  # unknown to an earlier release
    return Finding(
        False,
        f"{refused:,} of {refused + loaded:,} rows of {_named(files)} were refused when {it_was} "
        f"({listed}"
        + ("" if frauds is None else f"; {frauds:,} labelled fraud")
        + f"){_by_file(files)}; each is listed in {load_record}",
    )


def _named(files: list[dict[str, Any]]) -> str:
    return str(files[0]["file"]) if len(files) == 1 else f"{len(files):,} files"


def _by_file(files: list[dict[str, Any]]) -> str:
    """How many were refused of which file, most of them first."""
    if len(files) == 1:
        return ""
    worst = sorted(
        (each for each in files if each["rows_refused"]), key=lambda e: -e["rows_refused"]
    )
    told = [f"{each['rows_refused']:,} of {each['file']}" for each in worst[:_MOST_FILES]]
    more = len(worst) - _MOST_FILES
    return f": {', '.join(told)}" + (f", and of {more:,} files more" if more > 0 else "")
