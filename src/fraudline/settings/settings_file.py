"""`fraudline.toml`: which one it is, and what it says."""

from __future__ import annotations

import os
from pathlib import Path

from fraudline.errors import SettingsError

SETTINGS_FILE = Path("fraudline.toml")


def find_settings_file() -> Path | None:
    """The `fraudline.toml` of the working directory, or the nearest one above it.

    Raises:
        SettingsError: the one above is another user's, who could lead this one's data astray.
    """
    try:
        here = Path.cwd()
    except OSError:  # it was removed meanwhile: there is no file in it either
        return None
    for directory in (here, *here.parents):
        file = directory / SETTINGS_FILE
        if not os.path.isfile(file):  # noqa: PTH113 - False where this user may not look, too
            continue
        if directory != here and file.stat().st_uid != os.getuid():
            raise SettingsError(
                f"{file} belongs to another user, so its settings are not taken for a directory "
                f"below it. To use them nevertheless, run fraudline in {directory}."
            )
        return file
    return None
