"""What an earlier fraudline left in topics and committed offsets is still read as it was meant.

The literals were written by commit 6debd8c. They are not to be changed: topics and consumer
groups out there hold such ones.
"""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from tests.transactions import WALLET

from fraudline import flows
from fraudline.contract import RejectRecord
from fraudline.reconcile.stages import _source
from fraudline.scoring import Recall, RepeatMemory
from fraudline.stream.pending_rejects import source_position
from fraudline.stream.sink_checkpoint import SinkCheckpoint

DECISION = (
    b'{"payment_id":"p-1","paid_at":"2026-01-02T03:04:05.678901Z","amount_minor":1250,'
    b'"velocity":1.5,"distance_km":2.0,"is_abroad":true,"risk_note":null,'
    b'"merchant":"Caf\xc3\xa9 \\"Zur Post\\" {}","transaction_id":"p-1",'
    b'"source_topic":"transactions","source_partition":2,"source_offset":10411,"score":0.0,'
    b'"decision":"approve","threshold":0.5,"model_version":"wallet-tiny-604bc6f6c053",'
    b'"reasons":null,"repeat_of":null,"received_at":"2025-11-30T10:53:20.123000Z",'
    b'"decided_at":"2026-11-30T12:00:00.000005Z"}'
)
REPEAT = DECISION.replace(b'"repeat_of":null', b'"repeat_of":"transactions:2:10398"')
REJECT = (
    b'{"source_topic":"transactions","source_partition":2,"source_offset":10413,'
    b'"reason":"not_an_object","message":"expected one JSON object a message, found int",'
    b'"original":"MTIsNTA=","original_size_bytes":5,"original_key":"/w==",'
    b'"received_at":"2025-11-30T10:53:20.999000Z","rejected_at":"2026-11-30T12:00:00.000005Z"}'
)
MARKER = (
    b'{"source_topic":"transactions","source_partition":2,"source_offset":10413,'
    b'"reason":"replayed","message":"sent again as transactions:2:77","original":"",'
    b'"original_size_bytes":5,"original_key":null,"received_at":"2025-11-30T10:53:20.999000Z",'
    b'"rejected_at":"2026-11-30T13:00:00Z"}'
)
LABEL = (
    b'{"contract":"wallet","transaction_id":"p-1","label":"fraud","source":"chargeback",'
    b'"known_at":"2026-11-02T09:00:00Z","told_by":"acquirer"}'
)
STREAM = "projects/p/datasets/fraud/tables/decisions/streams/Cic4"


@pytest.mark.parametrize(
    ("metadata", "checkpoint"),
    [
        (f"137 {STREAM} 43552bf1c8cc", SinkCheckpoint(137, STREAM, "43552bf1c8cc")),
        ("0 - 43552bf1c8cc", SinkCheckpoint(0, "", "43552bf1c8cc")),
        ("-12 - 43552bf1c8cc", SinkCheckpoint(-12, "", "43552bf1c8cc")),
        (  # since it asks for the topic's id; a sink of before reads on in the third word
            f"137 {STREAM} 43552bf1c8cc@5229ADs8SAWvx1ANg8XmrQ",
            SinkCheckpoint(137, STREAM, "43552bf1c8cc", "5229ADs8SAWvx1ANg8XmrQ"),
        ),
        (  # since it asks which table it is
            "0 - 43552bf1c8cc#2026-11-30T12:00:00.123Z@5229ADs8SAWvx1ANg8XmrQ",
            SinkCheckpoint(
                0, "", "43552bf1c8cc", "5229ADs8SAWvx1ANg8XmrQ", "2026-11-30T12:00:00.123Z"
            ),
        ),
    ],
)
def test_what_a_sink_committed_with_its_offset_is_read_and_written_alike(
    metadata: str, checkpoint: SinkCheckpoint
) -> None:
    assert SinkCheckpoint.parse(metadata) == checkpoint
    assert str(checkpoint) == metadata


