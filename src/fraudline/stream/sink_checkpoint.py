"""What one owner of a sink's partition leaves to the next, with the committed offset."""

from __future__ import annotations

from typing import NamedTuple

from fraudline.stream.topic_lookup import NO_ID

_NO_STREAM = "-"


class SinkCheckpoint(NamedTuple):
    """What one owner of a partition leaves to the next, as metadata of the committed offset.

    Attributes:
        rows: How many rows of the stream stem from messages before the offset; negative if
            earlier streams hold rows of messages from the offset on: so many are to be skipped.
        stream: Name of the stream; empty if no stream is to be finalized.
        decoder: Fingerprint of the decoder that told rows from rejects.
        topic_id: Which topic the offset is of, as the broker names it; empty where it gives no
            id, or where a sink committed that did not ask for it. It is written behind the
            fingerprint, where such a sink reads on without it.
        table_made_at: When the table was made that holds the rows of messages before the offset,
            as in `Route`; empty where a sink committed that did not ask. It is written so that
            to such a sink it is part of the fingerprint.
    """

    rows: int = 0
    stream: str = ""
    decoder: str = ""
    topic_id: str = NO_ID
    table_made_at: str = ""

    def __str__(self) -> str:
        into = f"#{self.table_made_at}" if self.table_made_at else ""
        of = f"@{self.topic_id}" if self.topic_id else ""
        return f"{self.rows} {self.stream or _NO_STREAM} {self.decoder}{into}{of}"

    @classmethod
    def parse(cls, text: str) -> SinkCheckpoint:
        """Parse a checkpoint as it is written.

        Raises:
            ValueError: the text is not a checkpoint.
        """
        rows, stream, rest = text.split(" ")
        rest, _, topic_id = rest.partition("@")
        decoder, _, made_at = rest.partition("#")
        return cls(int(rows), "" if stream == _NO_STREAM else stream, decoder, topic_id, made_at)
