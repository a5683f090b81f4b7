"""A Keras model on disk, the same bytes for the same weights."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

MODEL_FILE = "model.keras"
LAST_LAYER_FILE = "last_layer.npz"
"""Beside it: what a last layer goes on from that learned by itself."""
# The earliest time that a zip archive can hold; Keras writes the current one.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def save_model(model: Any, path: Path) -> None:
    """Write a model in Keras' format, without what differs between two writings.

    These are the times at which its parts were written, and the memory addresses by which
    its configuration tells shared objects apart; they become 1, 2, 3 and so on.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(entries["metadata.json"])
    del metadata["date_saved"]
    entries["metadata.json"] = json.dumps(metadata).encode()
    addresses: dict[bytes, int] = {}
    entries["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda found: b"%d" % addresses.setdefault(found[0], len(addresses) + 1),
        entries["config.json"],
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), content)
