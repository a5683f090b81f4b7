"""A road through a world: each arrival scored before its label, the gate asked at each moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from benchmarks.learning.kept import Found
from benchmarks.learning.roads import Road
from benchmarks.learning.scale import Scale, scored
from benchmarks.learning.world import Known, Moment, World

from fraudline.contract import Contract
from fraudline.measures.fair_bet import FairBet
from fraudline.training.calibration import Platt, fit_platt
from fraudline.training.model import Model
from fraudline.training.update import recalibrate

WAYS = (
    "frozen",
    "frozen, calibrated daily",
    "the line of updates",
    "the champion by both gates",
    "frozen, calibrated by its gate",
)
FIXED, FROZEN, LINE, CHAMPION, GATED = range(len(WAYS))


@dataclass
class Followed:
    """What came of a road through a world, besides the scores.

    Attributes:
        learn_s: Processor time of learning, moment by moment.
        calibrate_s: Of calibrating the line.
        wealth: Of the bet that the line is better than the champion, moment by moment.
        promoted: Numbers of the moments at which the champion became what the road had learned.
        calibrated: Numbers of those at which the frozen model's calibration became another.
    """

    learn_s: list[float] = field(default_factory=list)
    calibrate_s: list[float] = field(default_factory=list)
    wealth: list[float] = field(default_factory=list)
    promoted: list[int] = field(default_factory=list)
    calibrated: list[int] = field(default_factory=list)

    def found(self, world: World) -> Found:
        """All of it, with the scores."""
        return {name: np.array(value) for name, value in vars(self).items()} | {
            "scores": world.outcome()[2].astype(np.float32)
        }


def follow(
    world: World,
    contract: Contract,
    start: Model,
    road: Road,
    calibrates: Callable[[Moment], Known] | None,
) -> Followed:
    """Go a road through a world, and let the gate decide who is champion.

    Five scores are put down for each transaction, as in `WAYS`: of `start`, calibrated once and
    for all, and calibrated anew at each moment; of the line of updates; of the champion, which is
    `start` until the gate proves the line better, and whose calibration becomes another when that
    is proved; and of `start` with such a calibration.

    At each moment, what has just become known judges first, by the line as it was a moment ago,
    which had not learned it. Then it is learned.

    Args:
        world: With room for all `WAYS`.
        contract: Its.
        start: The first champion.
        road: Begins at `start`.
        calibrates: Gives the known rows that scores are calibrated on; None leaves scores as they
            were learned.
    """
    followed, bet = Followed(), FairBet()
    champion, line, fixed = start, start, None
    scales: dict[int, Scale] = {}
    for number, moment in enumerate(world.moments()):
        bet = _judge(bet, number, moment, world.step, (champion, line), contract)
        followed.wealth.append(bet.wealth)
        if bet.is_proved:
            champion, bet = line, FairBet(day=number)
            followed.promoted.append(number)
        begun = time.process_time()
        road.learn(moment)
        line = road.model()
        followed.learn_s.append(time.process_time() - begun)
        begun = time.process_time()
        recent = calibrates(moment) if calibrates else None
        known = {id(line): calibrated(line, recent)}
        followed.calibrate_s.append(time.process_time() - begun)
        if id(start) not in known:
            known[id(start)] = calibrated(start, recent)
        fixed = fixed or known[id(start)]
        fresh = moment.became_known(moment.at - world.step)
        for model in {id(each): each for each in (start, champion)}.values():
            if recent is not None and id(model) not in scales:
                # A network that was promoted has learned what is known by now.
                since = -np.inf if model is start else moment.at
                scales[id(model)] = Scale(model, contract, _line(model, recent), since)
            elif recent is not None:
                scales[id(model)].go_on(number, fresh, recent)
        decides = {key: each.decides() for key, each in scales.items()}
        arrived = moment.arriving()
        models = (
            fixed,
            known[id(start)],
            known[id(line)],
            decides.get(id(champion), champion),
            decides.get(id(start), start),
        )
        said = {id(model): scored(model, contract, arrived.features) for model in models}
        world.put_down(arrived, np.column_stack([said[id(model)] for model in models]))
    if id(start) in scales:
        followed.calibrated = scales[id(start)].promoted
    return followed


def _line(model: Model, known: Known) -> Platt:
    return fit_platt(known.labels, model.log_odds(known.features))


def _judge(
    bet: FairBet,
    number: int,
    moment: Moment,
    step: float,
    models: tuple[Model, Model],
    contract: Contract,
) -> FairBet:
    champion, line = models
    if champion is line:
        return bet
    fresh = moment.became_known(moment.at - step)
    if not len(fresh.rows):
        return bet
    scores = [scored(model, contract, fresh.features) for model in models]
    return bet.after(number, fresh.labels, scores[0], scores[1])


def calibrated(model: Model, known: Known | None) -> Model:
    """A model whose scores are probabilities on what is known; itself, if nothing is given."""
    if known is None:
        return model
    return recalibrate(model, known.labels, model.log_odds(known.features))
