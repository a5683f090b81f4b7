"""What a bundle says of itself."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Annotated

import msgspec

from fraudline.bundle.policy import Policy

FORMAT = 3
# Format 2 is the same, but that its policies have no `above_review_cap`.
READABLE = (2, FORMAT)

# A version is the name of a directory and is made of these.
_Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{1,128}$")]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the data: what a model was fitted on, tuned on or judged by.

    Attributes:
        rows: Number of transactions.
        frauds: How many of them are frauds.
        first_event: Event time of the first one, as text, in the contract's unit.
        last_event: Event time of the last one.
        metrics: Measures of the model on this part, by name.
    """

    rows: int
    frauds: int
    first_event: str
    last_event: str
    metrics: dict[str, float] = {}


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of a history was read that is too large to be read whole.

    Attributes:
        one_in: Of the legitimate payments one in so many was drawn, by a hash of what it holds; it
            counts as often in every figure. All frauds were read.
        rows: How many rows the history has.
        frauds: How many of them are frauds.
    """

    one_in: Annotated[int, msgspec.Meta(ge=2)]
    rows: int
    frauds: int

    def __str__(self) -> str:
        return (
            f"all {self.frauds:,} frauds and one in {self.one_in:,} of the legitimate payments, "
            f"drawn by a hash, of {self.rows:,} rows; a payment that was drawn counts "
            f"{self.one_in:,} times in each figure"
        )


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows a model was made from.

    Attributes:
        table: Full name of the table.
        query: The whole query that read them, as it can be run again.
        read_at: When it was run, UTC.
        rows: How many rows it gave.
        sha256: Of their values in their order: the same digest is the same rows.
        sample: Which part of the history they are; without it all of the period.
    """

    table: str
    query: str
    read_at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    rows: int
    sha256: str
    sample: Sample | msgspec.UnsetType = msgspec.UNSET

    @property
    def one_in(self) -> int:
        """How many legitimate payments each one stands for."""
        return 1 if self.sample is msgspec.UNSET else self.sample.one_in

    def __str__(self) -> str:
        part = "" if self.sample is msgspec.UNSET else f" ({self.sample})"
        return f"{self.rows:,} rows of {self.table}{part}"


RETRAINING = "retraining"
"""The road of a version that was trained anew, from fresh weights."""


