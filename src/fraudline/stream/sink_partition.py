"""What a sink knows of a partition that it owns, and the steps that store its messages.

Each step can be repeated after any transient failure: it does what is left to do.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from fraudline.contract import Decoder, Messages, RejectReason
from fraudline.errors import StreamForgottenError, WarehouseError
from fraudline.stream.kafka_transaction import ProducerRecord
from fraudline.stream.sink_checkpoint import SinkCheckpoint
from fraudline.stream.topic_lookup import NO_ID


class AppendStream(Protocol):
    """A stream of the store, written by this process only."""

    @property
    def name(self) -> str:
        """Its name, by which it can be finalized later."""

    @property
    def sent(self) -> int:
        """How many rows were passed to `send` in all."""

    @property
    def acknowledged(self) -> int:
        """How many of them are known to be stored; always the first ones."""

    def send(self, rows: pa.RecordBatch) -> None:
        """Begin to append rows after all that were sent before."""

    def wait(self, timeout_s: float) -> None:
        """Wait until everything sent is stored, sending it again if need be.

        Raises:
            WarehouseAwayError: not all of it is known to be stored yet: wait again later.
            StreamForgottenError: the stream is gone; it held what was acknowledged, no more.
            StreamFinalizedError: another process has taken over.
            WarehouseError: the store refuses permanently.
        """

    def close(self) -> None:
        """Drop the connection."""


@dataclass(frozen=True)
class Route:
    """Where the messages of a topic go.

    Attributes:
        topic: Topic of JSON messages.
        table: Name of what holds the rows, for people.
        decoder: Decodes them into the store's rows.
        open_stream: Makes a new stream for these rows.
        finalize: Closes a stream permanently, by name; gives the number of its rows.
        are_stored: Whether each of some messages has a row; None where rows do not tell their
            source.
        is_empty: Whether the table has no row.
        table_made_at: When the table was made that has its name now, which tells it from any
            other; empty where that is not known.
        keeps_arrival: Whether a row also says where and when its message arrived.
    """

    topic: str
    table: str
    decoder: Decoder
    open_stream: Callable[[], AppendStream]
    finalize: Callable[[str], int]
    are_stored: Callable[[Messages], list[bool]] | None = None
    is_empty: Callable[[], bool] = lambda: True
    table_made_at: Callable[[], str] = lambda: ""
    keeps_arrival: bool = False


@dataclass
class PendingAppend:
    """Messages that were taken and are not known to be stored yet.

    Attributes:
        start: Offset of the first message.
        position: The offset after the last one.
        sent_at_ms: When each was sent, milliseconds since 1970 UTC.
        rows: The rows of those that could be decoded.
        rejects: A record for each of the others.
        reasons: How many were rejected, by reason.
        end: How many rows the stream holds once these are stored; None until they are sent.
        stored: How many of its rows were not stored by an earlier stream.
    """

    start: int
    position: int
    sent_at_ms: Sequence[int]
    rows: pa.RecordBatch
    rejects: list[ProducerRecord]
    reasons: Counter[RejectReason]
    end: int | None = None
    stored: int = 0


class SinkPartition:
    """One partition: the offset to commit, its stream, and what is on its way there.

    Args:
        route: Where its rows go.
        position: The committed offset.
        checkpoint: What was committed with it.
        topic_id: Which topic it is of.

    Attributes:
        route: Where its rows go.
        topic_id: Which topic it is of.
        table_made_at: Which table holds the rows of messages before the position, as in
            `SinkCheckpoint`.
        position: The offset after the last message that was processed.
        rows: As in `SinkCheckpoint`, for `position` and the current stream.
        is_moved: Whether there is something to commit.
        rejects: Records of rejected messages before `position`, to be committed with it.
    """

    def __init__(
        self, route: Route, position: int, checkpoint: SinkCheckpoint, topic_id: str = NO_ID
    ) -> None:
        self.route = route
        self.topic_id = topic_id
        self.table_made_at = checkpoint.table_made_at
        self.position = position
        self.rows = checkpoint.rows
        self.is_moved = False
        self.rejects: list[ProducerRecord] = []
        self._checkpoint: SinkCheckpoint | None = checkpoint
        self._stream: AppendStream | None = None
        self._is_named = False
        self._pending: deque[PendingAppend] = deque()
        self._used_at = time.monotonic()

    @property
    def next_offset(self) -> int:
        """Where to continue taking messages."""
        return self._pending[-1].position if self._pending else self.position

    @property
    def metadata(self) -> str:
        """What is committed with the offset, for the next owner."""
        name = self._stream.name if self._stream is not None else ""
        decoder = self.route.decoder.fingerprint
        return str(SinkCheckpoint(self.rows, name, decoder, self.topic_id, self.table_made_at))

    @property
    def is_taken_over(self) -> bool:
        """Whether `take_over` was done."""
        return self._checkpoint is None

    @property
    def unstored(self) -> int:
        """How many batches are not known to be stored yet."""
        return len(self._pending)

    def take(self, append: PendingAppend) -> None:
        """Take the next messages."""
        self._pending.append(append)
        self._used_at = time.monotonic()

    def require_table(self, made_at: str) -> None:
        """Refuse another table than the one that holds the rows of messages before the position.

        Args:
            made_at: When the table was made that has its name now. Asked for after a stream was
                created, it speaks for the table that the stream is of: a time never comes back.

        Raises:
            WarehouseError: it is another one.
        """
        known = self.table_made_at
        if known and made_at and known != made_at:
            to = f"`fraudline offsets set sink --topic {self.route.topic} --to"
            after = (
                "" if self.route.are_stored is None else f"{to} stored` begins after its last row, "
            )
            raise WarehouseError(
                f"table {self.route.table} was made at {made_at}, and what sinks have stored of "
                f"topic '{self.route.topic}' is in one that was made at {known}: that was dropped "
                "and made anew, or the settings name another one. Nothing was stored in this one. "
                f"Stop all sinks and say where they go on: {to} start` stores again what the topic "
                f"still holds, {after}{to} committed` goes on without what was stored before. See "
                "'A table was dropped, or made anew' in docs/guides/operations.md."
            )
        self.table_made_at = made_at or known

    def take_over(self) -> None:
        """Fence the last owner, and learn how many rows it stored beyond the offset.

        These rows are skipped by counting, which is right only if the messages from the offset
        on that are rows now are the ones that were rows then.
        """
        checkpoint = self._checkpoint
        if checkpoint is None:
            return
        if checkpoint.stream:
            stored = self.route.finalize(checkpoint.stream)
            if stored < checkpoint.rows:
                raise WarehouseError(
                    f"write stream {checkpoint.stream} holds {stored} rows, but "
                    f"{checkpoint.rows} were acknowledged: BigQuery has lost some. Stop the sink "
                    "and compare with `fraudline reconcile`."
                )
            self.rows = checkpoint.rows - stored
        if self.rows < 0 and not self.route.decoder.continues(checkpoint.decoder):
            raise WarehouseError(
                f"table {self.route.table} holds {-self.rows} rows of topic "
                f"'{self.route.topic}' from offset {self.position} on, stored by a sink that "
                "was killed under another contract, or another fraudline (decoder "
                f"{checkpoint.decoder or 'unknown'}, expected "
                f"{self.route.decoder.fingerprint}), so counting cannot tell which messages "
                "they are. Run `fraudline sink` once with the previous contract and fraudline, "
                "let it catch up, and stop it in order (Ctrl-C); then start it with the new ones."
            )
        self.is_moved = bool(checkpoint.stream)  # only now: else nothing is committed
        self._checkpoint = None

    def collect(self, timeout_s: float) -> list[PendingAppend]:
        """Wait until what was sent is stored, and move past it.

        Returns:
            What is stored now.
        """
        if self._stream is None:
            return []
        try:
            self._stream.wait(timeout_s)
        except StreamForgottenError:
            self._advance()
            self._abandon_stream()
            raise
        return self._advance()

    def open(self) -> None:
        """Create a stream if there is something to send and no stream to send it to."""
        if self._stream is None and self._pending:
            self._stream = self.route.open_stream()
            self._is_named = False
            self.position = self._pending[0].start
            self.is_moved = True

    @property
    def is_unnamed(self) -> bool:
        """Whether the stream's name must be committed before its first append."""
        return self._stream is not None and not self._is_named

    def committed(self) -> None:
        """Note that position, metadata and rejects are committed."""
        self.is_moved = False
        self.rejects = []
        self._is_named = True

    def send(self) -> None:
        """Begin to store what was taken, without the rows that earlier streams hold."""
        if self._stream is None:
            return
        assert self._is_named
        rows = self.rows
        for append in self._pending:
            if append.end is None:
                unstored = append.rows.slice(min(max(0, -rows), append.rows.num_rows))
                if unstored.num_rows:
                    self._stream.send(unstored)
                append.stored = max(append.stored, unstored.num_rows)
                append.end = self._stream.sent
            rows += append.rows.num_rows

    def release(self, idle_s: float = 0) -> None:
        """Depend on the stream no longer, if everything that was sent to it is stored.

        Nobody else writes to it and nothing is on its way to it, so it holds exactly what was
        acknowledged: it need not be finalized, and there is no one to fence.

        Args:
            idle_s: Only if nothing was taken for this long, seconds.
        """
        if self._stream is None or time.monotonic() - self._used_at < idle_s:
            return
        if self._stream.acknowledged == self._stream.sent:
            self._abandon_stream()

    def close(self) -> None:
        """Drop the connection."""
        if self._stream is not None:
            self._stream.close()

    def _advance(self) -> list[PendingAppend]:
        assert self._stream is not None
        stored = []
        while self._pending:
            append = self._pending[0]
            if append.end is None or append.end > self._stream.acknowledged:
                break
            stored.append(self._pending.popleft())
            self.position = append.position
            self.rows += append.rows.num_rows
            self.rejects += append.rejects
            self.is_moved = True
        return stored

    def _abandon_stream(self) -> None:
        """Continue without the stream: its rows from `position` on are to be skipped."""
        assert self._stream is not None
        self._stream.close()
        self.rows -= self._stream.acknowledged
        self._stream = None
        self.is_moved = True
        for append in self._pending:
            append.end = None
