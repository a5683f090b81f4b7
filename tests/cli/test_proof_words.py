"""What `reconcile` says beside its figures fits a narrow screen and is true of every figure."""

from __future__ import annotations

from fraudline.cli.proof_commands import WITHOUT_ROW, taken_on_trust
from fraudline.reconcile.ledger import LedgerCounts


def test_rejects_that_the_message_alone_does_not_show_are_not_all_put_down_to_a_score():
    told = taken_on_trust(LedgerCounts(unseen=1_234_567))
    assert "1,234,567 rejects that only a score, a position or another message shows" in told
    assert "rejects" not in taken_on_trust(LedgerCounts())
    assert max(map(len, told.splitlines())) <= 80


def test_offsets_without_a_row_are_said_to_be_markers_and_aborted_messages_too():
    assert "transaction's end, and messages that were aborted" in WITHOUT_ROW
    assert max(map(len, WITHOUT_ROW.splitlines())) <= 80
