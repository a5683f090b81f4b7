"""Which version of the model decides in a loop, and what became of the champions since."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class ServedModel:
    """What a scorer knows of its model at one moment. Times are those of `time.time`.

    Attributes:
        version: The one that decides.
        explore_share: Which share of what it would block is reviewed instead.
        since: Since when.
        swaps: How often another version took over while the scorer ran.
        refused: The champion that does not decide, since it cannot be opened; None without one.
        refused_because: Why, in words.
        refusals: How many champions were refused: one for each promotion and reason.
        registry_fault: Why the registry cannot be read at present, in words; None if it can.
        read_at: When it was last read who the champion is.
        challengers: Versions that score beside it and decide nothing.
        challenger_faults: Those that should and do not, and why, in words.
        rollout: The version that is to decide a share of the transactions; None without one.
        rollout_share: Which share.
        rollout_fault: Why it decides none, in words; or, without a rollout, why it is not known
            whether one stands. None if all is as it should be.
        following_fault: Why it was not looked at last what is to be so, in words; None if it was.
    """

    version: str
    explore_share: float = 0.0
    since: float = field(default_factory=time.time)
    swaps: int = 0
    refused: str | None = None
    refused_because: str = ""
    refusals: int = 0
    registry_fault: str | None = None
    read_at: float = field(default_factory=time.time)
    challengers: tuple[str, ...] = ()
    challenger_faults: dict[str, str] = field(default_factory=dict)
    rollout: str | None = None
    rollout_share: float = 0.0
    rollout_fault: str | None = None
    following_fault: str | None = None

    @property
    def fault(self) -> str | None:
        """Why it may be another version than the champion that decides, or what does not score.

        None if all is as it should be.
        """
        if self.refused is not None:
            return f"champion {self.refused} is refused, {self.version} decides on"
        if self.registry_fault is not None:
            return f"the registry cannot be read, {self.version} decides on"
        if self.following_fault is not None:
            return f"{self.following_fault}, {self.version} decides on"
        if self.rollout_fault is not None:
            if self.rollout is not None:
                share = f"{self.rollout} is refused, {self.version} decides its share, too"
            else:
                share = f"{self.rollout_fault}, {self.version} decides all"
            return share
        if self.challenger_faults:
            return f"no live scores of {' and '.join(self.challenger_faults)}"
        return None


class ModelWatch(Protocol):
    """Who wants to know which version decides."""

    def record_model(self, model: ServedModel) -> None:
        """Take what is so from now on; called from any thread."""
