"""The reconciliation: a proof that nothing was lost, doubled or altered on the way.

Takes what was sent (a topic, or a file of predictions) and what BigQuery holds; gives a
count of each kind of disagreement, with examples. Only reads; never repairs.
"""

from fraudline.reconcile.follow import Colour, Follower, FollowStatus
from fraudline.reconcile.label_proof import LabelLedger, reconcile_labels
from fraudline.reconcile.ledger import Ledger, PartitionLedger
from fraudline.reconcile.reconcile import ledger_sql, reconcile, reconcile_when_complete
from fraudline.reconcile.verify_predictions import Verification, verify_predictions

__all__ = [
    "Colour",
    "FollowStatus",
    "Follower",
    "LabelLedger",
    "Ledger",
    "PartitionLedger",
    "Verification",
    "ledger_sql",
    "reconcile",
    "reconcile_labels",
    "reconcile_when_complete",
    "verify_predictions",
]
