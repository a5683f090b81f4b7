"""A bundle on disk: written with its hashes, opened only if they hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fraudline.bundle.comparisons import Comparisons
from fraudline.bundle.manifest import FORMAT, Manifest
from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Matrix
from fraudline.errors import BundleError

if TYPE_CHECKING:
    from fraudline.bundle.onnx_runtime import ort

GRAPH_FILE = "graph.onnx"
REASONS_FILE = "reasons.onnx"
COMPARISONS_FILE = "comparisons.json"
MANIFEST_FILE = "bundle.json"
# For people and the record of trainings; a scorer needs none of them.
METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"
DECISIONS_FILE = "decisions.html"
SCORES_FILE = "scores.parquet"

_NEEDED = {GRAPH_FILE, REASONS_FILE, COMPARISONS_FILE}

# Rows in another number than a multiple of this take kernels that round in another way. There are
# always as many, so that a score does not depend on a row's company, not even in its last bit.
_ALIKE_ROWS = 4
# A larger piece falls out of the processor's cache: the best of the sizes measured.
CHUNK_ROWS = 256
# Likewise of rows to be explained, each of which meets every background row.
REASONS_CHUNK_ROWS = 8


@dataclass(frozen=True)
class Bundle:
    """A model that is ready to score.

    Attributes:
        path: Its directory.
        contract: What the transactions that it scores look like.
        manifest: What it says of itself.
        comparisons: What legitimate payments are like.
    """

    path: Path
    contract: Contract
    manifest: Manifest
    comparisons: Comparisons
    _scores: ort.InferenceSession
    _reasons: ort.InferenceSession

    def score(self, features: Matrix) -> Floats:
        """Probability of fraud of each row.

        Args:
            features: float32, shape (rows, features), as `Contract.feature_matrix` gives.

        Returns:
            float64 in 0..1, shape (rows,).
        """
        rows = len(features)
        missing = -rows % _ALIKE_ROWS
        if missing:
            features = np.concatenate([features, np.zeros((missing, features.shape[1]), "f4")])
        scores = np.empty(len(features), dtype=np.float64)
        for start in range(0, len(features), CHUNK_ROWS):
            stop = start + CHUNK_ROWS
            (chunk,) = self._scores.run(None, {"features": features[start:stop]})
            scores[start:stop] = chunk.reshape(-1)
        return scores[:rows]

    def contributions(self, features: Matrix) -> Matrix:
        """What each feature adds to the log-odds of each row.

        Args:
            features: As for `score`. A row takes much longer than to score, so ask only for
                what has to be explained.

        Returns:
            float32, shape (rows, features). A row's sum is its log-odds minus
            `comparisons.background_log_odds`.
        """
        contributions = np.empty_like(features)
        for start in range(0, len(features), REASONS_CHUNK_ROWS):
            stop = start + REASONS_CHUNK_ROWS
            (contributions[start:stop],) = self._reasons.run(
                None, {"features": features[start:stop]}
            )
        return contributions


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
    path = directory / MANIFEST_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{directory} is not a bundle: {MANIFEST_FILE} cannot be read ({error.strerror}). "
            "`fraudline train` makes a bundle; `fraudline models list` shows those that exist."
        ) from None
    try:
        # The number first: another format may have other fields.
        found = msgspec.json.decode(content, type=_Format).format
        manifest = msgspec.json.decode(content, type=Manifest) if found == FORMAT else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} is not a bundle's manifest: {error}. Train anew.") from None
    if manifest is None:
        raise BundleError(f"{path} has format {found}, this fraudline reads {FORMAT}. Train anew.")
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
    manifest, _ = _checked(directory)
    return manifest


def _checked(directory: Path) -> tuple[Manifest, dict[str, bytes]]:
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


def open_bundle(directory: Path, contract: Contract) -> Bundle:
    """Open a bundle whose files are whole and whose contract is the given one.

    Each file is read once, and what is opened is what was hashed: a file that is replaced
    meanwhile is not seen.

    Raises:
        BundleError: a file is missing, altered or surplus, the bundle is for another
            contract, or its graph does not score.
    """
    manifest, content = _checked(directory)
    if (
        manifest.contract_fingerprint != contract.fingerprint
        or manifest.features != contract.features
    ):
        raise BundleError(
            f"bundle {manifest.version} was trained for contract '{manifest.contract}' with "
            f"fingerprint {manifest.contract_fingerprint[:16]}…, but contract '{contract.name}' "
            f"has {contract.fingerprint[:16]}…. Train anew, or use the contract it was made for."
        )
    try:
        bundle = Bundle(
            directory,
            contract,
            manifest,
            msgspec.json.decode(content[COMPARISONS_FILE], type=Comparisons),
            _session(content[GRAPH_FILE]),
            _session(content[REASONS_FILE]),
        )
        nothing = np.zeros((1, len(contract.features)), dtype=np.float32)
        bundle.score(nothing)
        bundle.contributions(nothing)
    except Exception as error:  # ONNX Runtime's errors have no other base
        raise BundleError(
            f"bundle {manifest.version} cannot score {len(contract.features)} features: {error} "
            "Train anew."
        ) from error
    if tuple(bundle.comparisons.features) != contract.features:
        raise BundleError(
            f"bundle {manifest.version} compares features "
            f"{', '.join(bundle.comparisons.features)}, but its graph takes "
            f"{', '.join(contract.features)}. Train anew."
        )
    return bundle


def _session(graph: bytes) -> ort.InferenceSession:
    from fraudline.bundle.onnx_runtime import ort  # noqa: PLC0415 - 134 MiB, only to score

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # scale by processes: partitions, not threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class _Format(msgspec.Struct):
    format: int


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
        if not path.is_file() or name == MANIFEST_FILE or is_hidden:
            continue
        if kept is not None and name in _NEEDED:
            content = kept[name] = path.read_bytes()
            hashes[name] = hashlib.sha256(content).hexdigest()
        else:
            with path.open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes
