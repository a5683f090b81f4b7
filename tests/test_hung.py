"""A test that hangs says where, in the last lines of a run."""

from __future__ import annotations

import pytest
from tests.hung import Hung

HANGS = """
import threading
import pytest

@pytest.fixture(scope="session")
def lasting():
    yield
    leave()

def leave():
    threading.Event().wait()

def test_well(lasting):
    pass
"""
pytest_plugins = ["pytester"]


def test_the_summary_tells_the_innermost_calls_of_what_hung(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HANGS)
    ran = pytester.inline_run("--timeout=0.3", "-p", "no:randomly", plugins=[Hung()])
    (fault,) = [report for report in ran.getreports() if report.failed]
    assert isinstance(fault, pytest.TestReport)
    assert fault.when == "teardown"
    said = fault.longrepr.reprcrash.message
    assert said.startswith("Failed: Timeout (>0.3s) from pytest-timeout. In threading.py:")
    assert " < test_the_summary_tells_the_innermost_calls_of_what_hung.py:10 leave < " in said
