"""What an answer says when a request is refused: RFC 9457, in the words of the rejects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from fraudline.contract import Reject, RejectReason

CONTENT_TYPE = b"application/problem+json"
_STATUS = {
    RejectReason.EMPTY: HTTPStatus.BAD_REQUEST,
    RejectReason.INVALID_JSON: HTTPStatus.BAD_REQUEST,
    RejectReason.INVALID_UTF8: HTTPStatus.BAD_REQUEST,
    RejectReason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
_COLUMN = re.compile(r"column '([^']*)'")
_EXPECTED = re.compile(r"expected ([^;]*?)(?:, (?:found|got) ([^;]*))?(?:;|$)", re.DOTALL)


class Problem(msgspec.Struct, omit_defaults=True, frozen=True):
    """Why a request, or one transaction of it, got no decision.

    Attributes:
        title: The kind of it in words, the same each time.
        status: The HTTP status that it has, or would have if it came alone.
        detail: What was wrong, where, and what to do.
        reason: One word for programs; of a transaction, the reason that a reject of the stream has.
        column: Of the contract, where it is about one.
        expected: What that column takes.
        found: What was there instead, where that is known.
        index: Which of the transactions it is about, from 0, where there were several.
        type: As RFC 9457 wants it: there is no page of each kind, so the title says it.
    """

    title: str
    status: int
    detail: str
    reason: str
    column: str | None = None
    expected: str | None = None
    found: str | None = None
    index: int | None = None
    type: str = "about:blank"


class Refused(Exception):  # noqa: N818 - it is an answer, not an error of ours
    """A request that gets a problem for an answer.

    Attributes:
        problem: Which.
        headers: What the answer has besides.
    """

    def __init__(self, problem: Problem, headers: Mapping[str, str]) -> None:
        super().__init__(problem.detail)
        self.problem, self.headers = problem, headers


def refused(
    status: HTTPStatus, reason: str, detail: str, headers: Mapping[str, str] | None = None
) -> Refused:
    """A refusal, titled by its status."""
    return Refused(Problem(status.phrase, int(status), detail, reason), headers or {})


def problem_of(reject: Reject, index: int | None = None) -> Problem:
    """What a reject is in an answer.

    Args:
        reject: Of one transaction.
        index: Which of several it was; None if it came alone.
    """
    status = _STATUS.get(reject.reason, HTTPStatus.UNPROCESSABLE_ENTITY)
    column, expected, found = _parts(reject)
    return Problem(
        f"{reject.reason.replace('_', ' ').capitalize()}",
        int(status),
        f"{reject.message[:1].upper()}{reject.message[1:]}.",
        reject.reason.value,
        column=column,
        expected=expected,
        found=found,
        index=index,
    )


def _parts(reject: Reject) -> tuple[str | None, str | None, str | None]:
    """Column, expected and found, as far as the message of a reject says them."""
    if reject.reason is RejectReason.UNKNOWN_COLUMN:
        return None, None, None
    column = _COLUMN.match(reject.message)
    if column is None:
        return None, None, None
    if reject.reason is RejectReason.MISSING_COLUMN:
        return column[1], "a value", "nothing"
    told = _EXPECTED.search(reject.message)
    if told is None:
        return column[1], None, None
    return column[1], told[1], told[2]
