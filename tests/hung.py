"""Says in one line where a test, or the end of a fixture, hung."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
import pytest_timeout

_TOLD_CALLS = 8  # the innermost: the summary's line is to be read at a glance
_TIMER = {"outcomes.py", Path(pytest_timeout.__file__).name}  # they raise it


def where(error: pytest.ExceptionInfo[BaseException]) -> str:
    """The calls it was raised in, the innermost first."""
    calls = [
        f"{each.path.name}:{each.lineno + 1} {each.name}"
        for each in error.traceback
        if isinstance(each.path, Path) and each.path.name not in _TIMER
    ]
    return " < ".join(reversed(calls[-_TOLD_CALLS:]))


class Hung:
    """A plugin of pytest that adds to a time-out's line where it struck.

    Of the stacks that pytest-timeout prints, a log that is cut off keeps the least; its last
    lines are the summary.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None and str(call.excinfo.value).startswith("Timeout (>"):
            crash = getattr(report.longrepr, "reprcrash", None)
            if crash is not None:
                crash.message += f" In {where(call.excinfo)}"
        return report
