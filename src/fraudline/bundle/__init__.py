"""The bundle: the one artifact that a scorer loads.

Takes a directory with a graph and a manifest; gives scores. A bundle that was altered, is
incomplete or was made for another contract is refused by name. Never trains, and never
unpickles: the graph is ONNX, the manifest JSON.
"""

from fraudline.bundle.bundle import (
    GRAPH_FILE,
    Bundle,
    check_bundle,
    open_bundle,
    read_manifest,
    write_manifest,
)
from fraudline.bundle.manifest import Manifest, Part

__all__ = [
    "GRAPH_FILE",
    "Bundle",
    "Manifest",
    "Part",
    "check_bundle",
    "open_bundle",
    "read_manifest",
    "write_manifest",
]
