"""Which rows a model is fitted on, tuned on and judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from fraudline.contract.array_types import Flags, Labels
from fraudline.errors import InputError
from fraudline.measures.drawn_rows import times

Rows = npt.NDArray[np.int64]

VALIDATION_SHARE = 0.2
MIN_FRAUDS = 6  # SMOTE places a new fraud among a fraud's five nearest


@dataclass(frozen=True)
class Split:
    """Row numbers of each part of the history; a part may be empty.

    Attributes:
        train: What scaler and network are fitted on.
        validation: What stopping, calibration and threshold are chosen by.
        test: What nothing is chosen by.
        is_random: Whether parts lie in each other's time, so that a row of one may have an
            exact twin in another by the draw alone.
    """

    train: Rows
    validation: Rows
    test: Rows
    is_random: bool = False

    @property
    def parts(self) -> dict[str, Rows]:
        """The parts that have rows, by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: rows for name, rows in named.items() if len(rows)}

    def of(self, kept: Flags) -> Split:
        """The same of a history of which only some rows are kept, shape (rows,)."""
        place = np.cumsum(kept) - 1
        train, validation, test = (
            place[rows[kept[rows]]] for rows in (self.train, self.validation, self.test)
        )
        return replace(self, train=train, validation=validation, test=test)

    @property
    def judged_by(self) -> str:
        """The part whose figures stand for the model: `test`, or `validation` without one."""
        return "test" if len(self.test) else "validation"


def split_by_time(labels: npt.NDArray[np.int8], test_share: float, seed: int) -> Split:
    """The last rows are the test, the last 20 % of those before them the validation part.

    Args:
        labels: One a row, in order of event time.
        test_share: 0 where the caller keeps the test rows to itself.
        seed: Not used: time leaves nothing to chance.
    """
    del seed
    test_at = int(len(labels) * (1 - test_share))
    validation_at = int(test_at * (1 - VALIDATION_SHARE))
    rows = np.arange(len(labels))
    return Split(rows[:validation_at], rows[validation_at:test_at], rows[test_at:])


def split_by_time_in_two(labels: npt.NDArray[np.int8], test_share: float, seed: int) -> Split:
    """The last rows are the test, all before them the train part; nothing is chosen.

    Args:
        labels: One a row, in order of event time.
        test_share: More than 0.
        seed: Not used: time leaves nothing to chance.

    Raises:
        InputError: `test_share` is 0, which would leave nothing to judge the model by.
    """
    _check_test_share(test_share)
    split = split_by_time(labels, test_share, seed)
    learned = np.concatenate([split.train, split.validation])
    return replace(split, train=learned, validation=learned[:0])


def split_at_random(labels: npt.NDArray[np.int8], test_share: float, seed: int) -> Split:
    """A random test part with the same share of frauds, and no validation part.

    Raises:
        InputError: `test_share` is 0, which would leave nothing to judge the model by, or
            there are too few frauds.
    """
    _check_test_share(test_share)
    try:
        train, test = train_test_split(
            np.arange(len(labels)), test_size=test_share, stratify=labels, random_state=seed
        )
    except ValueError:
        raise InputError(
            f"{int(labels.sum())} frauds among {len(labels)} transactions are too few for a "
            f"random split with a test share of {test_share}. Take a longer period."
        ) from None
    return Split(np.sort(train), np.arange(0), np.sort(test), is_random=True)


def _check_test_share(test_share: float) -> None:
    if test_share == 0:
        raise InputError(
            "this recipe has no validation part, so with a test share of 0 nothing is left "
            "to judge the model by. Give a test share above 0, or take the recipe 'default'."
        )


def split_drawn(
    split: Callable[[Labels, float, int], Split],
    labels: Labels,
    one_in: int,
    test_share: float,
    seed: int,
    *,
    has_time: bool = True,
) -> Split:
    """The split of rows of which the legitimate ones were drawn, where it is in all of them.

    Args:
        split: Of a recipe. A random one, with the same share of frauds in each part, is the same
            among the rows that were drawn.
        labels: One a row that was drawn, in order of event time.
        one_in: Of the legitimate rows one in so many was.
        test_share: As for the split.
        seed: Likewise.
        has_time: Whether they are in order of event time, or in one that was drawn: then a split
            by their order is a random one.
    """
    if not has_time:
        found = split_drawn(split, labels, one_in, test_share, seed)
        return replace(found, is_random=True)
    drawn = split(labels, test_share, seed)
    if one_in == 1 or drawn.is_random:
        return drawn
    often = times(labels, one_in)
    whole = split(np.repeat(labels, often), test_share, seed)
    part = np.zeros(often.sum(), np.int8)
    part[whole.validation], part[whole.test] = 1, 2
    of_drawn = part[np.cumsum(often) - often]  # a row is where the first that it stands for is
    train, validation, test = (np.flatnonzero(of_drawn == number) for number in range(3))
    return replace(whole, train=train, validation=validation, test=test)


def check_split(split: Split, labels: npt.NDArray[np.int8]) -> None:
    """Refuse parts from which nothing can be learned or told.

    Raises:
        InputError: a part has too few frauds, or no legitimate transaction.
    """
    for name, rows in split.parts.items():
        frauds = int(labels[rows].sum())
        least = MIN_FRAUDS if name == "train" else 1
        if frauds < least or frauds == len(rows):
            raise InputError(
                f"the {name} part of the history has {frauds} frauds among {len(rows)} "
                f"transactions; expected at least {least} and at least one legitimate "
                "transaction. Take a longer period, or another test share."
            )


def drop_twins(split: Split, twins: Rows) -> Split:
    """The split without the twins in its test part, where the draw alone made them.

    A model that is asked for what it was told shows memory. Where time divides the parts, a
    twin is a payment that came again, as it will in flight, and stays.

    Args:
        split: Any.
        twins: As `find_twins` gives them.
    """
    return replace(split, test=np.setdiff1d(split.test, twins)) if split.is_random else split


def find_twins(features: npt.NDArray[np.float32], split: Split) -> Rows:
    """Rows of the part that judges with an exact twin, feature by feature, in another part."""
    judged = split.parts[split.judged_by]
    others = [rows for name, rows in split.parts.items() if name != split.judged_by]
    seen = {row.tobytes() for row in features[np.concatenate(others)]}
    return np.array([row for row in judged if features[row].tobytes() in seen], dtype=np.int64)
