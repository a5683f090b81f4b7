"""Six rounds in which what is blocked never gets a label, by what is done about it.

A round is a week. Before each but the first, the model is fitted anew on the latest two weeks
whose labels are known, as far as they are visible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from benchmarks.alarms_handbook import Stream
from benchmarks.learning import told
from benchmarks.learning.costs import policy
from benchmarks.learning.follow import WAYS as FOLLOWED
from benchmarks.learning.follow import calibrated
from benchmarks.learning.kept import Found, Kept
from benchmarks.learning.quiet import seeds_told
from benchmarks.learning.roads import fitted
from benchmarks.learning.rows import DELAY_DAYS, WEEK_DAYS
from benchmarks.learning.scale import scored
from benchmarks.learning.streams import Streamed, quiet
from benchmarks.learning.world import Floats, Known, Matrix, Moment, Rows
from benchmarks.measure import say, table

from fraudline.contract import BLOCKED, REVIEWED
from fraudline.contract.array_types import DecisionCodes
from fraudline.training.model import Model
from fraudline.training.recipes.all_recipes import find_recipe
from fraudline.training.soft_labels import NEAREST, shares_of_frauds

TITLE = "Learning from late labels: what is blocked is never labelled"
JUDGED = "weeks that judge"
ROUNDS = 6
VISIBLE_DAYS = 14
EXPLORED_SHARE = 0.05
ALL, FROZEN, DROPPED, EXPLORED = (
    "labels of all",
    "frozen",
    "what is blocked is dropped",
    "one in twenty is reviewed, the others are learned by the reviewed ones most like them",
)
WAYS = (ALL, FROZEN, DROPPED, EXPLORED)


def measure(stream: Stream, recipe: str, seeds: range, kept: Kept) -> list[str]:
    """Each way, round by round."""
    streamed = quiet(stream, JUDGED)
    rows = []
    reached: dict[str, Floats] = {}
    for way in WAYS:
        found = []
        for seed in seeds:
            name = f"hidden-{WAYS.index(way)}-{recipe}-{seed}"
            found.append(kept.piece(name, partial(_run, stream, way, recipe, seed)))
            say(f"{way}, seed {seed}")
        weekly = np.mean(
            [told.by_week(streamed, each["scores"])[: ROUNDS + 1] for each in found], axis=0
        )
        reached[way] = weekly
        cost = np.mean([each["cost"] for each in found])
        blocked = np.mean([each["blocked"] for each in found], axis=0)
        rows.append(
            [
                way,
                *(f"{value:.3f}" for value in weekly),
                f"{weekly[1:].mean():.4f}",
                told.signed(float(weekly[1:].mean() - reached[ALL][1:].mean())),
                f"{blocked[1:].min():,.0f} to {blocked[1:].max():,.0f}",
                f"{cost:,.0f}",
            ]
        )
    return [
        f"Recipe `{recipe}`, {seeds_told(seeds)}. A round is a week of the handbook's quiet days; "
        f"the model is fitted anew on the latest {VISIBLE_DAYS} days whose labels are known, what "
        "was blocked has none. Decisions by the policy without a cap. Reviewed in place of "
        f"blocked: {EXPLORED_SHARE:.0%} of what would be blocked. Another blocked payment is "
        f"learned as a fraud with the share of frauds among the {NEAREST} reviewed ones that are "
        "nearest to it in the last hidden layer. Average precision is within days, the mean over "
        "a week's frauds.",
        table(
            (
                "way",
                *(f"round {number}" for number in range(ROUNDS + 1)),
                "mean of 1 to 6",
                "beside labels of all",
                "blocked frauds a week",
                "cost a day",
            ),
            rows,
        ),
    ]


@dataclass
class _Blocked:
    """Transactions that would have been blocked.

    Attributes:
        unseen: Those that were, nobody will ever label them: when they came, and their features.
        reviewed: Numbers of those that were reviewed in place of it.
    """

    unseen: list[tuple[float, Matrix]] = field(default_factory=list)
    reviewed: list[Rows] = field(default_factory=list)


class _Rounds:
    """A model that goes through the weeks, by one of the ways."""

    def __init__(self, streamed: Streamed, way: str, recipe: str, seed: int) -> None:
        self._streamed, self._way, self._seed = streamed, way, seed
        self._recipe, self._rule = find_recipe(recipe), policy()
        self._random = np.random.default_rng(seed)
        self._blocked = _Blocked()
        self._model: Model | None = None
        self._ready: Model | None = None

    def learn(self, moment: Moment) -> None:
        """What is visible of the latest days, and what is thought of the rest."""
        if self._model is not None and self._way == FROZEN:
            return
        known = moment.latest(VISIBLE_DAYS)
        if self._model is not None and self._way == EXPLORED:
            known = self._with_unseen(known, moment, self._model)
        contract = self._streamed.contract
        self._model = fitted(self._recipe, contract, known, self._seed)
        self._ready = calibrated(self._model, known)

    def decide(self, moment: Moment) -> tuple[Rows, DecisionCodes]:
        """Score and decide what arrives; what is blocked stays without a label, but in `ALL`."""
        assert self._ready is not None
        arrived = moment.arriving()
        scores = scored(self._ready, self._streamed.contract, arrived.features)
        world = self._streamed.world
        world.put_down(arrived, np.repeat(scores[:, None], len(FOLLOWED), axis=1))
        codes = self._rule.decide(scores, arrived.amounts)
        if self._way == EXPLORED:
            drawn = (codes == BLOCKED) & (self._random.random(len(codes)) < EXPLORED_SHARE)
            codes[drawn] = REVIEWED
            self._blocked.reviewed.append(arrived.rows[drawn])
            self._blocked.unseen.append((moment.at, arrived.features[codes == BLOCKED]))
        if self._way in {DROPPED, EXPLORED}:
            world.hide(arrived.rows[codes == BLOCKED])
        return arrived.rows, codes

    def _with_unseen(self, known: Known, moment: Moment, model: Model) -> Known:
        """What is known, and blocked ones of the same days as what they are likely to be."""
        now = moment.at
        since, until = known.event_at[0], now - DELAY_DAYS
        unseen = [rows for at, rows in self._blocked.unseen if since - 1 < at <= until]
        ever = moment.known()
        reviewed = ever.where(np.isin(ever.rows, np.concatenate(self._blocked.reviewed)))
        features = np.concatenate([known.features[:0], *unseen])
        shares = shares_of_frauds(model, reviewed.features, reviewed.labels, features)
        if shares is None:
            return known
        labels = (self._random.random(len(shares)) < shares).astype(np.int8)
        nothing = np.zeros(len(labels))
        return Known(
            np.concatenate([known.features, features]),
            np.concatenate([known.labels, labels]),
            np.concatenate([known.amounts, nothing]),
            np.concatenate([known.event_at, nothing + now]),
            np.concatenate([known.rows, nothing.astype(np.int64) - 1]),
        )


def _run(stream: Stream, way: str, recipe: str, seed: int) -> Found:
    streamed = quiet(stream, JUDGED)
    rounds, first = _Rounds(streamed, way, recipe, seed), streamed.world.first_row
    codes = np.zeros(len(streamed.labels), np.int8)
    for number, moment in enumerate(streamed.world.moments()):
        if number % WEEK_DAYS == 0 and number // WEEK_DAYS <= ROUNDS:
            rounds.learn(moment)
        rows, decided = rounds.decide(moment)
        codes[rows - first] = decided
    costs = policy().costs(codes, streamed.labels, streamed.amounts)
    in_rounds = streamed.period // WEEK_DAYS <= ROUNDS
    is_caught = in_rounds & (codes == BLOCKED) & (streamed.labels == 1)
    is_later = in_rounds & (streamed.period >= WEEK_DAYS)
    return {
        "scores": streamed.world.outcome()[2][:, 0].astype(np.float32),
        "blocked": np.bincount(streamed.period[is_caught] // WEEK_DAYS, minlength=ROUNDS + 1),
        "cost": np.array(costs[is_later].sum() / (ROUNDS * WEEK_DAYS)),
    }
