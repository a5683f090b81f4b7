"""What a champion's scores mean, as the product keeps it: calibrated daily, promoted by a bet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from benchmarks.learning.costs import policy
from benchmarks.learning.world import Floats, Known, Matrix
from sklearn.metrics import log_loss

from fraudline.bundle.manifest import UNITS_ALIKE
from fraudline.contract import Contract
from fraudline.measures.calibration_bet import (
    CalibrationBet,
    CalibrationChallenge,
    Line,
)
from fraudline.training.amount_unit import find_unit, money_of
from fraudline.training.calibration import Platt, fit_platt
from fraudline.training.graph import run_graph, write_graph
from fraudline.training.model import Model
from fraudline.warehouse.known_rows import LEAST_FRAUDS


def calibrated(model: Model, line: Platt) -> Model:
    """A model with a calibration of its own; the one that is given stays as it is."""
    made = model.copy()
    made.calibrate(line)
    return made


def scored(model: Model, contract: Contract, features: Matrix) -> Floats:
    """Probabilities as a scorer gives them: by the exported graph."""
    graph = write_graph(model.preparation, model.network, len(contract.features))
    return run_graph(graph, features)


def restated(model: Model, contract: Contract, known: Known, unit_s: float) -> tuple[float, Known]:
    """What is known with money in the unit of the newest, and how many times as large that is.

    Args:
        model: Whose unit is 1.
        contract: Of its transactions.
        known: With labels of both kinds.
        unit_s: The unit of their times, seconds.
    """
    money = money_of(contract)
    told = known.where(known.labels == 0)
    unit = find_unit(model.preparation, money, told.features, told.event_at * unit_s)
    if unit.is_one:
        return unit.factor, known
    factors, features = unit.restated(known.event_at * unit_s), known.features.copy()
    features[:, money] *= factors[:, None].astype(np.float32)
    return unit.factor, replace(known, features=features, amounts=known.amounts * factors)


def _in_unit(model: Model, contract: Contract, factor: float) -> Model:
    """A model that divides money by a factor first."""
    before = model.preparation.units
    units = np.ones(len(contract.features), np.float32) if before is None else before.copy()
    units[list(money_of(contract))] /= factor
    return Model(replace(model.preparation, units=units), model.network)


@dataclass(frozen=True)
class Calibrated:
    """A network, in which unit it takes money, and the line through its log-odds."""

    model: Model
    line: Platt
    factor: float = 1.0  # what money is divided by beside what the deployed one divides it by

    def decides(self) -> Model:
        """The model that scores."""
        return calibrated(self.model, self.line)


@dataclass
class Scale:
    """A network with the calibration by which it decides, and the newest one that waits.

    Attributes:
        deployed: What decides; as it was made until another wins.
        contract: Of its transactions.
        unit_s: The unit of their times, seconds.
        unlearned_since: It may have learned what was made before.
        waiting: The newest one.
        bet: That these do better.
        costs: Of the deployed one's decisions and of the waiting ones', on what judged both.
        promoted: At which moments another calibration was promoted.
        judged: What the last one that was judged divides money by.
    """

    deployed: Calibrated
    contract: Contract
    unit_s: float
    unlearned_since: float = -np.inf
    waiting: Calibrated | None = None
    bet: CalibrationBet = field(default_factory=CalibrationBet)
    costs: tuple[float, float] = (0.0, 0.0)
    promoted: list[int] = field(default_factory=list)
    judged: float = 1.0

    @property
    def newest(self) -> Calibrated:
        """What would decide if there were no gate."""
        return self.waiting or self.deployed

    def go_on(self, number: int, fresh: Known, recent: Known) -> None:
        """Judge the waiting calibration by what has become known, make another, promote it.

        Args:
            number: Of the moment.
            fresh: What has become known since the last moment.
            recent: What another one is made of, `fresh` in it.
        """
        is_won = self.waiting is not None and len(fresh.rows) > 0 and self._judge(number, fresh)
        usable = recent.where(recent.event_at >= self.unlearned_since)
        if usable.labels.sum() >= LEAST_FRAUDS:
            self.waiting = self._found(usable)
        if is_won and self.waiting is not None:
            self.deployed, self.waiting = self.waiting, None
            self.bet, self.costs, self.judged = CalibrationBet(), (0.0, 0.0), 1.0
            self.promoted.append(number)

    def _found(self, known: Known) -> Calibrated:
        """As `training.scale.find_scale` does."""
        model = self.deployed.model
        factor, now = restated(model, self.contract, known, self.unit_s)
        ways = [(model, known, 1.0)]
        if factor != 1:
            ways.append((_in_unit(model, self.contract, factor), now, factor))
        elif now is not known:
            ways.append((model, now, 1.0))
        found = []
        for each, rows, divided in ways:
            odds = each.log_odds(rows.features)
            line = fit_platt(rows.labels, odds)
            loss = float(log_loss(rows.labels, line.probabilities(odds)))
            found.append((loss, Calibrated(each, line, divided)))
        return min(found, key=lambda each: each[0])[1]

    def _judge(self, number: int, fresh: Known) -> bool:
        assert self.waiting is not None
        apart = self.judged / self.waiting.factor
        if not 1 / UNITS_ALIKE < apart < UNITS_ALIKE:  # another question is another bet
            self.bet, self.costs = CalibrationBet(), (0.0, 0.0)
        self.judged = self.waiting.factor
        both = self.deployed, self.waiting
        said = [scored(each.decides(), self.contract, fresh.features) for each in both]
        challenge = CalibrationChallenge().beyond_lines()
        if self.deployed.model is self.waiting.model:
            challenge = challenge.between(*(_as_line(each.line) for each in both))
        self.bet = self.bet.after(number, fresh.labels, said[0], said[1], challenge.bound)
        rule, costs = policy(), list(self.costs)
        for place, scores in enumerate(said):
            codes = rule.decide(scores, fresh.amounts)
            costs[place] += float(rule.costs(codes, fresh.labels, fresh.amounts).sum())
        self.costs = costs[0], costs[1]
        return self.bet.is_proved and costs[1] <= costs[0]


def _as_line(line: Platt) -> Line:
    return line.slope, line.intercept
