"""A recipe: everything that distinguishes one way of training from another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fraudline.contract import Contract
from fraudline.contract.array_types import Labels, Matrix
from fraudline.training.fitted import Fit
from fraudline.training.preparation import Inputs
from fraudline.training.split import Split

_OF_NETWORKS = ("weight_decay", "averaging", "epochs", "batch_rows", "legitimate_per_fraud")


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; `train` follows it from top to bottom.

    Attributes:
        name: As given to `fraudline train --recipe`.
        summary: What it does, in one or two sentences for the report.
        split: Labels, test share and seed to the parts of the history.
        balance: Features, labels and seed of the train part to rows with another balance.
        balancing: What `balance` does, in words.
        learned_share: Share of frauds among the rows that `balance` gives, if it sets one.
        inputs: A contract and the features of the train part to the inputs that a network gets.
        network: Number of inputs to a Keras `Sequential`, as `write_graph` takes them,
            whose last two layers are Dense(1) and a sigmoid.
        optimizer: Learning rate and weight decay to a Keras optimizer.
        learning_rate: Of the optimizer.
        weight_decay: Share of a weight, times the rate, that a step of the optimizer takes from it,
            also where a version goes on learning.
        averaging: How much of the mean of the weights so far stays in it at each step; that mean is
            the network. 0 takes the weights as they are.
        epochs: Passes over the rows of an epoch; None stops where the validation part is ranked
            best, and then fits anew for as many steps.
        most_steps: After which it stops at the latest, where `epochs` is None; else not used.
        batch_rows: Rows in a step.
        legitimate_per_fraud: Legitimate rows drawn for each fraud, anew for each epoch,
            which always has all frauds; None takes all legitimate rows.
        threshold: Least score that is blocked. None chooses it on the validation part,
            calibrates scores there, and then fits anew on train and validation together:
            the latest transactions tell most of the next ones.
        fit: Fits something else than a network, args as those of `fit_model` but the recipe. What
            is only asked of networks, from `network` on, is then not asked.
        libraries: What fits it and is not part of every training, as distributions.
    """

    name: str
    summary: str
    split: Callable[[Labels, float, int], Split]
    balance: Callable[[Matrix, Labels, int], tuple[Matrix, Labels]]
    balancing: str
    learned_share: float | None
    inputs: Callable[[Contract, Matrix], Inputs]
    network: Callable[[int], Any]
    optimizer: Callable[[float, float], Any]
    learning_rate: float
    weight_decay: float
    averaging: float
    epochs: int | None
    most_steps: int
    batch_rows: int
    legitimate_per_fraud: int | None
    threshold: float | None
    fit: Callable[..., Fit] | None = None
    libraries: tuple[str, ...] = ()

    def told(self) -> dict[str, object]:
        """What a version keeps of it, by name: what counts, and is a number or words."""
        left_out = {"fit", "libraries", *(() if self.fit is None else _OF_NETWORKS)}
        values = {name: of for name, of in vars(self).items() if name not in left_out}
        return {name: of for name, of in values.items() if not callable(of)}


def keep_balance(features: Matrix, labels: Labels, seed: int) -> tuple[Matrix, Labels]:
    """The rows as they are."""
    del seed
    return features, labels