class Learned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a version has learned beyond the one that it goes on from.

    Attributes:
        parent: That version.
        road: `fine-tuning` of all layers, the `last-layer` alone, or `retraining`: another network,
            trained from fresh weights while that one was the champion.
        as_of: The moment: no label that arrived later was seen.
        since: When the oldest payment of the stream among them was decided.
        until: When the newest one was.
        rows: How many rows were learned.
        frauds: How many of them are frauds.
        of_history: How many of the rows are of the labelled history.
        hidden: Payments of that time that were blocked, or would have been, and never labelled.
        by_share: How many of them were learned as what they are likely to be; the others were left
            out. Versions of before have none, and left all of them out.
        explored: How many payments told that: reviewed in place of being blocked, and labelled.
        settings: With which settings of `learning` it learned, by name; versions of before do not
            say.
    """

    parent: str
    road: str
    as_of: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    since: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    until: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    rows: int
    frauds: int
    of_history: int
    hidden: int
    by_share: int | msgspec.UnsetType = msgspec.UNSET
    explored: int | msgspec.UnsetType = msgspec.UNSET
    settings: dict[str, float] | msgspec.UnsetType = msgspec.UNSET


UNITS_ALIKE = 1.5
"""Two factors of money that are less far apart say the same of its unit."""


class Calibrated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which calibration a version has in place of another one's, with the same network.

    Attributes:
        of: The version whose network it has.
        slope: What the network's log-odds are multiplied by.
        intercept: What is added then.
        as_of: The moment: no label that arrived later was seen.
        since: When the oldest payment that it is calibrated on was decided.
        until: When the last period of them ended.
        rows: How many payments these are.
        frauds: How many of them are frauds.
        hidden: Payments of that time that were blocked, or reviewed in place of it, and never
            labelled, which were left out.
        unit: How many times as large money comes as its network learned it: its features in the
            unit of the amount are divided by that first, and so it ranks otherwise than the version
            whose network it has. Unset where money comes as it was learned.
    """

    of: str
    slope: float
    intercept: float
    as_of: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    since: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    until: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    rows: int
    frauds: int
    hidden: int
    unit: float | msgspec.UnsetType = msgspec.UNSET


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle says of itself; `bundle.json` in its directory.

    Attributes:
        recipe: How the model was trained.
        contract: Name of the contract whose transactions it scores.
        contract_fingerprint: `Contract.fingerprint` of that contract.
        features: Inputs of the graph, in order.
        policy: What is done with a payment, by its score and amount.
        threshold: Least score that counts as fraud where figures need one number, as
            precision and recall do. It decides nothing.
        threshold_rule: How the threshold was chosen, in words.
        source: Which rows it was made from.
        parts: The data by part: `train`, `validation`, `test`.
        software: Versions of what it was made with.
        created_at: When, UTC.
        files: SHA-256 of each file of the bundle, by name.
        derived_from: Version that is the same but for its policy, where there is one.
        reference: What the stream is compared with, in words; versions of before have none.
        learned: What its network learned beyond another version; one that was trained has none.
        calibrated: Which calibration it has in place of the one that its network was made with.
        trees: How it stands beside boosted trees on the same rows, in words; a version has none
            that goes on from another, or was trained without LightGBM.
        version: Recipe and a hash of all of the above but the times at which it was made and
            its rows were read.
        format: Version of this structure.
    """

    recipe: _Word
    contract: _Word
    contract_fingerprint: str
    features: tuple[str, ...]
    policy: Policy
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)]
    threshold_rule: str
    source: Source
    parts: dict[str, Part]
    software: dict[str, str]
    created_at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    files: dict[str, str]
    derived_from: str = ""
    reference: str | msgspec.UnsetType = msgspec.UNSET
    learned: Learned | msgspec.UnsetType = msgspec.UNSET
    calibrated: Calibrated | msgspec.UnsetType = msgspec.UNSET
    trees: str | msgspec.UnsetType = msgspec.UNSET
    version: str = ""
    format: int = FORMAT

    @property
    def network(self) -> str:
        """The version that ranks as this one does: itself, or the one that it only calibrates.

        One whose policy a person changed stands for itself, and one that takes money in another
        unit.
        """
        if self.calibrated and not self.calibrated.unit and not self.derived_from:
            return self.calibrated.of
        return self.version

    @property
    def is_step(self) -> bool:
        """Whether it learned what its parent had not, as the next one of a champion's line.

        Not if it was trained anew, if it only calibrated its parent, or if a person changed what it
        decides by.
        """
        is_other = self.is_anew or self.calibrated or self.derived_from
        return bool(self.learned) and not is_other

    @property
    def is_anew(self) -> bool:
        """Whether its network was trained from fresh weights, by `learn`."""
        return self.learned.road == RETRAINING if self.learned else False

    @property
    def went_on(self) -> tuple[str, dt.datetime] | None:
        """The version that it was made from by what was known, and the moment; None if trained."""
        if self.calibrated:
            return self.calibrated.of, self.calibrated.as_of
        return (self.learned.parent, self.learned.as_of) if self.learned else None

    def sealed(self) -> Manifest:
        """The same manifest with the version that its content gives."""
        return msgspec.structs.replace(self, version=self.expected_version())

    def expected_version(self) -> str:
        """The version that follows from the content; another one means that it was altered."""
        content = msgspec.to_builtins(self)
        del content["version"], content["created_at"], content["source"]["read_at"]
        digest = hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
        return f"{self.contract}-{self.recipe}-{digest[:12]}"
