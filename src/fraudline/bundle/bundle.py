"""A bundle that scores: opened only if its files are whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fraudline.bundle.bundle_files import (
    COMPARISONS_FILE,
    GRAPH_FILE,
    REASONS_FILE,
    checked_files,
)
from fraudline.bundle.comparisons import Comparisons, decode_comparisons
from fraudline.bundle.graphs import CHUNK_ROWS, REASONS_CHUNK_ROWS, Graphs, Inner
from fraudline.bundle.manifest import Manifest
from fraudline.bundle.policy import below_never
from fraudline.bundle.trial import Graph, try_graphs
from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Matrix
from fraudline.errors import BundleError


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
    _graphs: Graphs

    def score(self, features: Matrix) -> Floats:
        """Probability of fraud of each row.

        Args:
            features: float32, shape (rows, features), as `Contract.feature_matrix` gives.

        Returns:
            float64 from 0 to below 1, shape (rows,).
        """
        return self.scored(features)[0]

    def scored(self, features: Matrix) -> tuple[Floats, Inner | None]:
        """`score`, and what `contributions` need not work out again, if it is kept."""
        scores, inner = self._graphs.scored(features)
        return below_never(scores), inner

    def contributions(self, features: Matrix, inner: Inner | None = None) -> Matrix:
        """What each feature adds to the log-odds of each row.

        Args:
            features: As for `score`. A row takes much longer than to score, so ask only for
                what has to be explained.
            inner: What `scored` gave of these rows, if anything.

        Returns:
            float32, shape (rows, features). A row's sum is its log-odds minus
            `comparisons.background_log_odds`.
        """
        return self._graphs.contributions(features, inner)


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
    try:
        bundle = Bundle(
            directory,
            contract,
            manifest,
            decode_comparisons(content[COMPARISONS_FILE]),
            Graphs(scores, reasons),
        )
        nothing = np.zeros((1, features), dtype=np.float32)
        bundle.contributions(nothing, bundle.scored(nothing)[1])
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