@pytest.mark.parametrize("metadata", ["", "137", "137 -", f"x {STREAM} abc", "1 - abc more"])
def test_what_another_program_committed_is_no_checkpoint(metadata: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|invalid literal"):
        SinkCheckpoint.parse(metadata)


@pytest.mark.parametrize(
    ("value", "repeat_of"), [(DECISION, None), (REPEAT, "transactions:2:10398")]
)
def test_a_decision_is_stored_as_the_row_that_it_was(value: bytes, repeat_of: str | None) -> None:
    rows, _, rejects = flows.DECISIONS.decoder(WALLET).decode([value])
    assert rejects == []
    (row,) = rows.to_pylist()
    assert row["merchant"] == 'Café "Zur Post" {}'
    assert (row["score"], row["decision"], row["threshold"]) == (0.0, "approve", 0.5)
    assert (row["source_topic"], row["source_partition"]) == ("transactions", 2)
    assert (row["source_offset"], row["repeat_of"]) == (10411, repeat_of)
    assert row["decided_at"] == dt.datetime(2026, 11, 30, 12, 0, 0, 5, tzinfo=dt.UTC)


def test_a_decision_is_remembered_so_that_a_repeat_of_it_is_known() -> None:
    memory = RepeatMemory(WALLET, 100)
    assert memory.restore("transactions", 2, range(10_400, 10_500), [DECISION]) == Recall(whole=1)
    assert memory.reached(2) == 10_411


@pytest.mark.parametrize("value", [REJECT, MARKER])
def test_a_reject_and_the_marker_that_it_was_sent_again_are_stored_as_the_rows_that_they_were(
    value: bytes,
) -> None:
    rows, _, rejects = flows.REJECTS.decoder(WALLET).decode([value])
    assert rejects == []
    record = RejectRecord(*rows.to_pylist()[0].values())
    assert str(source_position(record)) == "transactions:2:10413"
    assert msgspec.json.encode(record) == value


def test_a_label_without_what_may_be_null_is_a_row_and_one_with_more_is_a_reject() -> None:
    """Anybody may write labels, so one with an unknown column never stops a sink."""
    decoder = flows.LABELS.decoder(WALLET)
    more = LABEL[:-1] + b',"transaction_received_at":null,"note":null,"more":1}'
    word = LABEL.replace(b'"fraud"', b'"stolen"')
    long_note = LABEL[:-1] + b',"note":"' + b"x" * 1001 + b'"}'
    rows, accepted, rejects = decoder.decode([LABEL, more, word, long_note, b"x" * 20_000])
    assert accepted == [0]
    assert (rows["transaction_id"][0].as_py(), rows["note"][0].as_py()) == ("p-1", None)
    assert [reject.reason for reject in rejects] == [
        "unknown_column",
        "out_of_range",
        "out_of_range",
        "too_large",
    ]
    assert rejects[1].message == (
        "column 'label': expected one of fraud, legitimate, withdrawn, found 'stolen'"
    )
    assert decoder.newer_column(more) is None


@pytest.mark.parametrize("value", [DECISION, REJECT, MARKER])
def test_the_live_ledger_finds_the_message_that_a_record_stems_from(value: bytes) -> None:
    source = _source(value)
    assert (source.source_topic, source.source_partition) == ("transactions", 2)
    assert source.source_offset in {10_411, 10_413}


def test_a_sink_of_before_and_one_of_now_take_their_decoders_for_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the rows of one that was killed before an upgrade could not be skipped after it."""
    monkeypatch.setattr(msgspec, "__version__", "0.22.0")  # part of a fingerprint
    decoders = {flow.name: flow.decoder(WALLET) for flow, _ in flows.stored_flows()}
    released = {
        "decisions": "43552bf1c8cc",  # without its last columns, which may be null
        "rejects": "d112f22cdbe7",
        "predictions": "67ba6027b590",
        "labels": "2c9b6c5a511c",
    }
    assert decoders.keys() == released.keys()
    for name, decoder in decoders.items():
        assert decoder.continues(released[name]), name
        assert decoder.fingerprint == released[name] or name == "decisions"
