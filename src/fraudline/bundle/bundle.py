"""A bundle that scores: opened only if its files are whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fraudline.bundle.bundle_files import (
    COMPARISONS_FILE,
    GRAPH_FILE,
    REASONS_FILE,
    checked_files,
)
from fraudline.bundle.comparisons import Comparisons, decode_comparisons
from fraudline.bundle.manifest import Manifest
from fraudline.bundle.policy import below_never
from fraudline.bundle.trial import Graph, try_graphs
from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Matrix
from fraudline.errors import BundleError

if TYPE_CHECKING:
    from fraudline.bundle.onnx_runtime import ort

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
            float64 from 0 to below 1, shape (rows,).
        """
        scores = np.empty(len(features), dtype=np.float64)
        for start in range(0, len(features), CHUNK_ROWS):
            chunk = features[start : start + CHUNK_ROWS]
            (found,) = self._scores.run(None, {"features": _filled_up(chunk)})
            scores[start : start + CHUNK_ROWS] = found.reshape(-1)[: len(chunk)]
        return below_never(scores)

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


def _filled_up(features: Matrix) -> Matrix:
    """The rows, and rows of zeros until there are as many as take the same kernels."""
    rows, width = features.shape
    if not rows % _ALIKE_ROWS:
        return features
    filled = np.zeros((rows + -rows % _ALIKE_ROWS, width), np.float32)
    filled[:rows] = features
    return filled


def open_bundle(directory: Path, contract: Contract) -> Bundle:
    """Open a bundle whose files are whole and whose contract is the given one.

    Each file is read once, and what is opened is what was hashed: a file that is replaced
    meanwhile is not seen.

    Raises:
        BundleError: a file is missing, altered or surplus, the bundle is for another
            contract, or its graph does not score.
    """
    manifest, content = checked_files(directory)
    if (
        manifest.contract_fingerprint != contract.fingerprint
        or manifest.features != contract.features
    ):
        raise BundleError(
            f"bundle {manifest.version} was trained for contract '{manifest.contract}' with "
            f"fingerprint {manifest.contract_fingerprint[:16]}…, but contract '{contract.name}' "
            f"has {contract.fingerprint[:16]}…. Train anew, or use the contract it was made for."
        )
    features = len(contract.features)
    scores, reasons = content[GRAPH_FILE], content[REASONS_FILE]
    try_graphs(
        manifest.version,
        [
            Graph(GRAPH_FILE, scores, CHUNK_ROWS, 1),
            Graph(REASONS_FILE, reasons, REASONS_CHUNK_ROWS, features),
        ],
        features,
    )
    from fraudline.bundle.onnx_runtime import opened  # noqa: PLC0415 - 134 MiB, only to score

    try:
        bundle = Bundle(
            directory,
            contract,
            manifest,
            decode_comparisons(content[COMPARISONS_FILE]),
            opened(scores),
            opened(reasons),
        )
        nothing = np.zeros((1, features), dtype=np.float32)
        bundle.score(nothing)
        bundle.contributions(nothing)
    except Exception as error:  # ONNX Runtime's errors have no other base
        raise BundleError(
            f"bundle {manifest.version} cannot score {features} features: {error} Train anew."
        ) from error
    if tuple(bundle.comparisons.features) != contract.features:
        raise BundleError(
            f"bundle {manifest.version} compares features "
            f"{', '.join(bundle.comparisons.features)}, but its graph takes "
            f"{', '.join(contract.features)}. Train anew."
        )
    return bundle
