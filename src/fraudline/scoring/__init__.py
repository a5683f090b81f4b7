"""Scoring: transactions and a bundle to decisions.

Takes an Arrow batch of transactions; gives a score and a decision for each row, and reasons
for each that is not approved. Pure: never waits, stores, logs or looks at a clock. The stream,
`predict`, evaluation and the notebooks all go through `assess_numbers`, so what was tested
offline is what runs online.
"""

from fraudline.bundle.reason_sentences import Reason
from fraudline.scoring.assess import Assessment, as_history, assess
from fraudline.scoring.decider import Decider
from fraudline.scoring.judge import Judge, Verdict
from fraudline.scoring.live_challengers import LiveChallenger
from fraudline.scoring.reasons import reasons
from fraudline.scoring.repeats import Recall, RepeatMemory
from fraudline.scoring.rollout_judge import RolloutJudge

__all__ = [
    "Assessment",
    "Decider",
    "Judge",
    "LiveChallenger",
    "Reason",
    "Recall",
    "RepeatMemory",
    "RolloutJudge",
    "Verdict",
    "as_history",
    "assess",
    "reasons",
]
