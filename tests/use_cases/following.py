"""What a test asks of something that follows the champion, wherever the registry lies."""

from __future__ import annotations

import datetime as dt
import json

from tests.scoring.test_decider import arrived
from tests.transactions import CARD_ROW, message

from fraudline.stream.progress import Progress
from fraudline.stream.served_model import ServedModel
from fraudline.use_cases.follow_champion import ChampionFollower

NOW = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)


class Following:
    """A follower, what it records, and what it told."""

    progress: Progress
    follower: ChampionFollower
    told: list[str]

    @property
    def model(self) -> ServedModel:
        model = self.progress.snapshot().model
        assert model is not None
        return model

    def look(self) -> None:
        self.follower.look_for_champion(self.told.append)
        self.follower.look_beside(self.told.append)

    def decided_by(self) -> str:
        """The version that a decision names."""
        (outcome,) = self.follower.decider()(arrived(message(CARD_ROW)), NOW)
        return str(json.loads(outcome.value)["model_version"])
