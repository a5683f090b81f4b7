"""A file that a command writes: never one that it reads."""

from __future__ import annotations

from pathlib import Path

from fraudline.errors import InputError


def require_other_file(out: Path, *inputs: Path) -> None:
    """Refuse to write over what is read, by whatever name or link it is called.

    Raises:
        InputError: `out` is one of the inputs.
    """
    for read in inputs:
        if out.resolve() == read.resolve() or (
            out.exists() and read.exists() and out.samefile(read)
        ):
            raise InputError(
                f"{out} is {read}, which is read: nothing was written. Name another file."
            )


def write_file(out: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        InputError: it cannot be written.
    """
    try:
        out.write_bytes(content)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}.") from None
