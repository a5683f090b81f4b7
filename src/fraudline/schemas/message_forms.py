"""Messages in the form that their producers chose, to JSON, the one form that is decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fraudline.contract import Messages, RefusedValue, RejectReason
from fraudline.contract.decoder import MAX_MESSAGE_BYTES
from fraudline.schemas.plain_values import MalformedError
from fraudline.schemas.schema_source import FRAME_BYTES, SchemaRefusal, SchemaSource, ToJson
from fraudline.settings import SchemaRegistrySettings

_MAGIC = b"\0"
_GUID = b"\x01"  # the byte before an id of 16 bytes
_FIRST_BYTES = (_MAGIC, _GUID)
_WAIT_S = 1.0


@dataclass(frozen=True)
class Awaited:
    """What the messages of a partition wait for.

    Attributes:
        offset: The first message that waits.
        schema_id: The schema that it is written by.
    """

    offset: int
    schema_id: int


class MessageForms:
    """Makes JSON of messages that begin as a schema registry's clients write them.

    All others are left as they are: JSON begins with no zero. So a topic may hold both.

    Args:
        settings: Of the registry.

    Raises:
        SettingsError: what reads schemas is not installed.
    """

    def __init__(self, settings: SchemaRegistrySettings) -> None:
        self._source = SchemaSource(settings)
        self._by_frame: dict[bytes, ToJson] = {}

    @property
    def fault(self) -> str:
        """Why the registry gives no answer, in words; empty while it does."""
        return self._source.fault

    def translate(self, messages: Messages) -> Messages:
        """All of the messages as JSON.

        Raises:
            SchemaRegistryError: the registry did not answer in time.
        """
        came = messages.values
        values = self.as_json(came)
        return messages if values is came else replace(messages, values=values, originals=came)

    def as_json(self, values: Sequence[bytes | None]) -> Sequence[bytes | None]:
        """The values of all messages as JSON; the same object if they are that already.

        Raises:
            SchemaRegistryError: the registry did not answer in time.
        """
        return self._translated(values, self._look_up(values, is_required=True) or {})

    def translate_known(self, messages: Messages) -> tuple[Messages, dict[int, Awaited]]:
        """As many of the messages as the schemas that are known, or answered at once, allow.

        Returns:
            Those messages as JSON; and of each partition whose messages have to wait what for. None
            of these is among the former.
        """
        refused = self._look_up(messages.values, is_required=False)
        awaited: dict[int, Awaited] = {}
        if refused is not None:
            kept = []
            pairs = zip(messages.values, messages.partitions, strict=True)
            for index, (value, partition) in enumerate(pairs):
                frame = _frame(value)
                if partition in awaited:
                    continue
                if frame is None or frame in self._by_frame or frame in refused:
                    kept.append(index)
                else:
                    awaited[partition] = Awaited(messages.offsets[index], _id_of(frame))
            messages = messages.take(kept) if awaited else messages
        came = messages.values
        values = self._translated(came, refused or {})
        if values is not came:
            messages = replace(messages, values=values, originals=came)
        return messages, awaited

    def is_answered(self, schema_id: int) -> bool:
        """Whether it is known by now what a schema is, or that there is none."""
        return bool(self._source.find([schema_id], 0.0))

    def _look_up(
        self, values: Sequence[bytes | None], *, is_required: bool
    ) -> dict[bytes, SchemaRefusal] | None:
        """Learn of schemas that are not known yet; None: there are none of them."""
        frames = {_frame(value) for value in values} - self._by_frame.keys() - {None}
        if not frames:
            return None
        ids = {_id_of(frame): frame for frame in frames if frame is not None}
        wait_s = 0.0 if self.fault else _WAIT_S
        found = self._source.require(ids) if is_required else self._source.find(ids, wait_s)
        refused = {}
        for schema_id, answer in found.items():
            if isinstance(answer, SchemaRefusal):
                refused[ids[schema_id]] = answer
            else:
                self._by_frame[ids[schema_id]] = answer
        return refused

    def _translated(
        self, values: Sequence[bytes | None], refused: Mapping[bytes, SchemaRefusal]
    ) -> Sequence[bytes | None]:
        if any(value is not None and value[:1] in _FIRST_BYTES for value in values):
            return [self._as_json(value, refused) for value in values]
        return values

    def _as_json(self, value: bytes | None, refused: Mapping[bytes, SchemaRefusal]) -> bytes | None:
        frame = _frame(value)
        if value is None or frame is None:
            return _unframed(value)
        if len(value) > MAX_MESSAGE_BYTES:
            return value  # the decoder refuses it by its size
        refusal = refused.get(frame)
        if refusal is not None:
            return RefusedValue(refusal.reason, refusal.why)
        try:
            return self._by_frame[frame](value)
        except MalformedError as error:
            why = f"the message does not fit its schema {_id_of(frame)}: {error}"
        except RecursionError:
            why = "the message is nested too deeply"
        return RefusedValue(RejectReason.INVALID_ENCODING, why)


def _id_of(frame: bytes) -> int:
    return int.from_bytes(frame[1:])


def _frame(value: bytes | None) -> bytes | None:
    """The zero and the id before a message; None where there are none."""
    if value is None or value[:1] != _MAGIC or len(value) < FRAME_BYTES:
        return None
    return value[:FRAME_BYTES]


def _unframed(value: bytes | None) -> bytes | None:
    """What has no id: JSON as ever, or a fault that its first byte tells."""
    if value is not None and value[:1] == _MAGIC:
        why = f"the message begins with byte 0 and ends after {len(value)}, expected an id in 4"
        return RefusedValue(RejectReason.INVALID_ENCODING, why)
    if value is not None and value[:1] == _GUID:
        why = (
            "the message begins with byte 1, before a schema's GUID, which is not read; expected "
            "byte 0 and its id, as serialisers write by default, or JSON"
        )
        return RefusedValue(RejectReason.INVALID_ENCODING, why)
    return value
