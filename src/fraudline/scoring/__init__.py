"""Scoring: transactions and a bundle to decisions.

Takes an Arrow batch of transactions; gives a score and a decision for each row. Pure: never
waits, stores, logs or looks at a clock. The stream, `predict`, evaluation and the notebooks
all go through `assess`, so what was tested offline is what runs online.
"""

from fraudline.scoring.assess import APPROVE, BLOCK, Assessment, as_history, assess
from fraudline.scoring.decide import Decider, Outcome, reject_record, usable_key
from fraudline.scoring.repeats import FirstDecisions

__all__ = [
    "APPROVE",
    "BLOCK",
    "Assessment",
    "Decider",
    "FirstDecisions",
    "Outcome",
    "as_history",
    "assess",
    "reject_record",
    "usable_key",
]
