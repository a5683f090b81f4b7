"""The champion with a calibration of its own, on the payments that matured last."""

from __future__ import annotations

import datetime as dt

from fraudline.bundle.manifest import Calibrated, Manifest, Source
from fraudline.contract import Period
from fraudline.errors import BundleError, InputError
from fraudline.measures.policy_effect import counted
from fraudline.training.recipes.recipe_names import UNCALIBRATED
from fraudline.use_cases.project import Project
from fraudline.use_cases.update_version import Updated
from fraudline.warehouse.known_rows import LEAST_FRAUDS, TooFew
from fraudline.warehouse.matured_rows import Matured, read_matured

PERIODS = 5
"""So many periods that matured last are what a calibration stands on."""


def can_be_calibrated(version: Manifest) -> bool:
    """Whether scores of a version are meant as probabilities."""
    return version.recipe not in UNCALIBRATED


def recalibrate_version(project: Project, as_of: dt.datetime, champion: str) -> Updated:
    """Make a version with the champion's network and a calibration of its own.

    Of the periods that were mature at the moment, the last five, or as many more as it takes for
    a hundred frauds; and none of a time whose frauds the network may have learned. The same moment
    gives the same version.

    Args:
        project: Whose decisions, labels, registry and settings.
        as_of: The moment; no label that arrived later is seen.
        champion: The version that scores.

    Returns:
        The version that was made; its parent is the one whose network it has.

    Raises:
        InputError: nothing can be calibrated on these payments.
        BundleError: the champion is broken, or for another contract, or cannot be calibrated.
        WarehouseError: the tables cannot be queried.
    """
    contract, registry = project.contract, project.registry
    manifests = {each.version: each for each in registry.versions()}
    network = registry.networks.of(champion)
    if champion not in manifests:
        raise BundleError(
            f"the champion {champion} is broken or not in this registry, so nothing can be "
            "calibrated. `fraudline models list` shows the versions that are."
        )
    base = manifests[champion] if network not in manifests else manifests[network]
    if base.contract_fingerprint != contract.fingerprint:
        raise InputError(
            f"version {base.version} was made for another contract than '{contract.name}' is now. "
            "Train anew, and promote that."
        )
    length_s = project.settings.learning.period_s
    maturity = dt.timedelta(days=contract.maturity_days)
    until = Period.holding(as_of - maturity, length_s).start
    known = read_matured(
        project.warehouse,
        contract,
        as_of=as_of,
        since=until - PERIODS * dt.timedelta(seconds=length_s),
        until=until,
        not_before=_learned_until(base, manifests),
    )
    if isinstance(known, TooFew):
        told = (
            f"not calibrated anew: {counted(known.mature_frauds, 'mature fraud')} that the network "
            f"has not learned, at least {LEAST_FRAUDS} are needed"
        )
        return Updated(None, base.version, 0, 0, told)
    made = _make(project, known, base, champion, as_of, until)
    assert made.calibrated
    told = (
        f"calibrated {made.version} on {counted(known.rows.num_rows, 'payment')} with "
        f"{counted(made.calibrated.frauds, 'fraud')}: log-odds are {made.calibrated.slope:.3g} "
        f"times the network's, {made.calibrated.intercept:+.3g}"
    )
    if made.calibrated.unit:
        told += (
            f"; LOOK: money comes {made.calibrated.unit:.3g} times as large as it was learned, and "
            "is divided by that before the network. If that is a fault of the source, mend it there"
        )
    if known.hidden.num_rows:
        left_out = counted(known.hidden.num_rows, "stopped payment")
        told += f"; {left_out} without a label left out"
    frauds = made.calibrated.frauds
    return Updated(made.version, base.version, known.rows.num_rows, frauds, told)


def _learned_until(network: Manifest, manifests: dict[str, Manifest]) -> dt.datetime:
    """Until when what was decided may be among what a network learned.

    Of one that was trained that is when its history was read: it may hold payments of the stream.
    One that takes money in another unit has learned what the one before it had.
    """
    while network.calibrated and network.calibrated.of in manifests:
        network = manifests[network.calibrated.of]
    return network.learned.until if network.learned else network.source.read_at


def _make(
    project: Project,
    known: Matured,
    base: Manifest,
    champion: str,
    as_of: dt.datetime,
    until: dt.datetime,
) -> Manifest:
    from fraudline.training.recalibrated import recalibrate_on  # brings scikit-learn

    registry, rows = project.registry, known.rows
    told = Calibrated(
        of=base.version,
        slope=1.0,
        intercept=0.0,
        as_of=as_of,
        since=known.since,
        until=until,
        rows=rows.num_rows,
        frauds=int(rows.column("is_fraud").to_numpy().sum()),
        hidden=known.hidden.num_rows,
    )
    source = Source(known.table, known.query, dt.datetime.now(dt.UTC), rows.num_rows, known.sha256)
    candidate = registry.new_directory()
    try:
        recalibrate_on(
            (rows, known.hidden),
            project.contract,
            registry.path(base.version),
            registry.path(champion),
            candidate,
            source=source,
            told=told,
        )
        return registry.add(candidate)
    finally:
        registry.discard(candidate)
