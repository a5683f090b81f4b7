"""A version beside the champion, and the champion beside it: who of the two is proved better."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from fraudline.measures.challenge import Challenge, DayOfOne
from fraudline.measures.fair_bet import FairBet
from fraudline.use_cases.compare_versions import PairSums

if TYPE_CHECKING:
    from fraudline.contract.array_types import Floats, Labels


@dataclass(frozen=True)
class BothWays:
    """What was found of both versions, and the same bet the other way round.

    Attributes:
        found: Of the version beside the champion.
        back: The bet that the champion ranks better.
        sums: What both took, and left open.
    """

    found: Challenge = field(default_factory=Challenge)
    back: FairBet = field(default_factory=FairBet)
    sums: PairSums = field(default_factory=PairSums)

    def after(
        self,
        day: int,
        labels: Labels,
        champion: DayOfOne,
        challenger: DayOfOne,
        costs_of_approving: Floats,
    ) -> BothWays:
        """Both after another day; as `Challenge.after`."""
        return replace(
            self,
            found=self.found.after(day, labels, champion, challenger, costs_of_approving),
            back=self.back.after(day, labels, challenger.scores, champion.scores),
        )


decode_both_ways = msgspec.json.Decoder(BothWays).decode
