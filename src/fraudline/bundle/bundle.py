"""A bundle on disk: written with its hashes, opened only if they hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from fraudline.bundle.manifest import FORMAT, Manifest
from fraudline.contract import Contract
from fraudline.errors import BundleError

GRAPH_FILE = "graph.onnx"
MANIFEST_FILE = "bundle.json"

# A larger piece falls out of the processor's cache: the best of the sizes measured.
CHUNK_ROWS = 256


@dataclass(frozen=True)
class Bundle:
    """A model that is ready to score.

    Attributes:
        path: Its directory.
        manifest: What it says of itself.
    """

    path: Path
    manifest: Manifest
    _session: ort.InferenceSession

    def score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Probability of fraud of each row.

        Args:
            features: float32, shape (rows, features), as `Contract.feature_matrix` gives.

        Returns:
            float64 in 0..1, shape (rows,).
        """
        scores = np.empty(len(features), dtype=np.float64)
        for start in range(0, len(features), CHUNK_ROWS):
            stop = start + CHUNK_ROWS
            (chunk,) = self._session.run(None, {"features": features[start:stop]})
            scores[start:stop] = chunk.reshape(-1)
        return scores


def write_manifest(directory: Path, manifest: Manifest) -> Manifest:
    """Hash every file of the directory into the manifest, seal it and write it.

    Returns:
        The manifest as written, with `files` and `version`.
    """
    files = {
        str(path.relative_to(directory)): _sha256(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != MANIFEST_FILE
    }
    sealed = msgspec.structs.replace(manifest, files=files).sealed()
    encoded = msgspec.json.format(msgspec.json.encode(sealed), indent=2)
    (directory / MANIFEST_FILE).write_bytes(encoded + b"\n")
    return sealed


def read_manifest(directory: Path) -> Manifest:
    """Read what a bundle says of itself, and check that it was not altered.

    Raises:
        BundleError: there is no manifest, it is malformed, or it was altered.
    """
    path = directory / MANIFEST_FILE
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BundleError(
            f"{directory} is not a bundle: it has no {MANIFEST_FILE}. "
            "`fraudline train` makes one; `fraudline models list` shows those that exist."
        ) from None
    except msgspec.DecodeError as error:
        raise BundleError(f"{path} is not a bundle's manifest: {error}. Train anew.") from None
    if manifest.format != FORMAT:
        raise BundleError(
            f"{path} has format {manifest.format}, this fraudline reads {FORMAT}. Train anew."
        )
    if manifest.version != manifest.expected_version():
        raise BundleError(
            f"{path} was altered: it says version {manifest.version}, "
            f"its content gives {manifest.expected_version()}. Restore it or train anew."
        )
    return manifest


def open_bundle(directory: Path, contract: Contract) -> Bundle:
    """Open a bundle whose files are whole and whose contract is the given one.

    Raises:
        BundleError: a file is missing or altered, or the bundle is for another contract.
    """
    manifest = read_manifest(directory)
    for name, expected in manifest.files.items():
        path = directory / name
        if not path.is_file():
            raise BundleError(
                f"bundle {manifest.version} is incomplete: {path} is missing. "
                "Restore it or train anew."
            )
        if (found := _sha256(path)) != expected:
            raise BundleError(
                f"bundle {manifest.version} was altered: {path} has sha256 {found[:16]}…, "
                f"expected {expected[:16]}…. Restore it or train anew."
            )
    if (
        manifest.contract_fingerprint != contract.fingerprint
        or manifest.features != contract.features
    ):
        raise BundleError(
            f"bundle {manifest.version} was trained for contract '{manifest.contract}' with "
            f"fingerprint {manifest.contract_fingerprint[:16]}…, but contract '{contract.name}' "
            f"has {contract.fingerprint[:16]}…. Train anew, or use the contract it was made for."
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # scale by processes: partitions, not threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        directory / GRAPH_FILE, options, providers=["CPUExecutionProvider"]
    )
    return Bundle(directory, manifest, session)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
