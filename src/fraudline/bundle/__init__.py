"""The bundle: the one artifact that a scorer loads.

Takes a directory with graphs, comparisons and a manifest; gives scores, the policy that
decides on them, and what each feature contributed. A bundle that was altered, is
incomplete or was made for another contract is refused by name. Never trains, and never
unpickles: the graph is ONNX, the manifest JSON.
"""

from fraudline.bundle.bundle import (
    COMPARISONS_FILE,
    DECISIONS_FILE,
    GRAPH_FILE,
    MANIFEST_FILE,
    METRICS_FILE,
    REASONS_FILE,
    REPORT_FILE,
    SCORES_FILE,
    Bundle,
    check_bundle,
    open_bundle,
    read_manifest,
    write_manifest,
)
from fraudline.bundle.comparisons import LEVELS, Comparison, Comparisons
from fraudline.bundle.manifest import Manifest, Part, Source
from fraudline.bundle.policy import Policy, decision_codes
from fraudline.bundle.reason_sentences import Reason, Value, name_reasons

__all__ = [
    "COMPARISONS_FILE",
    "DECISIONS_FILE",
    "GRAPH_FILE",
    "LEVELS",
    "MANIFEST_FILE",
    "METRICS_FILE",
    "REASONS_FILE",
    "REPORT_FILE",
    "SCORES_FILE",
    "Bundle",
    "Comparison",
    "Comparisons",
    "Manifest",
    "Part",
    "Policy",
    "Reason",
    "Source",
    "Value",
    "check_bundle",
    "decision_codes",
    "name_reasons",
    "open_bundle",
    "read_manifest",
    "write_manifest",
]
