"""Transactions of all requests that wait, decided as one batch at each turn of the event loop.

Nobody waits for a timer: a lone request is decided at once, and what arrives while a batch is
decided is the next batch. A long request is taken in pieces, and the short ones of each turn go
before its next piece.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from fraudline.api.problems import Problem, problem_of
from fraudline.contract import Messages, Reject, RejectReason
from fraudline.contract.messages import NO_TIME_STAMP
from fraudline.metrics.api_counts import ApiCounts
from fraudline.scoring import Decider

TURN_ROWS = 512
"""How many transactions are decided before others may be heard: a few milliseconds."""
PIECE_ROWS = 256
"""How many of them are of one request, while others wait."""
TRIAL = -1
"""Who asks where nobody does: the server itself, to see whether it can decide."""
TOPIC = "api"
"""Where a transaction was first, in the place of a topic."""

_LOG = logging.getLogger(__name__)
_NO_REASONS = msgspec.Raw(b"null")


class DecisionAnswer(msgspec.Struct, gc=False):
    """What is said of one transaction.

    Attributes:
        transaction_id: What the contract calls its id; null where it has none.
        decision: `approve`, `review` or `block`.
        score: Probability of fraud, 0 to 1.
        threshold: Least score that is not approved for the amount.
        model_version: The version that decided.
        reasons: Why it is not approved, strongest first; null where it is.
        propensity: Where it is reviewed though it would be blocked, the probability of that.
        is_repeat: Whether the id was decided before; then this is that decision.
    """

    transaction_id: str | None
    decision: str
    score: float
    threshold: float
    model_version: str
    reasons: msgspec.Raw
    propensity: float | None
    is_repeat: bool


Said = DecisionAnswer | Problem


@dataclass(slots=True)
class _Request:
    values: Sequence[bytes]
    asker: int
    answer: asyncio.Future[list[Said]]
    came_at: float
    taken: int = 0
    said: list[Said] = field(default_factory=list)


class ScoringTurns:
    """Decides what waits, turn by turn; all of it on the loop's own thread.

    Args:
        deciding: Gives what decides now; asked anew for each batch.
        counts: Told what waits and what was decided.

    Attributes:
        fault: Why the last batch could not be decided, in words; None if it was.
        failed: Of that batch one transaction, to see by whether it can be decided again.
    """

    def __init__(self, deciding: Callable[[], Decider], counts: ApiCounts) -> None:
        self.fault: str | None = None
        self.failed: list[bytes] = []
        self._deciding = deciding
        self._counts = counts
        self._requests: deque[_Request] = deque()
        self._is_due = False
        self._next_offsets: Counter[int] = Counter()

    @property
    def oldest_s(self) -> float:
        """How long the oldest request waits, seconds."""
        return time.monotonic() - self._requests[0].came_at if self._requests else 0.0

    async def decide(self, values: Sequence[bytes], asker: int = TRIAL) -> list[Said]:
        """What is said of each transaction, in their order.

        Args:
            values: Each as JSON; at least one.
            asker: Whose ids they have: what another one has sent is no repeat of theirs.

        Raises:
            Exception: the model could not be run.
        """
        loop = asyncio.get_running_loop()
        request = _Request(values, asker, loop.create_future(), time.monotonic())
        self._requests.append(request)
        self._counts.waiting_rows += len(values)
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._turn)
        return await request.answer

    def _turn(self) -> None:
        """Decide one batch."""
        taken, values = self._take()
        begun = time.perf_counter()
        try:
            said = self._decide(values, [request.asker for request, n in taken for _ in range(n)])
        except Exception as error:  # noqa: BLE001 - whatever it is, the next batch may do
            self._fail(taken, values, error)
        else:
            self.fault = None
            if values:
                self._counts.batch(len(values), time.perf_counter() - begun)
            place = 0
            for request, rows in taken:
                request.said += said[place : place + rows]
                place += rows
                if request.taken == len(request.values) and not request.answer.done():
                    request.answer.set_result(request.said)
        self._is_due = bool(self._requests)
        if self._is_due:
            asyncio.get_running_loop().call_soon(self._turn)

    def _take(self) -> tuple[list[tuple[_Request, int]], list[bytes]]:
        """The next batch: of which request how many transactions, and all of these."""
        taken, values, unfinished = [], list[bytes](), []
        while self._requests and len(values) < TURN_ROWS:
            request = self._requests.popleft()
            left = len(request.values) - request.taken
            if request.answer.done():  # nobody waits for it any more
                self._counts.waiting_rows -= left
                continue
            rows = min(left, PIECE_ROWS, TURN_ROWS - len(values))
            values += request.values[request.taken : request.taken + rows]
            request.taken += rows
            self._counts.waiting_rows -= rows
            taken.append((request, rows))
            if rows < left:
                unfinished.append(request)
        self._requests.extend(unfinished)
        return taken, values

    def _decide(self, values: list[bytes], askers: list[int]) -> list[Said]:
        if not values:
            return []
        count, offsets = len(values), list[int]()
        for asker in askers:
            offsets.append(self._next_offsets[asker])
            self._next_offsets[asker] += 1
        messages = Messages(
            *(TOPIC, askers, offsets, [None] * count, values), [NO_TIME_STAMP] * count
        )
        judged, batch = self._deciding().decide_batch(messages, dt.datetime.now(dt.UTC))
        said: dict[int, Said] = {}
        for reject in judged.rejects:
            said[reject.index] = problem_of(_in_our_words(reject))
            self._counts.rejected[reject.reason] += 1
        self._counts.cut += len(judged.cut)
        ids: Sequence[str | None] = batch.ids or [None] * len(batch.indices)
        for row, index in enumerate(batch.indices):
            decision, reasons = batch.decisions[row], batch.reasons.get(row)
            self._counts.decided[decision] += 1
            said[index] = DecisionAnswer(
                *(ids[row], decision, batch.scores[row], batch.thresholds[row]),
                batch.model_versions[row],
                _NO_REASONS if reasons is None else msgspec.Raw(reasons.encode()),
                batch.propensities.get(row),
                row in batch.repeats_of,
            )
        return [said[index] for index in range(count)]

    def _fail(
        self, taken: list[tuple[_Request, int]], values: list[bytes], error: Exception
    ) -> None:
        self.fault = str(error) or type(error).__name__
        self._counts.failed_batches += 1
        self.failed = values[:1]
        _LOG.exception("serve: %d requests could not be decided", len(taken))
        for request, _ in taken:
            if not request.answer.done():
                request.answer.set_exception(error)


def _in_our_words(reject: Reject) -> Reject:
    """A position of the stream says nothing to who asks here."""
    if reject.reason is not RejectReason.ID_REUSED:
        return reject
    own = reject.message.partition(" belongs to ")[0]
    return Reject(
        reject.index,
        reject.reason,
        f"{own} belongs to a transaction with other values, which was decided before; a "
        "transaction of its own needs an id of its own",
    )
