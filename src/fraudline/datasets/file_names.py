"""The files that names on a command line mean: files, folders, and patterns that the shell left."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from pathlib import Path

from fraudline.errors import InputError

_MOST_TOLD = 5


def find_files(
    given: Sequence[Path], kinds: tuple[str, ...], on_note: Callable[[str], None]
) -> list[Path]:
    """Every file that is meant, once, in the order given and by name within a folder or pattern.

    Args:
        given: Files; folders, which mean the files of these kinds in them and not those below; and
            patterns such as `2026-*.csv` or `**/*.parquet`.
        kinds: Endings of the files that are taken from a folder, with or without `.gz` behind.
        on_note: Told in a sentence without a full stop what was left out.

    Raises:
        InputError: something that was given is not there, or holds no file; all of them are told.
    """
    found: dict[Path, Path] = {}
    faults = []
    for each in given:
        if each.is_dir():
            files = _of_folder(each, kinds, on_note)
            if not files:
                faults.append(f"folder {each} holds no file that ends in {_endings(kinds)}")
        elif each.exists() or not glob.has_magic(str(each)):
            files = [each]
            if not each.is_file():
                faults.append(f"there is no file {each}")
        else:
            matches = sorted(map(Path, glob.glob(str(each), recursive=True)))  # noqa: PTH207 - Path takes no absolute pattern
            files = [match for match in matches if match.is_file()]
            if not files:
                faults.append(f"no file is called like {each}")
        for file in files:
            if found.setdefault(file.resolve(), file) is not file:
                on_note(f"{file} was named twice, and is taken once")
    if faults:
        raise InputError(f"{'; '.join(faults)}. Nothing was read.")
    return list(found.values())


def _of_folder(folder: Path, kinds: tuple[str, ...], on_note: Callable[[str], None]) -> list[Path]:
    inside = sorted(folder.iterdir())
    files = [
        each
        for each in inside
        if each.is_file()
        and each.name.lower().removesuffix(".gz").endswith(tuple(f".{kind}" for kind in kinds))
    ]
    others = [each.name for each in inside if each not in files]
    if others and files:
        listed = ", ".join(others[:_MOST_TOLD])
        more = f" and {len(others) - _MOST_TOLD} more" if len(others) > _MOST_TOLD else ""
        on_note(
            f"of folder {folder}, {listed}{more} left out: not a file that ends in "
            f"{_endings(kinds)}"
        )
    return files


def _endings(kinds: tuple[str, ...]) -> str:
    return " or ".join(f".{kind}" for kind in kinds)
