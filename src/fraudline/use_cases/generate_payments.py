"""Made-up card payments in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from fraudline import datasets
from fraudline.errors import InputError

_WRITERS = {".csv": csv.write_csv, ".parquet": pq.write_table}


@dataclass(frozen=True)
class Generated:
    """What a file of made-up payments holds."""

    file: Path
    rows: int
    frauds: int


def generate_payments(file: Path, rows: int, seed: int) -> Generated:
    """Write made-up card payments to a file that does not exist yet.

    Args:
        file: CSV or Parquet, by its suffix.
        rows: How many payments.
        seed: What they are drawn from: the same one gives the same file.

    Raises:
        InputError: it exists, cannot be written or has another suffix; or so many payments cannot
            be made up.
    """
    write = _WRITERS.get(file.suffix.lower())
    if write is None:
        raise InputError(
            f"{file} cannot be written: expected a name that ends in .csv or .parquet."
        )
    if file.exists():
        raise InputError(f"{file} exists, and was left as it is. Name another file.")
    table = datasets.made_up_payments(rows, seed)
    try:
        write(table, file)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{file} cannot be written: {error}.") from None
    return Generated(file, table.num_rows, pc.sum(table.column("is_fraud")).as_py())
