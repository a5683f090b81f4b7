"""Faults on request: what a network or a busy BigQuery does to a call, at a moment a test chooses.

A server has them only if it was started with `--faults`. Each call passes `before` and `after`;
what is armed there, the fronts turn into a broken connection or an error as they do with any other.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import msgspec

from bqlite.errors import BqliteError, EndingError, InvalidError

MAX_ARMED = 100
# https://cloud.google.com/bigquery/docs/error-messages: (gRPC code, HTTP status, REST's reason).
CODES = {
    "UNAVAILABLE": (14, 503, "backendError"),
    "RESOURCE_EXHAUSTED": (8, 403, "rateLimitExceeded"),
    "INTERNAL": (13, 500, "internalError"),
}


class ConnectionLostError(BqliteError):
    """The connection breaks; the client hears what gRPC says then, or a closed socket."""

    grpc_code = 14

    def __init__(self) -> None:
        super().__init__("Socket closed")


class InjectedError(BqliteError):
    """An error of BigQuery's own making.

    Google documents INTERNAL and RESOURCE_EXHAUSTED as answers to one append, after which the
    connection lives on; UNAVAILABLE ends the call.
    """

    def __init__(self, code: str, call: str) -> None:
        super().__init__(
            f"{code}: {call} was told so by an armed fault; the request may be retried"
        )
        self.grpc_code, self.status, self.reason = CODES[code]
        self.ends_connection = code == "UNAVAILABLE"


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to which calls.

    Attributes:
        call: Google's name: `AppendRows`, `jobs.query`, `tabledata.insertAll` ...
        effect: `drop`: the connection breaks before the work. `lose_answer`: after it.
            `hold_answer`: the work is done, and its answer waits until the faults are cleared.
            `delay`: the work waits. `error`: instead of the work. `expire_stream`: the write stream
            the call names is forgotten for good, then the work.
        entity: Only calls whose stream, table or path contains this text.
        code: The error's, a key of `CODES`.
        delay_s: How long the work waits.
        nth: The first matching call it happens to, counted from 1 since it was armed.
        times: To how many calls it happens; None is without end.
        probability: The chance of each call from the n-th on.
        seed: What the chances are drawn from.
    """

    call: str
    effect: Literal["drop", "lose_answer", "hold_answer", "delay", "error", "expire_stream"]
    entity: str = ""
    code: Literal["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL"] = "UNAVAILABLE"
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    nth: Annotated[int, msgspec.Meta(ge=1)] = 1
    times: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    seed: int = 0


_decode_fault = msgspec.json.Decoder(Fault).decode


class Armed:
    """A fault that waits for its calls.

    Attributes:
        fault: What happens to which calls.
        seen: How many matching calls came.
        fired: To how many of them it happened.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = self.fired = 0
        self._random = random.Random(fault.seed)  # noqa: S311  # repeatable, not secret

    def strikes(self, call: str, entity: str) -> bool:
        """Counts the call if it matches, and says whether the fault happens to it."""
        fault = self.fault
        if fault.call != call or fault.entity not in entity:
            return False
        self.seen += 1
        if self.seen < fault.nth or self.fired == fault.times:
            return False
        if self._random.random() >= fault.probability:
            return False
        self.fired += 1
        return True


class Faults:
    """The faults of a server.

    Args:
        forget_stream: Removes a write stream.

    Attributes:
        calls: The names of the calls that can be given one, told by the fronts.
    """

    def __init__(self, forget_stream: Callable[[str], None]) -> None:
        self.calls: set[str] = set()
        self._forget_stream = forget_stream
        self._armed: list[Armed] = []
        self._lock = threading.Lock()
        self._cleared = threading.Event()
        self._is_closed = False

    def arm(self, text: bytes) -> None:
        """Adds the fault in a JSON text.

        Raises:
            InvalidError: It says nothing sensible, or too many are armed.
            EndingError: The server ends.
        """
        try:
            fault = _decode_fault(text)
        except msgspec.MsgspecError as error:
            raise InvalidError(f"fault: {error}") from error
        if fault.call not in self.calls:
            known = ", ".join(sorted(self.calls))
            raise InvalidError(f"fault: '{fault.call}' is not a call; the calls are {known}")
        with self._lock:
            if self._is_closed:
                raise EndingError
            if len(self._armed) == MAX_ARMED:
                raise InvalidError(f"fault: {MAX_ARMED} faults are armed already; clear them first")
            self._armed.append(Armed(fault))

    def clear(self) -> None:
        """Disarms everything and lets go of what is delayed or held."""
        with self._lock:
            self._armed = []
            self._cleared.set()
            self._cleared = threading.Event()

    def close(self) -> None:
        """Clears, and arms no more: nothing that is held would ever be let go."""
        with self._lock:
            self._is_closed = True
        self.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """What is armed, and how often each was seen and fired."""
        with self._lock:
            return [
                {**msgspec.structs.asdict(one.fault), "seen": one.seen, "fired": one.fired}
                for one in self._armed
            ]

    @property
    def is_armed(self) -> bool:
        """Whether a call can meet a fault."""
        return bool(self._armed)

    @contextmanager
    def around(self, call: str, entity: str) -> Iterator[None]:
        """Lets a fault happen to the work in the block; its answer is lost if it was refused too.

        Raises:
            ConnectionLostError: As armed.
            InjectedError: As armed.
        """
        if not self._armed:
            yield
            return
        finish = self.before(call, entity)
        try:
            yield
        finally:
            finish()

    def before(self, call: str, entity: str) -> Callable[[], object]:
        """What `around` does before the block; returns what it does after it.

        A call that meets one fault is not seen by those armed later.
        """
        with self._lock:
            cleared = self._cleared
            struck = next((one.fault for one in self._armed if one.strikes(call, entity)), None)
        match struck:
            case Fault(effect="drop"):
                raise ConnectionLostError
            case Fault(effect="error"):
                raise InjectedError(struck.code, call)
            case Fault(effect="lose_answer"):
                return _lose
            case Fault(effect="hold_answer"):
                return cleared.wait
            case Fault(effect="delay"):
                cleared.wait(struck.delay_s)
            case Fault(effect="expire_stream"):
                self._forget_stream(entity)
        return _nothing


def _nothing() -> None:
    pass


def _lose() -> None:
    raise ConnectionLostError
