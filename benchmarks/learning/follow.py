"""A road through a world: each arrival scored before its label, the gate asked at each moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from benchmarks.learning.kept import Found
from benchmarks.learning.roads import Road
from benchmarks.learning.scale import Calibrated, Scale, restated, scored
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

    At each moment, what has just become known judges first, by the scores that were put down when
    it arrived: by the line as it was then, which had not learned it, and by the champion, if it is
    the same still. Then it is learned. Where the champion comes to take money in another unit, the
    road begins anew at it.

    Args:
        world: With room for all `WAYS`.
        contract: Its.
        start: The first champion.
        road: Begins at `start`.
        calibrates: Gives the known rows that scores are calibrated on; None leaves scores as they
            were learned.
    """
    followed, bet = Followed(), FairBet()
    champion, line, fixed, since = start, start, None, world.begin
    gated: Scale | None = None
    acting: Scale | None = None
    for number, moment in enumerate(world.moments()):
        bet = _judge(bet, number, moment, world, since)
        followed.wealth.append(bet.wealth)
        is_promoted = bet.is_proved
        if is_promoted:
            champion, bet, since = line, FairBet(day=number), moment.at
            followed.promoted.append(number)
        recent = calibrates(moment) if calibrates else None
        if recent is not None:
            fresh = moment.became_known(moment.at - world.step)
            alive = (gated, None if is_promoted else acting)
            for each in {id(each): each for each in alive if each}.values():
                each.go_on(number, fresh, recent)
            gated = gated or _begun(start, contract, world, recent, -np.inf)
            if is_promoted:  # it has learned what is known by now
                acting = _begun(champion, contract, world, recent, moment.at)
            acting = acting or gated
            if acting.deployed.model is not champion:  # it takes money in another unit
                champion, bet = acting.deployed.model, FairBet(day=number)
                since = moment.at
                road.begin(champion)
        begun = time.process_time()
        road.learn(moment)
        line = road.model()
        followed.learn_s.append(time.process_time() - begun)
        begun = time.process_time()
        of_line = line
        if recent is not None:
            of_line = calibrated(line, restated(line, contract, recent, world.unit_s)[1])
        followed.calibrate_s.append(time.process_time() - begun)
        arrived = moment.arriving()
        models = [start, start, of_line, champion, start]
        if gated is not None and acting is not None:
            deployed = gated.deployed.decides()
            fixed = fixed or deployed
            newest = deployed if gated.waiting is None else gated.newest.decides()
            acts = deployed if acting is gated else acting.deployed.decides()
            models = [fixed, newest, of_line, acts, deployed]
        said = {id(model): scored(model, contract, arrived.features) for model in models}
        world.put_down(arrived, np.column_stack([said[id(model)] for model in models]))
    if gated is not None:
        followed.calibrated = gated.promoted
    return followed


def _begun(model: Model, contract: Contract, world: World, recent: Known, since: float) -> Scale:
    line = _line(model, restated(model, contract, recent, world.unit_s)[1])
    return Scale(Calibrated(model, line), contract, world.unit_s, since)


def _line(model: Model, known: Known) -> Platt:
    return fit_platt(known.labels, model.log_odds(known.features))


def _judge(bet: FairBet, number: int, moment: Moment, world: World, since: float) -> FairBet:
    """Go on with the bet, by what arrived since the champion is the champion."""
    fresh = moment.became_known(moment.at - world.step)
    fresh = fresh.where(fresh.event_at >= since)
    if not len(fresh.rows):
        return bet
    scores = world.put_down_for(fresh.rows)
    return bet.after(number, fresh.labels, scores[:, CHAMPION], scores[:, LINE])


def calibrated(model: Model, known: Known | None) -> Model:
    """A model whose scores are probabilities on what is known; itself, if nothing is given."""
    if known is None:
        return model
    return recalibrate(model, known.labels, model.log_odds(known.features))
