"""A registry's files in an object store: S3, what speaks as S3 does, or Google Cloud Storage.

Its conditional writes are what makes it safe: a small file is replaced only if it still is what was
read. So of two machines that promote at once one wins, and the other one is told.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import random
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, PreconditionError

from fraudline.bundle.bundle_files import MANIFEST_FILE, parse_manifest, read_manifest
from fraudline.bundle.manifest import Manifest
from fraudline.errors import BundleError, InputError, RegistryError
from fraudline.registry.bucket import Bucket
from fraudline.registry.bundle_cache import BundleCache
from fraudline.registry.candidates import Candidates
from fraudline.registry.champions import CHAMPION
from fraudline.registry.in_use import versions_in_use
from fraudline.registry.manifest_cache import ManifestCache
from fraudline.registry.store import Held

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion

logger = logging.getLogger(__name__)
_AT_ONCE = 8
_APPEND_TRIES = 20
_MOST_SMALL_BYTES, _MOST_BYTES = 64 * 2**20, 2**30
# Names of a bundle's files as ours are; another one could lead out of the directory.
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_PROBE = "conditional-writes"
_PROBE_TEXT = b"fraudline tries here whether this store keeps the conditions of a write.\n"


logger = logging.getLogger(__name__)


class BucketStore:
    """Versions and small files as objects below a prefix; see `Store`.

    Credentials, region and endpoint come from the environment, as `obstore` reads them.

    Args:
        url: `s3://bucket/prefix` or `gs://bucket/prefix`; the prefix may be missing.
        cache: Directory in which this machine keeps the versions that it has used.

    Raises:
        RegistryError: the environment has something that is no credential or endpoint.
    """

    # A request a second. A promotion is taken within two, and each request is paid for.
    look_every_s = 1.0

    def __init__(self, url: str, cache: Path) -> None:
        self.where = url
        # Two registries may have versions of the same name, of which one may be altered.
        self._cache = BundleCache(cache / hashlib.sha256(url.encode()).hexdigest()[:12])
        self.directory = self._cache.directory
        self._downloads = Candidates(self.directory)
        self._manifests = ManifestCache(self.directory)
        self._known: dict[str, Held] = {}
        self._keeps_conditions = False
        self._decided_by = threading.local()
        self._bucket = Bucket(url)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nothing is locked: who decides by a file that was changed meanwhile is told."""
        if not self._keeps_conditions:
            self._require_conditions()
        self._decided_by.files = {}
        try:
            yield
        finally:
            self._decided_by.files = None

    def read(self, name: str) -> Held | None:
        """See `Store`; what is known already is not sent again."""
        held = self._read(name)
        if (files := getattr(self._decided_by, "files", None)) is not None:
            files.setdefault(name, held)  # the first is what was decided by
        return held

    def _read(self, name: str) -> Held | None:
        held = self._bucket.get(name, _MOST_SMALL_BYTES, self._known.get(name))
        if held is None:
            self._known.pop(name, None)
            return None
        self._known[name] = held
        if name.startswith(CHAMPION):
            self._cache.remember(name, held.content)
        return held

    def remembered(self, name: str) -> Held | None:
        """See `Store`."""
        return self._cache.remembered(name)

    def names(self, prefix: str) -> list[str]:
        """See `Store`."""
        objects, _ = self._bucket.list()
        return [each for each in objects if each.startswith(prefix)]

    def replace(self, name: str, content: bytes, before: Held | None) -> bool:
        """See `Store`."""
        try:
            self._bucket.put(name, content, "create" if before is None else _mark(before))
        except (AlreadyExistsError, PreconditionError):
            return False
        except RegistryError as error:
            with suppress(RegistryError):
                held = self.read(name)
                if held is not None and held.content == content:  # only the answer was lost
                    return True
            raise RegistryError(
                f"{error} It may still be written by a request that is under way: look at "
                "`fraudline models changes` before you do it again."
            ) from None
        return True

    def append(self, name: str, line: bytes) -> None:
        """See `Store`; who comes between is let pass, and then it is tried again.

        But not where the file was read before the line was decided on, as who challenges or decides
        a share follows from it: then it is to be decided anew.

        Raises:
            InputError: it was read while `changing`, and another machine has changed it since.
        """
        files = getattr(self._decided_by, "files", None) or {}
        is_decided = name in files
        for turn in range(_APPEND_TRIES):
            before = files[name] if is_decided else self._read(name)
            content = before.content if before is not None else b""
            if content and not content.endswith(b"\n"):  # it was copied here so
                content += b"\n"
            content += line + b"\n"
            if self.replace(name, content, before):
                files.pop(name, None)
                return
            held = self._read(name)
            if held is not None and held.content.startswith(content):  # the answer was lost
                return
            if is_decided:
                raise InputError(
                    f"another machine changed the registry's file {self.where}/{name} at the same "
                    "moment. Nothing was done; look at `fraudline models changes`, and then do it "
                    "again."
                )
            time.sleep(random.uniform(0, 0.02 * min(turn + 1, 10)))  # noqa: S311 - no secret
        raise RegistryError(
            f"the registry's file {self.where}/{name} was changed by others each of "
            f"{_APPEND_TRIES} times that something was to be added. Nothing was written: try again."
        )

    def manifests(self) -> Iterator[Manifest | BundleError]:
        """See `Store`; each is fetched once, and kept on this machine."""
        _, prefixes = self._bucket.list()
        versions = sorted(each for each in prefixes if not each.startswith("."))
        known = self._manifests.known()
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            unknown = [each for each in versions if each not in known]
            found = dict(zip(unknown, threads.map(self._try_manifest, unknown), strict=True))
        fetched = [each for each in found.values() if isinstance(each, Manifest)]
        try:
            self._manifests.keep(fetched, versions)
        except OSError as error:
            logger.debug("%s keeps no manifests: %s", self.directory, error)
        for version in versions:
            yield found[version] if version in found else known[version]

    def _try_manifest(self, version: str) -> Manifest | BundleError:
        try:
            return self._require_manifest(version)
        except BundleError as error:
            return error

    def has(self, version: str) -> bool:
        """See `Store`; a manifest is written last, so without one there is no version."""
        return self._manifest(version) is not None

    def _require_manifest(self, version: str) -> Manifest:
        content = self._manifest(version)
        if content is None:
            raise BundleError(
                f"{self.where}/{version} has no {MANIFEST_FILE}, which is uploaded last: its "
                "upload is under way or was cut short. Train anew, or remove it."
            )
        return parse_manifest(content, f"{self.where}/{version}/{MANIFEST_FILE}")

    def bundle(self, version: str) -> Path | None:
        """See `Store`; it is fetched once, whole and checked, and then it is here."""
        return self._cache.find(version) or self._fetch(version)

    def remove(self, manifest: Manifest) -> None:
        """See `Store`; the manifest goes first, for without it the others are no version."""
        names = (MANIFEST_FILE, *sorted(manifest.files))
        self._bucket.delete([f"{manifest.version}/{name}" for name in names])

    def take_over(self, candidate: Path, manifest: Manifest) -> Manifest:
        """See `Store`; the manifest comes last, for it makes a version of what was uploaded."""
        version = manifest.version
        try:
            kept = self._fetch(version)
        except BundleError:  # it was altered: training anew mends it
            mode: PutMode = "overwrite"
        else:
            if kept is not None:
                return read_manifest(kept)
            mode = "create"
        for name in sorted(manifest.files):
            self._bucket.put(f"{version}/{name}", (candidate / name).read_bytes(), "overwrite")
        try:
            self._bucket.put(
                f"{version}/{MANIFEST_FILE}", (candidate / MANIFEST_FILE).read_bytes(), mode
            )
        except AlreadyExistsError:  # by another machine: the same version, perhaps a minute older
            return self._require_manifest(version)
        self._cache.keep(candidate, version, self._in_use)
        return manifest

    def _in_use(self) -> set[str]:
        """What scorers may have to open anew; nothing but what is known here while it is away."""
        try:
            return versions_in_use(self, dt.datetime.now(dt.UTC))
        except RegistryError as error:
            logger.debug("which versions are in use is not known: %s", error)
            return set()

    def _manifest(self, version: str) -> bytes | None:
        held = self._bucket.get(f"{version}/{MANIFEST_FILE}", _MOST_SMALL_BYTES)
        return None if held is None else held.content

    def _fetch(self, version: str) -> Path | None:
        """Fetch a version and check it; None if there is none."""
        content = self._manifest(version)
        if content is None:
            return None
        where = f"{self.where}/{version}"
        manifest = parse_manifest(content, f"{where}/{MANIFEST_FILE}")
        if manifest.version != version:
            raise BundleError(
                f"{where} holds version {manifest.version}, and its decisions would say so. "
                "A version's directory has its name: rename it back, or restore what was there."
            )
        made = self._downloads.new()
        try:
            with ThreadPoolExecutor(_AT_ONCE) as threads:
                found = {
                    name: threads.submit(self._fetch_file, f"{version}/{name}", made / name, sha256)
                    for name, sha256 in manifest.files.items()
                }
            for name, fetched in found.items():
                if fault := fetched.result():
                    raise BundleError(
                        f"bundle {version} in {self.where} was altered: {name} {fault}. "
                        "Restore it or train anew."
                    )
            (made / MANIFEST_FILE).write_bytes(content)
            return self._cache.keep(made, version, self._in_use)
        finally:
            self._downloads.discard(made)

    def _fetch_file(self, name: str, target: Path, sha256: str) -> str:
        """Fetch one file; what is wrong with it, in words, is what is given."""
        if not _FILE.fullmatch(name):
            return "has a name that no file of a bundle has"
        pieces = self._bucket.pieces(name, _MOST_BYTES)
        if pieces is None:
            return "is missing"
        digest = hashlib.sha256()
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != sha256:
            return f"has sha256 {digest.hexdigest()[:16]}…, expected {sha256[:16]}…"
        return ""

    def _require_conditions(self) -> None:
        """Refuse a store that takes a write whose condition does not hold: it would lose others."""
        foreign: UpdateVersion = {"e_tag": '"0"', "version": "1"}
        modes: tuple[PutMode, ...] = ("create", "create", foreign)  # the first one may be right
        taken = []
        for mode in modes:
            try:
                self._bucket.put(_PROBE, _PROBE_TEXT, mode)
            except (AlreadyExistsError, PreconditionError):
                continue
            taken.append(mode)
        if taken not in ([], ["create"]):
            raise RegistryError(
                f"the store of {self.where} does not keep the conditions of a write (If-Match, "
                "If-None-Match): two machines that promote at once would both seem to win. Nothing "
                "was changed: use a store that keeps them."
            )
        self._keeps_conditions = True


def _mark(held: Held) -> UpdateVersion:
    mark: UpdateVersion = {}
    if "e_tag" in held.mark:
        mark["e_tag"] = held.mark["e_tag"]
    if "version" in held.mark:
        mark["version"] = held.mark["version"]
    return mark
