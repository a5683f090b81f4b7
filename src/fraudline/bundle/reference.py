"""What the stream is compared with: how the champion's training period was, column by column.

`reference.arrow` of a bundle. Each column of its table holds values at even steps of the order, so
that a few thousand stand for all; the facts beside them, by which thresholds follow, are JSON in
the metadata of its schema. It is Arrow's own file format, not compressed: no more is read than the
file holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from fraudline.bundle.bundle_files import REFERENCE_FILE, read_file, read_manifest
from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Matrix, Vector
from fraudline.errors import BundleError

SCORE = "score"
# What earlier releases do not know stands by itself, so that they read the rest.
_FACTS, _AMOUNTS = b"fraudline.reference", b"fraudline.reference.amounts"
_DAY_S = 86400.0


class UsualDistance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a column of a period is from the other periods, in scaled distances.

    Attributes:
        mean: Over the periods.
        sd: Standard deviation.
        threshold: How many standard deviations above the mean alarm.
    """

    mean: float
    sd: float
    threshold: float


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a share is usually; see `fraudline.measures.share_drift.UsualShare`."""

    mean: float
    between_sd: float
    mean_sd: float


class UsualLevels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The levels of a category that are watched one by one.

    Attributes:
        codes: Of each level.
        names: Likewise, as text.
        shares: Of the rows that have one.
        other: Share of the rows whose level is none of these, rare or new.
    """

    codes: tuple[int, ...]
    names: tuple[str, ...]
    shares: tuple[float, ...]
    other: Share


class ReferenceFacts(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """What is usual, and of which rows.

    Attributes:
        cut: Whether periods are `days` of event time, or `blocks` of as many transactions.
        periods: How many there are.
        rows: How many transactions they hold.
        period_s: How much event time half of the periods cover at least, seconds.
        first_event: Event time of the first one, as text, in the contract's unit.
        last_event: Event time of the last one.
        distances: By feature, how far a period is from the others.
        high_score: The score that is watched.
        high_share: Share of the scores that reach it.
        score_rows: How many scores that was seen on: of rows that the model had not learned from.
        nulls: By column that may be null, the share of nulls.
        levels: By category, its levels.
    """

    cut: Literal["days", "blocks"]
    periods: int
    rows: int
    period_s: float
    first_event: str
    last_event: str
    distances: dict[str, UsualDistance]
    high_score: float
    high_share: Share
    score_rows: int
    nulls: dict[str, Share]
    levels: dict[str, UsualLevels] = {}

    def __str__(self) -> str:
        each = f"{self.periods} {self.cut} of {self.rows // max(self.periods, 1):,} transactions"
        return f"{each}, {self.first_event} to {self.last_event}"


_decode_facts = msgspec.json.Decoder(ReferenceFacts).decode


class HighAmounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How usual the highest amounts are.

    Attributes:
        amount: What they reach, in the contract's unit.
        share: Share of the payments that reach it.
    """

    amount: float
    share: Share


_decode_high = msgspec.json.Decoder(HighAmounts).decode


@dataclass(frozen=True)
class Reference:
    """A version's reference.

    Attributes:
        facts: What is usual.
        columns: By feature that is no category, and for `SCORE`, values at even steps of their
            order, sorted.
        amounts: How usual the highest amounts are; None of a version from before that was kept,
            and where the contract has no amount.
    """

    facts: ReferenceFacts
    columns: dict[str, Vector | Floats]
    amounts: HighAmounts | None = None


def watched_values(contract: Contract, transactions: pa.RecordBatch | pa.Table) -> Matrix:
    """What is compared: the network's input, of an event time its second of the day.

    Of a category it is the level's code, and of a null NaN.

    Returns:
        float32, shape (rows, features), in the order of `Contract.features`.
    """
    values = contract.feature_matrix(transactions)
    if contract.event_time in contract.features and not contract.has_timestamps:  # it only grows
        at = contract.features.index(contract.event_time)
        values[:, at] = contract.event_seconds(transactions) % _DAY_S
    return values


def write_reference(directory: Path, reference: Reference) -> None:
    """Write a bundle's reference into its directory; the same one gives the same bytes."""
    table = pa.table(reference.columns)
    metadata = {_FACTS: msgspec.json.encode(reference.facts)}
    if reference.amounts is not None:
        metadata[_AMOUNTS] = msgspec.json.encode(reference.amounts)
    table = table.replace_schema_metadata(metadata)
    with pa.ipc.new_file(directory / REFERENCE_FILE, table.schema) as file:
        file.write_table(table)


def read_reference(directory: Path) -> Reference:
    """Read a version's reference.

    Args:
        directory: The version's.

    Raises:
        BundleError: it has none, since an earlier fraudline made it, or it was altered.
    """
    manifest = read_manifest(directory)
    expected = manifest.files.get(REFERENCE_FILE)
    if expected is None:
        raise BundleError(
            f"version {manifest.version} has no {REFERENCE_FILE}: a fraudline made it that kept "
            "nothing to compare a stream with, so no change of its columns or scores can raise an "
            "alarm. `fraudline train` makes a version that has one; promote that."
        )
    content = read_file(directory, REFERENCE_FILE)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise BundleError(
            f"{directory / REFERENCE_FILE} was altered: it has sha256 {found[:16]}…, expected "
            f"{expected[:16]}…. Restore it or train anew."
        )
    try:
        table = pa.ipc.open_file(content).read_all()
        table.validate(full=True)
        metadata = table.schema.metadata or {}
        facts = _decode_facts(metadata[_FACTS])
        high = metadata.get(_AMOUNTS)
        amounts = None if high is None else _decode_high(high)
        numbers = [name for name in facts.distances if name not in facts.levels]
        columns = {name: table.column(name).to_numpy() for name in (*numbers, SCORE)}
    except (pa.ArrowException, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise BundleError(
            f"{directory / REFERENCE_FILE} is no reference that this fraudline reads: {error}. "
            "Train anew."
        ) from None
    return Reference(facts, columns, amounts)
