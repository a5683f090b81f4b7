"""How it decides, learns and stores: what is a matter of taste, of money and of load."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from fraudline.settings.group import Group

_DAY_S = 86400.0


class ScoringSettings(Group):
    """How a scorer trades delay for throughput."""

    batch_rows: int = Field(
        8000, ge=1, le=100_000, description="Most transactions in one Kafka transaction."
    )
    repeat_window_offsets: int = Field(
        100_000,
        ge=1,
        le=1_000_000,
        description="How many offsets of its partition later a transaction that is sent again, "
        "with the same id, is still given its first decision; for contracts with an id.",
    )


class PolicySettings(Group):
    """What decisions cost, in the unit of the contract's amount; for models trained from now on.

    The defaults are round figures for card payments in a currency's main unit. Put your own: for
    a contract that fraudline does not bring, none of the three costs may be a default when a
    version becomes the champion.
    """

    lost_share: float = Field(
        1.0, ge=0, le=10, description="Share of the amount that is lost with an approved fraud."
    )
    fraud_cost: float = Field(
        15.0, ge=0, le=1e12, description="What else an approved fraud costs; without amounts, all."
    )
    review_cost: float = Field(4.0, ge=0, le=1e12, description="What one review costs.")
    wrong_block_cost: float = Field(
        25.0, gt=0, le=1e12, description="What it costs to block a legitimate payment."
    )
    most_reviews_a_day: float = Field(
        100.0,
        ge=0,
        le=1e12,
        description="How many reviews there may be a day, in the mean of the validation part.",
    )
    above_review_cap: Literal["approve", "block"] = Field(
        "approve",
        description="What is done with a payment that would be reviewed if the cap allowed it.",
    )
    explore_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Of the payments that would be blocked, which share is reviewed instead, so "
        "that people label them and the model can learn what it blocks; within the cap. 0 is none.",
    )


class TrainingSettings(Group):
    """What is learned from, and how our own recipes learn.

    What is not set of a recipe is its own, and follows from measurements. The tutorial's recipes
    learn as the tutorial has them, whatever stands here.
    """

    most_rows: int = Field(
        2_000_000,
        ge=1000,
        description="Most rows of the history that are read. Of a larger one all frauds are, and "
        "of the legitimate payments one in so many, by a hash, so that they are the same each "
        "time; each figure counts them as often. Two million rows of 30 numbers take some 4 GB.",
    )
    learning_rate: float | None = Field(
        None, gt=0, le=0.1, description="Of AdamW, after its first steps."
    )
    weight_decay: float | None = Field(
        None,
        ge=0,
        le=10,
        description="Share of each weight, times the rate, that a step takes from it.",
    )
    batch_rows: int | None = Field(None, ge=8, le=65_536, description="Rows in a step.")
    legitimate_per_fraud: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Legitimate payments that are learned for each fraud, drawn anew whenever "
        "all frauds were learned once more.",
    )
    most_steps: int | None = Field(
        None,
        ge=100,
        le=10_000_000,
        description="Steps after which learning ends at the latest; it ends before, once the "
        "validation part is no longer ranked better.",
    )


class SinkSettings(Group):
    """How a sink trades delay for throughput."""

    batch_rows: int = Field(
        5000, ge=1, le=50_000, description="Most rows in one append to BigQuery."
    )
    commit_interval_ms: int = Field(
        1000, ge=0, le=60_000, description="Time between two commits of Kafka offsets."
    )


class LearningSettings(Group):
    """How `fraudline learn` goes through the stream.

    Defaults come from sections "Learning from late labels" of benchmarks/RESULTS.md, which the
    descriptions name; what was not measured says so.
    """

    period_s: float = Field(
        86400.0,
        ge=1,
        le=31 * 86400,
        description="How long a period is in which the stream is judged and watched, seconds; "
        "counted from midnight UTC by `decided_at`. The gate was measured with daily looks (the "
        "gate), updates by the day and by the hour (eight quiet weeks; the second day).",
    )
    update: Literal["fine-tuning", "last-layer", "off"] = Field(
        "fine-tuning",
        description="How a new version learns what became known, at the end of each period: all "
        "layers a little, the last one alone, or not at all. None of them decides anything "
        "before it is promoted. Fine-tuning learns new patterns best (changes put into the "
        "handbook's days); where nothing changes, the last layer does as well for less (eight "
        "quiet weeks).",
    )
    update_rate: float = Field(
        3e-4,
        gt=0,
        le=0.01,
        description="Learning rate of fine-tuning; what is learned faster is forgotten faster. "
        "From a study before this code was there (docs/decisions/0025-what-learns.md).",
    )
    update_averaging: float = Field(
        0.99,
        ge=0,
        lt=1,
        description="How much of the mean of its weights so far a step of fine-tuning keeps; what "
        "comes out is that mean. 0 takes the last weights as they are. From the same study as the "
        "rate; not measured by itself.",
    )
    promotes: bool = Field(
        True,
        description="Whether `learn` makes a version the champion that the gate finds better, and "
        "goes back where the former champion is found better; without it, it only says so. How "
        "often the gate errs was measured (the gate); that it acts by itself is a choice.",
    )
    recalibrates: bool = Field(
        True,
        description="Whether `learn` calibrates the champion anew on what matured last, period by "
        "period, and promotes that calibration where the gate finds that it says better what "
        "scores mean. It ranks as before. Measured on amounts four times as large (changes put "
        "into the handbook's days).",
    )
    retrain_every_days: float = Field(
        0.0,
        ge=0,
        le=3660,
        description="How many days after the last time `learn` trains a new network on all that is "
        "known by then, and makes it a challenger; 0 never does by itself. `fraudline learning "
        "retrain` does it now. Weekly, it gained nothing where nothing changed (eight quiet "
        "weeks).",
    )
    retrain_on_alarm: bool = Field(
        False,
        description="Whether `learn` does so, too, where an alarm still stands when seven periods "
        "since it began are mature; once for an alarm. Not measured.",
    )
    removed_after_days: int = Field(
        90,
        ge=0,
        description="How many days after its labels are mature `learn` removes a version that it "
        "made and that never decided anything, nor was named by anybody; 0 removes none. Not "
        "measured.",
    )
    memory_frauds: int = Field(
        2000,
        ge=20,
        le=20_000,
        description="How many of the newest frauds are learned each time, old ones among them, "
        "with 80 legitimate payments for each; a tenth of a megabyte of memory a fraud. With 500 "
        "less was learned, for two thirds of the time (other settings).",
    )

    @field_validator("period_s")
    @classmethod
    def _begins_at_midnight(cls, value: float) -> float:
        periods, days = _DAY_S / value, value / _DAY_S
        if not (periods.is_integer() or days.is_integer()):
            raise ValueError(
                "expected a part of a day, such as 3600 or 60, or whole days, so that a period "
                "begins at each midnight, or at some"
            )
        return value
