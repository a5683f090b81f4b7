"""A process whose loop stands still ends by name; one that waits does not."""

from __future__ import annotations

import os
import signal
import sys
import time

from tests.harness import Place, eventually

from fraudline.cli.standstill import EXIT_CODE
from fraudline.local import Companion

LIMIT_S = 3
_PROGRAM = f"""
import sys, threading
from fraudline.cli import app, standstill
from fraudline.stream.sink_store import SinkStore
standstill.LIMIT_S = {LIMIT_S}.0
turns = 0
def advance(store, real=SinkStore.advance):
    global turns
    turns += 1
    if {{hangs}} and turns > 20:
        store._progress.begin_step("wait")
        threading.Event().wait()
    real(store)
SinkStore.advance = advance
sys.argv = ["fraudline", "sink"]
app.main()
"""


def sink(here: Place, *, hangs: bool) -> Companion:
    """A sink that may stand in a step for three seconds, in a process of its own."""
    home = here.project.settings.home
    words = [sys.executable, "-c", _PROGRAM.format(hangs=hangs)]
    companion = Companion(words, here.environment, home / "sink.log", home)
    companion.start()
    here.companions.append(companion)
    eventually(lambda: "storing topics" in companion.said or not companion.is_alive)
    return companion


def test_a_loop_that_stands_in_a_call_ends_its_process_and_says_where_it_stood(here: Place):
    companion = sink(here, hangs=True)
    assert companion.process.wait(60) == EXIT_CODE == 75
    (line,) = [line for line in companion.said.splitlines() if " ERROR " in line]
    assert "sink: has stood in step 'wait' for 3 s" in line
    assert "exit code 75" in line
    assert "MainThread: wait (" in line
    assert "advance (" in line


def test_a_process_that_was_itself_stopped_did_not_stand_still(here: Place):
    companion = sink(here, hangs=False)
    os.kill(companion.process.pid, signal.SIGSTOP)
    time.sleep(2 * LIMIT_S)
    os.kill(companion.process.pid, signal.SIGCONT)
    time.sleep(2 * LIMIT_S)  # idle meanwhile, which is no standstill either
    assert companion.is_alive
    assert companion.stop() == 0
    assert "has stood in step" not in companion.said


_LEARNER = f"""
import sys, threading
from fraudline.cli import app, learning_commands
from fraudline.use_cases.judge_periods import JudgePeriods
learning_commands.LONGEST_STEP_S = {LIMIT_S}.0
asked = 0
def due(step, now):
    global asked
    asked += 1
    if asked > 1:
        threading.Event().wait()
    return []
JudgePeriods.due = due
sys.argv = ["fraudline", "learn"]
app.main()
"""


def test_a_learner_may_wait_for_the_end_of_a_period_and_not_for_an_answer_that_never_comes(
    here: Place,
):
    home = here.project.settings.home
    environment = here.environment | {"FRAUDLINE_LEARNING__PERIOD_S": "8"}
    companion = Companion([sys.executable, "-c", _LEARNER], environment, home / "learn.log", home)
    companion.start()
    here.companions.append(companion)
    assert companion.process.wait(60) == EXIT_CODE
    (line,) = [line for line in companion.said.splitlines() if " ERROR " in line]
    assert "learn: has stood in step 'look' for 3 s" in line
