"""Decodes messages that are not quite as the columns of their contract are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from fraudline.contract.columns import Column
from fraudline.contract.decode_faults import Fault
from fraudline.contract.decoder import MAX_MESSAGE_BYTES, Decoder, Row
from fraudline.contract.messages import RefusedValue
from fraudline.contract.plain_messages import PlainMessages, Repeated
from fraudline.contract.rejects import Reject, RejectReason


class MessageDecoder(Decoder):
    """Decodes messages that a contract lets differ from its columns, each in its plain form.

    It refuses what that form is refused for, in the same words.

    Args:
        columns: As for any decoder.
        plain: Brings messages into the form of the columns.
        max_message_bytes: As for any decoder.
        id_columns: Likewise.

    Attributes:
        plain_texts: Of each message of the last call that has one, its plain form.
        cut: Which messages of the last call had something that was ignored.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        plain: PlainMessages,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        *,
        id_columns: Sequence[str] = (),
    ) -> None:
        super().__init__(columns, max_message_bytes, id_columns=id_columns)
        self._plain = plain
        self._places = {column.name: column.source for column in columns if column.source}
        self.plain_texts: dict[int, bytes] = {}
        self.cut: frozenset[int] = frozenset()

    def decode_rows(
        self, messages: Sequence[bytes | None]
    ) -> tuple[list[Row], list[int], list[Reject]]:
        """As any decoder does, of the plain form of each message."""
        texts: dict[int, bytes] = {}
        cut, rejects = [], []
        for index, message in enumerate(messages):
            read = self._read(message)
            if isinstance(read, Fault):
                rejects.append(Reject(index, read.reason, read.message))
                continue
            texts[index], is_cut = read
            if is_cut:
                cut.append(index)
        self.plain_texts, self.cut = texts, frozenset(cut)
        indices = list(texts)
        rows, accepted, refused = super().decode_rows(list(texts.values()))
        rejects += [
            replace(one, index=indices[one.index], message=self._told(one)) for one in refused
        ]
        return rows, [indices[at] for at in accepted], sorted(rejects, key=lambda one: one.index)

    def _read(self, message: bytes | None) -> tuple[bytes, bool] | Fault:
        if message is None or isinstance(message, RefusedValue):
            return self._fault(message, "")
        if len(message) > self._max_message_bytes:
            return self._fault(message, "")
        try:
            read = self._plain.read(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._fault(message, str(error))
        if isinstance(read, Repeated):
            words = f"column '{read.place}' is there more than once"
            return Fault(RejectReason.DUPLICATE_COLUMN, words)
        return read.text, read.is_cut

    def _told(self, reject: Reject) -> str:
        """A refusal with where the message should have the column, if not under its name."""
        for name, place in self._places.items():
            begin = f"column '{name}'"
            if reject.message.startswith((f"{begin}:", f"{begin} ")):
                return reject.message.replace(begin, f"{begin} (from '{place}')", 1)
        return reject.message
