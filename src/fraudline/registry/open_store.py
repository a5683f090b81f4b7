"""Where a registry's files lie, by the setting `registry.url`."""

from __future__ import annotations

from pathlib import Path

from fraudline.registry.directory_store import DirectoryStore
from fraudline.registry.store import Store
from fraudline.settings import LOCAL


def open_store(url: str, home: Path) -> Store:
    """A directory of the home for `local`, else an object store with a cache in the home.

    Raises:
        RegistryError: the environment has something that is no credential or endpoint.
    """
    if url == LOCAL:
        return DirectoryStore(home / "models")
    from fraudline.registry.bucket_store import BucketStore  # noqa: PLC0415 - brings obstore

    return BucketStore(url, home / "models-cache")
