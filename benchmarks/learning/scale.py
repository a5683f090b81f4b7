"""What a champion's scores mean, as the product keeps it: calibrated daily, promoted by a bet."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from benchmarks.learning.costs import policy
from benchmarks.learning.world import Floats, Known, Matrix

from fraudline.contract import Contract
from fraudline.measures.calibration_bet import CalibrationBet, Line, most_apart
from fraudline.training.calibration import Platt, fit_platt
from fraudline.training.graph import run_graph, write_graph
from fraudline.training.model import Model
from fraudline.warehouse.known_rows import LEAST_FRAUDS

_LEAST_BOUND = 4.0  # as `CalibrationChallenge` has it


def calibrated(model: Model, line: Platt) -> Model:
    """A model with a calibration of its own; the one that is given stays as it is."""
    made = model.copy()
    made.calibrate(line)
    return made


def scored(model: Model, contract: Contract, features: Matrix) -> Floats:
    """Probabilities as a scorer gives them: by the exported graph."""
    graph = write_graph(model.preparation, model.network, len(contract.features))
    return run_graph(graph, features)


@dataclass
class Scale:
    """A network, the calibration with which it decides, and the newest one that waits.

    Attributes:
        model: As it was learned.
        contract: Of its transactions.
        unlearned_since: It may have learned what was made before.
        deployed: The calibration that decides; the one that it was made with until another wins.
        waiting: The newest one.
        bet: That these do better.
        costs: Of the deployed one's decisions and of the waiting ones', on what judged both.
        promoted: At which moments another calibration was promoted.
    """

    model: Model
    contract: Contract
    deployed: Platt
    unlearned_since: float = -np.inf
    waiting: Platt | None = None
    bet: CalibrationBet = field(default_factory=CalibrationBet)
    costs: tuple[float, float] = (0.0, 0.0)
    promoted: list[int] = field(default_factory=list)

    def decides(self) -> Model:
        """The model with the calibration that decides."""
        return calibrated(self.model, self.deployed)

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
            self.waiting = fit_platt(usable.labels, self.model.log_odds(usable.features))
        if is_won and self.waiting is not None:
            self.deployed, self.waiting = self.waiting, None
            self.bet, self.costs = CalibrationBet(), (0.0, 0.0)
            self.promoted.append(number)

    def _judge(self, number: int, fresh: Known) -> bool:
        assert self.waiting is not None
        lines = self.deployed, self.waiting
        said = [
            scored(calibrated(self.model, each), self.contract, fresh.features) for each in lines
        ]
        one, other = (_as_line(each) for each in lines)
        bound = max(_LEAST_BOUND, most_apart(one, other))
        self.bet = self.bet.after(number, fresh.labels, said[0], said[1], bound)
        rule, costs = policy(), list(self.costs)
        for place, scores in enumerate(said):
            codes = rule.decide(scores, fresh.amounts)
            costs[place] += float(rule.costs(codes, fresh.labels, fresh.amounts).sum())
        self.costs = costs[0], costs[1]
        return self.bet.is_proved and costs[1] <= costs[0]


def _as_line(line: Platt) -> Line:
    return line.slope, line.intercept
