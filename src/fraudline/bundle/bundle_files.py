"""The files of a bundle: their names, the manifest with their hashes, and whether they hold.

It needs neither numpy nor a graph, so that to list versions costs next to nothing.
"""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import msgspec

from fraudline.bundle.manifest import READABLE, Manifest
from fraudline.errors import BundleError

_decode_manifest = msgspec.json.Decoder(Manifest).decode

GRAPH_FILE = "graph.onnx"
REASONS_FILE = "reasons.onnx"
COMPARISONS_FILE = "comparisons.json"
MANIFEST_FILE = "bundle.json"
# For people and the record of trainings; a scorer needs none of them.
METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"
DECISIONS_FILE = "decisions.html"
SCORES_FILE = "scores.parquet"
# What the stream is compared with; versions of before have none.
REFERENCE_FILE = "reference.arrow"

_NEEDED = {GRAPH_FILE, REASONS_FILE, COMPARISONS_FILE}
# What is read whole has a limit; a bundle of ours has less than a megabyte in all of them.
_MOST_BYTES = 64 * 2**20


def write_manifest(directory: Path, manifest: Manifest) -> Manifest:
    """Hash every file of the directory into the manifest, seal it and write it.

    Returns:
        The manifest as written, with `files` and `version`.

    Raises:
        BundleError: what was written would not be read, a measure that is NaN for example.
    """
    sealed = msgspec.structs.replace(manifest, files=_hashes(directory)).sealed()
    encoded = msgspec.json.format(msgspec.json.encode(sealed), indent=2)
    (directory / MANIFEST_FILE).write_bytes(encoded + b"\n")
    return read_manifest(directory)


def read_manifest(directory: Path) -> Manifest:
    """Read what a bundle says of itself, and check that it was not altered.

    Raises:
        BundleError: there is no manifest, it is malformed, or it was altered.
    """
    content, fault = _read_whole(directory / MANIFEST_FILE)
    if fault:
        raise BundleError(
            f"{directory} is not a bundle: {MANIFEST_FILE} {fault}. "
            "`fraudline train` makes a bundle; `fraudline models list` shows those that exist."
        )
    return parse_manifest(content, str(directory / MANIFEST_FILE))


def parse_manifest(content: bytes, path: str) -> Manifest:
    """What a manifest says, checked that it was not altered.

    Args:
        content: What the file holds.
        path: Where it is, for the message.

    Raises:
        BundleError: it is malformed, of another format, or was altered.
    """
    try:
        # The number first: another format may have other fields.
        found = _decode_format(content).format
        manifest = _decode_manifest(content) if found in READABLE else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{path} is not a bundle's manifest: {error}. Train anew.") from None
    if manifest is None:
        known = " and ".join(map(str, READABLE))
        raise BundleError(f"{path} has format {found}, this fraudline reads {known}. Train anew.")
    if manifest.version != manifest.expected_version():
        raise BundleError(
            f"{path} was altered: it says version {manifest.version}, "
            f"its content gives {manifest.expected_version()}. Restore it or train anew."
        )
    return manifest


def check_bundle(directory: Path) -> Manifest:
    """Check that a bundle's files are exactly those of its manifest, byte for byte.

    Raises:
        BundleError: the manifest is not sound, or a file is missing, altered or surplus.
    """
    manifest, _ = checked_files(directory)
    return manifest


def checked_files(directory: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest, and what the files that a scorer needs hold: the bytes that were hashed."""
    manifest = read_manifest(directory)
    kept: dict[str, bytes] = {}
    found = _hashes(directory, kept)
    faults = [
        f"{name} {fault}"
        for name in sorted(_NEEDED | manifest.files.keys() | found.keys())
        if (fault := _difference(manifest.files.get(name), found.get(name)))
    ]
    if faults:
        raise BundleError(
            f"bundle {manifest.version} in {directory} was altered: {'; '.join(faults)}. "
            "Restore it or train anew."
        )
    return manifest, kept


def read_file(directory: Path, name: str) -> bytes:
    """Read a file of a bundle whole.

    Raises:
        BundleError: it is not there, no plain file, or larger than any of ours.
    """
    content, fault = _read_whole(directory / name)
    if fault:
        raise BundleError(f"bundle in {directory}: {name} {fault}. Restore it, or train anew.")
    return content


def _read_whole(path: Path) -> tuple[bytes, str]:
    """What a file holds, and what prevents that it is read; one of them is empty."""
    try:
        fault = _fault_of_file(path)
        return (b"", fault) if fault else (path.read_bytes(), "")
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"


class _Format(msgspec.Struct):
    format: int


_decode_format = msgspec.json.Decoder(_Format).decode


def _difference(expected: str | None, found: str | None) -> str:
    if found == expected and expected is not None:
        return ""
    if found is None:
        return "is missing"
    if expected is None:
        return "does not belong to it"
    return f"has sha256 {found[:16]}…, expected {expected[:16]}…"


def _hashes(directory: Path, kept: dict[str, bytes] | None = None) -> dict[str, str]:
    """SHA-256 of each file but the manifest and hidden ones, by its path in the directory.

    Args:
        directory: The bundle's.
        kept: Where to put what the files that a scorer needs hold, as it was hashed.
    """
    hashes = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        is_hidden = any(part.startswith(".") for part in name.split("/"))  # a file manager's
        if name == MANIFEST_FILE or is_hidden or (path.is_dir() and not path.is_symlink()):
            continue
        try:
            fault = _fault_of_file(path, is_read_whole=name in _NEEDED)
            if not fault and kept is not None and name in _NEEDED:
                content = kept[name] = path.read_bytes()
                hashes[name] = hashlib.sha256(content).hexdigest()
            elif not fault:
                with path.open("rb") as file:
                    hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            fault = f"cannot be read ({error.strerror})"
        if fault:
            raise BundleError(
                f"{directory} is not a bundle: {name} {fault}. A bundle is a directory of plain "
                "files of its own: restore it, or train anew."
            )
    return hashes


def _fault_of_file(path: Path, *, is_read_whole: bool = True) -> str:
    """What a file is that a bundle's may not be: a way elsewhere, a pipe, or boundless.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "is a symbolic link"
    if not stat.S_ISREG(found.st_mode):
        return "is no plain file"
    if is_read_whole and found.st_size > _MOST_BYTES:
        return f"has {found.st_size:,} bytes, at most {_MOST_BYTES:,} are read"
    return ""
