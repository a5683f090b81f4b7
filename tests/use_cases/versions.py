"""Versions that differ in what they say of every transaction."""

from __future__ import annotations

import datetime as dt

import msgspec
import numpy as np
from tests.models import manifest_for, tiny_policy, write_tiny_files
from tests.training import later

from fraudline.bundle.bundle_files import GRAPH_FILE, write_manifest
from fraudline.bundle.manifest import Learned
from fraudline.contract import Contract
from fraudline.registry import Registry


def add_version(
    registry: Registry,
    contract: Contract,
    power: float,
    threshold: float = 0.5,
    read_at: dt.datetime | None = None,
) -> str:
    """A version whose features are raised to a power, and that blocks from a threshold."""
    candidate = registry.new_directory()
    write_tiny_files(
        candidate, contract, power, name="tiny" if threshold == 0.5 else f"tiny {threshold:g}"
    )
    (candidate / "report.html").write_text("<p>tiny</p>")
    manifest = manifest_for(contract, policy=tiny_policy(threshold))
    if read_at is not None:
        source = msgspec.structs.replace(manifest.source, read_at=read_at)
        manifest = msgspec.structs.replace(manifest, source=source, recipe="trained")
    write_manifest(candidate, manifest)
    return registry.add(candidate).version


def add_network(
    registry: Registry, contract: Contract, features: np.ndarray, **changes: float
) -> str:
    """A version of recipe `mlp` with a network that has learned nothing, as training writes it."""
    recipe = later.recipes()["mlp"]
    model, count = later.fresh_model(recipe, contract, features), len(contract.features)
    candidate = registry.new_directory()
    write_tiny_files(candidate, contract)
    graph = later.graph().write_graph(model.preparation, model.network, count)
    (candidate / GRAPH_FILE).write_bytes(graph)
    later.save_model(model.as_keras(count), candidate / "model.keras")
    (candidate / "report.html").write_text("<p>fresh</p>")
    policy = tiny_policy(review_from=None, block_from=None, above_review_cap="approve", **changes)
    write_manifest(candidate, manifest_for(contract, recipe="mlp", policy=policy))
    return registry.add(candidate).version


def add_learned(
    registry: Registry,
    contract: Contract,
    parent: str,
    as_of: dt.datetime,
    power: float,
    *,
    threshold: float = 0.6,
    derived_from: str = "",
    **settings: float,
) -> str:
    """A version as `add_version` gives it, that says to have learned from another one on."""
    candidate = registry.new_directory()
    write_tiny_files(candidate, contract, power)
    (candidate / "report.html").write_text("<p>tiny</p>")
    known = settings or msgspec.UNSET
    learned = Learned(parent, "fine-tuning", as_of, as_of, as_of, 100, 10, 0, 0, settings=known)
    policy = tiny_policy(threshold)
    manifest = manifest_for(contract, policy=policy, learned=learned, derived_from=derived_from)
    write_manifest(candidate, manifest)
    return registry.add(candidate).version
