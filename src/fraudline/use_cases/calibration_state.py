"""What a bet on calibrations goes on from: what was found so far, and how money was taken for it.

It is written with each period, since the version that judged may be removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fraudline.bundle.manifest import UNITS_ALIKE, Manifest
from fraudline.contract import Period
from fraudline.measures.calibration_bet import CalibrationChallenge

_decode_challenge = msgspec.json.Decoder(CalibrationChallenge).decode


class Money(msgspec.Struct, frozen=True):
    """How a calibration takes money; a bet is on one way of it.

    Attributes:
        of: The version whose network it has.
        unit: What money is divided by before that.
    """

    of: str
    unit: float = 1.0

    @classmethod
    def of_version(cls, version: Manifest) -> Money | None:
        """That of a version; None if it is no calibration."""
        made = version.calibrated
        return cls(made.of, made.unit or 1.0) if made else None

    def is_like(self, other: Money) -> bool:
        """Whether both have one network and money comes to it alike, as far as chance lets it."""
        return self.of == other.of and 1 / UNITS_ALIKE < self.unit / other.unit < UNITS_ALIKE


class _MoneyOfState(msgspec.Struct):
    """How the calibration takes money that judged last; rows of before do not say it."""

    money: Money | None = None


_decode_money = msgspec.json.Decoder(_MoneyOfState).decode


def so_far(
    last: dict[str, Any] | None, period: Period, before: Money | None, money: Money | None
) -> tuple[CalibrationChallenge, str]:
    """What the periods before have found, if that stands for this one; and if not why, in words.

    Args:
        last: The row of the period before; None if this is the first.
        period: This one.
        before: How the calibration takes money that judged last; None if nobody knows.
        money: How the one does that judges this period; None if none does.
    """
    if last is None:
        return CalibrationChallenge(), ""
    found = _decode_challenge(last["state"])
    length = last["period_end"] - last["period_start"]
    why = ""
    if length != period.length:
        why = f"periods of {period.length} instead of {length}"
    if money is not None and before is None:
        why = "how the calibration took money that judged before is written nowhere any more"
    elif money is not None and before is not None and not money.is_like(before):
        why = f"money is divided by {money.unit:.3g} instead of {before.unit:.3g}"
        if money.of != before.of:
            why = f"the network is {money.of} instead of {before.of}"
    if not why or found == CalibrationChallenge():
        return found, ""
    was = f"at wealth 1 instead of {found.calibration.wealth:,.2f}"
    return CalibrationChallenge(), f"begins anew, {was}: {why}; "


def money_before(last: dict[str, Any] | None, manifests: Mapping[str, Manifest]) -> Money | None:
    """How the calibration takes money that judged last, if it is known, be it there or removed."""
    if last is None:
        return None
    known = _decode_money(last["state"]).money
    if known is None and last["version"] in manifests:  # rows of before do not say it
        known = Money.of_version(manifests[last["version"]])
    return known


def state_text(found: CalibrationChallenge, money: Money | None) -> str:
    """What is written of a period, for the next one to go on from."""
    content = {**msgspec.to_builtins(found), "money": money}
    return msgspec.json.encode(content).decode()
