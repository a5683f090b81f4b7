"""Schemas by their ids: each asked for once, beside whoever needs it, and kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fraudline.contract import RejectReason
from fraudline.errors import SchemaRegistryError, SettingsError
from fraudline.schemas.avro_reader import avro_reader
from fraudline.schemas.plain_values import UnusableSchemaError, encode
from fraudline.settings import SchemaRegistrySettings

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

FRAME_BYTES = 5
"""A zero and the schema's id stand before each message."""

ToJson = Callable[[bytes], bytes]
"""A message as it came, to JSON."""

_TIMEOUT_S = 3.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
_NO_SUCH_SCHEMA = 40403
# A registry of several machines may hear of a new schema a moment after a producer used it.
_ASK_AGAIN_S = 0.5
_REMEMBERED_S = 60.0
_PATIENCE_S = 20.0
_MOST_REFERENCES = 50
_MOST_ANSWERS = 20_000


@dataclass(frozen=True)
class SchemaRefusal:
    """Why no message with an id can be read.

    Attributes:
        reason: The kind of fault.
        why: The fault in words.
        until: When it is asked again, by `time.monotonic`; None: what a schema is never changes.
    """

    reason: RejectReason
    why: str
    until: float | None = None


class SchemaSource:
    """Asks a registry for schemas in a thread of its own, again and again until it answers.

    Args:
        settings: Where the registry is, and how to log in.

    Raises:
        SettingsError: what talks to a registry is not installed.
    """

    def __init__(self, settings: SchemaRegistrySettings) -> None:
        self.url = settings.url
        self._client = _client(settings)
        self._answers: dict[int, ToJson | SchemaRefusal] = {}
        self._wanted: set[int] = set()
        self._changed = threading.Condition()
        self._missed: dict[int, float] = {}
        self._fault = ""
        self._thread: threading.Thread | None = None

    @property
    def fault(self) -> str:
        """Why the registry gives no answer, in words; empty while it does."""
        return self._fault

    def find(self, ids: Collection[int], wait_s: float) -> dict[int, ToJson | SchemaRefusal]:
        """What is known of these ids; those that are not are asked for.

        Args:
            ids: Of schemas.
            wait_s: How long to wait for answers.

        Returns:
            Of each id that is known, what makes JSON of its messages, or why nothing does.
        """
        deadline = time.monotonic() + wait_s
        with self._changed:
            while True:
                known = {one: self._answers[one] for one in ids if self._is_known(one)}
                left = set(ids) - known.keys()
                if not left:
                    return known
                self._wanted |= left
                self._begin()
                self._changed.notify_all()
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    return known

    def require(self, ids: Collection[int]) -> dict[int, ToJson | SchemaRefusal]:
        """The same, for who cannot go on without.

        Raises:
            SchemaRegistryError: the registry did not answer in time.
        """
        found = self.find(ids, _PATIENCE_S)
        if missing := sorted(set(ids) - found.keys()):
            raise SchemaRegistryError(
                f"schema {missing[0]} of {len(missing):,} could not be asked for: {self.fault}. "
                "Nothing was done with messages of it; run the command again once the registry "
                "answers."
            )
        return found

    def _is_known(self, schema_id: int) -> bool:
        answer = self._answers.get(schema_id)
        is_old = isinstance(answer, SchemaRefusal) and answer.until is not None
        if is_old and time.monotonic() > answer.until:  # type: ignore[union-attr,operator] # see above
            return False
        return answer is not None

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._ask, name="schemas", daemon=True)
            self._thread.start()

    def _ask(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            with self._changed:
                while not self._wanted:
                    self._changed.wait()
                wanted = sorted(self._wanted)
            faults = []
            for schema_id in wanted:  # each in its turn: one that fails holds up no other
                try:
                    self._note(schema_id, self._answer(schema_id))
                except Exception as error:  # noqa: BLE001 - whatever the client raises, it is told
                    faults.append(_told(self.url, error))
                    self._fault = faults[0]
            self._fault = faults[0] if faults else ""
            if faults:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                pause_s = _FIRST_PAUSE_S
                time.sleep(_ASK_AGAIN_S if self._missed else 0.0)

    def _note(self, schema_id: int, answer: ToJson | SchemaRefusal | None) -> None:
        if answer is None:
            return
        with self._changed:
            if len(self._answers) >= _MOST_ANSWERS:  # of ids that somebody made up
                self._answers = {
                    one: self._answers[one] for one in self._answers if self._is_known(one)
                }
            self._answers[schema_id] = answer
            self._wanted.discard(schema_id)
            self._changed.notify_all()

    def _answer(self, schema_id: int) -> ToJson | SchemaRefusal | None:
        """What a schema is; None: the registry knows none, and is asked once more."""
        from confluent_kafka.schema_registry import error  # noqa: PLC0415 - of an extra

        answer: ToJson | SchemaRefusal
        try:
            answer = _to_json(self._client, self._client.get_schema(schema_id))
        except error.SchemaRegistryError as fault:
            if fault.error_code != _NO_SUCH_SCHEMA:
                raise
            now = time.monotonic()
            if now - self._missed.setdefault(schema_id, now) < _ASK_AGAIN_S:
                return None
            why = (
                f"the registry at {self.url} has no schema {schema_id}; register it, or see which "
                "one the producer uses, and then `fraudline rejects replay --reason unknown_schema`"
            )
            answer = SchemaRefusal(RejectReason.UNKNOWN_SCHEMA, why, now + _REMEMBERED_S)
        except UnusableSchemaError as unusable:
            why = f"schema {schema_id} cannot be used: {unusable}"
            answer = SchemaRefusal(RejectReason.UNUSABLE_SCHEMA, why)
        self._missed.pop(schema_id, None)
        return answer


def _client(settings: SchemaRegistrySettings) -> SchemaRegistryClient:
    try:
        import fastavro  # noqa: F401, PLC0415 - of an extra, and this is where it is missed
        import grpc_tools  # noqa: F401, PLC0415 - likewise
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise SettingsError(
            f"schema_registry.url is set, but '{error.name}' is not installed, which reads "
            "schemas. Install `pip install 'fraudline[schemas]'`, or take the setting away."
        ) from None
    found: dict[str, Any] = {
        "url": settings.url,
        "timeout": _TIMEOUT_S,
        "max.retries": 0,  # whoever waits is told, so pauses are ours
    }
    if settings.username:
        password = settings.password.get_secret_value()
        found["basic.auth.user.info"] = f"{settings.username}:{password}"
    if settings.ssl_ca_location is not None:
        found["ssl.ca.location"] = str(settings.ssl_ca_location)
    return SchemaRegistryClient(found)


def _told(url: str, error: Exception) -> str:
    """What a registry, or the way to it, did instead of answering; never with credentials."""
    code = getattr(error, "http_status_code", None)
    if code in (401, 403):
        return f"the schema registry at {url} refuses the user of schema_registry ({code})"
    if code is not None:
        return f"the schema registry at {url} answers {code}: {str(error)[:200]}"
    return (
        f"the schema registry at {url} does not answer: {str(error)[:200] or type(error).__name__}"
    )


def _to_json(client: SchemaRegistryClient, schema: Schema) -> ToJson:
    """What makes JSON of messages of a schema.

    Raises:
        UnusableSchemaError: nothing does.
    """
    kind, text = schema.schema_type or "AVRO", schema.schema_str or ""
    if kind == "JSON":
        return lambda message: message[FRAME_BYTES:]
    references = _referenced(client, schema)
    if kind == "AVRO":
        read = avro_reader(text, list(references.values()))
        return lambda message: encode(read(message, FRAME_BYTES))
    if kind == "PROTOBUF":
        from fraudline.schemas.protobuf_reader import protobuf_reader  # noqa: PLC0415 - of an extra

        read = protobuf_reader(text, references)
        return lambda message: encode(read(message, FRAME_BYTES))
    raise UnusableSchemaError(f"it is of type {kind}, expected AVRO, PROTOBUF or JSON")


def _referenced(client: SchemaRegistryClient, schema: Schema) -> dict[str, str]:
    """The schemas that one names, by the names it uses, each behind those that it names itself."""
    found: dict[str, str] = {}
    left = 10 * _MOST_REFERENCES  # many may name the same few

    def visit(one: Schema) -> None:
        nonlocal left
        for reference in one.references or ():
            left -= 1
            if left < 0 or len(found) >= _MOST_REFERENCES:
                raise UnusableSchemaError(f"it refers to more than {_MOST_REFERENCES} others")
            name, subject, number = reference.name, reference.subject, reference.version
            if name is None or subject is None or number is None:
                raise UnusableSchemaError("it refers to another one without its name or version")
            if name not in found:
                version = client.get_version(subject, number, deleted=True)
                visit(version.schema)
                found[name] = version.schema.schema_str or ""

    visit(schema)
    return found
