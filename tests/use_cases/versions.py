"""Versions that differ in what they say of every transaction."""

from __future__ import annotations

from tests.models import manifest_for, tiny_policy, write_tiny_files

from fraudline.bundle.bundle_files import write_manifest
from fraudline.contract import Contract
from fraudline.registry import Registry


def add_version(
    registry: Registry, contract: Contract, power: float, threshold: float = 0.5
) -> str:
    """A version whose features are raised to a power, and that blocks from a threshold."""
    candidate = registry.new_directory()
    write_tiny_files(candidate, contract, power)
    (candidate / "report.html").write_text("<p>tiny</p>")
    write_manifest(candidate, manifest_for(contract, policy=tiny_policy(threshold)))
    return registry.add(candidate).version
