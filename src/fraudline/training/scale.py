"""What a network's log-odds mean on payments whose labels are known, and in which unit money is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sklearn.metrics import log_loss

from fraudline.contract import Contract
from fraudline.contract.array_types import Labels, Matrix
from fraudline.errors import InputError
from fraudline.training.amount_unit import money_of, restate
from fraudline.training.calibrated_graph import uncalibrated
from fraudline.training.calibration import Platt, fit_platt
from fraudline.training.contributions_graph import log_odds
from fraudline.training.graph import read_preparation
from fraudline.training.unit_graph import with_units


@dataclass(frozen=True)
class Scale:
    """How a network is brought to the payments that come now.

    Attributes:
        line: Through its log-odds.
        factor: How many times as large money comes as the network takes it; 1 if it is not.
        tables: The payments that it was found on and others of that time, with money in one unit.
        loss: Mean log loss on the payments.
    """

    line: Platt
    factor: float
    tables: tuple[pa.Table, pa.Table]
    loss: float

    def units(self, contract: Contract) -> Matrix | None:
        """What each feature is divided into before the network; None where it is as learned."""
        if self.factor == 1:
            return None
        units = np.ones(len(contract.features), np.float32)
        units[list(money_of(contract))] = 1 / self.factor
        return units


def find_scale(graph: bytes, rows: pa.Table, others: pa.Table, contract: Contract) -> Scale:
    """The calibration of a network on payments, with money brought to its unit if that is better.

    Args:
        graph: Of scores; a calibration in it is left out.
        rows: With the columns of a transaction and `is_fraud`.
        others: Payments of the same time that nobody labelled.
        contract: What a transaction looks like.

    Raises:
        InputError: higher scores do not mean more fraud on these rows.
    """
    fault: InputError | None = None
    found = []
    for each in _ways(graph, rows, others, contract):
        try:
            found.append(_fitted(graph, each, contract))
        except InputError as error:
            fault = error
    if not found:
        assert fault is not None
        raise fault
    return min(found, key=lambda each: each.loss)  # of equals, as learned


def _ways(
    graph: bytes, rows: pa.Table, others: pa.Table, contract: Contract
) -> list[tuple[float, pa.Table, pa.Table]]:
    """Factor and tables: as they came, and if they came in another unit, in that of now."""
    ways = [(1.0, rows, others)]
    try:
        preparation = read_preparation(graph)
    except ValueError:  # made by other code: nobody knows what it learned of amounts
        return ways
    factor, now, of_others = restate(rows, _labels(rows), others, contract, preparation)
    if factor != 1 or now is not rows:
        ways.append((factor, now, of_others))
    return ways


def _fitted(graph: bytes, way: tuple[float, pa.Table, pa.Table], contract: Contract) -> Scale:
    factor, rows, others = way
    labels = _labels(rows)
    scale = Scale(Platt(1.0, 0.0), factor, (rows, others), np.inf)
    units = scale.units(contract)
    behind = uncalibrated(graph if units is None else with_units(graph, units))
    odds = log_odds(behind, contract.feature_matrix(rows))
    line = _as_written(fit_platt(labels, odds))
    loss = float(log_loss(labels, line.probabilities(odds), labels=[0, 1]))
    return Scale(line, factor, scale.tables, loss)


def _labels(rows: pa.Table) -> Labels:
    labels: Labels = rows.column("is_fraud").to_numpy().astype(np.int8)
    return labels


def _as_written(line: Platt) -> Platt:
    """The line with the numbers that a graph holds, of 32 bits."""
    return Platt(float(np.float32(line.slope)), float(np.float32(line.intercept)))
