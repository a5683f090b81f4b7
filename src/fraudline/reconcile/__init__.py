"""The reconciliation: a proof that nothing was lost, doubled or altered on the way.

Takes what was sent (a topic, or a file of predictions) and what BigQuery holds; gives a
count of each kind of disagreement, with examples. Reads only; never repairs.
"""

from fraudline.reconcile.follow import Colour, Follower, Status
from fraudline.reconcile.ledger import Ledger, PartitionLedger
from fraudline.reconcile.reconcile import ledger_sql, reconcile, reconcile_when_complete
from fraudline.reconcile.verify import Verification, verify

__all__ = [
    "Colour",
    "Follower",
    "Ledger",
    "PartitionLedger",
    "Status",
    "Verification",
    "ledger_sql",
    "reconcile",
    "reconcile_when_complete",
    "verify",
]
