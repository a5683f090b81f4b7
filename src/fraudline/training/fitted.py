"""What fitting gives, whatever was fitted: a network or a forest, and how it came to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from fraudline.contract.array_types import Floats, Matrix
from fraudline.training.calibration import Platt
from fraudline.training.preparation import Preparation


class Reasons(NamedTuple):
    """What a model has to say why.

    Attributes:
        graph: Of contributions, serialised.
        log_odds: What they are measured from.
        rows: Of how many rows that is the mean.
    """

    graph: bytes
    log_odds: float
    rows: int


class AnyModel(Protocol):
    """What was fitted, whatever it is: a network or a forest, and what prepares its inputs."""

    @property
    def preparation(self) -> Preparation:
        """What makes inputs of features."""

    def log_odds(self, features: Matrix) -> Floats:
        """What it gives before its sigmoid, float64, shape (rows,)."""

    def calibrate(self, line: Platt) -> None:
        """Make a line through the log-odds part of it."""

    def graph(self, n_features: int) -> bytes:
        """The graph of scores, serialised."""

    def reasons(self, background: Matrix) -> Reasons:
        """What says why; the background is legitimate rows that stand for all."""

    def save(self, directory: Path, n_features: int) -> None:
        """Write into a bundle what learning goes on from, if that is possible."""


@dataclass(frozen=True)
class Checkpoint:
    """What was measured after some steps.

    Attributes:
        steps: How many, from the start, or how many trees; 1 where a version goes on learning,
            which is one pass.
        train_loss: Mean cross-entropy over the rows since the checkpoint before, with dropout.
        validation_loss: Over the validation part, without dropout; None if there is none.
        validation_average_precision: Over the validation part; None if there is none.
    """

    steps: int
    train_loss: float
    validation_loss: float | None = None
    validation_average_precision: float | None = None


@dataclass(frozen=True)
class Fit:
    """A model, and how it came to be.

    Attributes:
        model: As it was at the best checkpoint, by the average precision of the validation part.
            Without one, or where the recipe says how long, at the last checkpoint.
        steps: How many steps it had learned by then, or how many trees it is.
        checkpoints: All of them, later ones included.
        drawn: How many legitimate rows it learned from, where not from all; else None.
    """

    model: AnyModel
    steps: int
    checkpoints: list[Checkpoint]
    drawn: int | None = None
