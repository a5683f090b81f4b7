"""The process in which a version learns: scorers come before it, and it ends with who started it.

Takes what it does as its first argument, and a moment as its second; what else it takes follows.
Gives a line of JSON on standard output: what was made, or why nothing could be.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from fraudline.errors import FraudlineError, RegistryError, WarehouseAwayError

UPDATE, RECALIBRATE, RETRAIN = "update", "recalibrate", "retrain"
NICENESS = 15
LIMIT_S = 1800.0
RETRAIN_LIMIT_S = 7200.0
THREADS = {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
AWAY: dict[str, type[FraudlineError]] = {
    "warehouse": WarehouseAwayError,
    "registry": RegistryError,
}
"""What may be away for a while, and as which error that is told."""
_PR_SET_PDEATHSIG = 1


def learn_once() -> None:
    """Do what is asked, as of the moment that is given."""
    os.nice(NICENESS)
    with suppress(OSError):  # where memory runs out, this one is ended first
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(AttributeError, OSError):  # a system that does not have it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    answer: dict[str, Any]
    try:
        answer = asdict(_do(sys.argv[1], dt.datetime.fromisoformat(sys.argv[2]), sys.argv[3:]))
    except FraudlineError as error:
        away = [side for side, kind in AWAY.items() if isinstance(error, kind)]
        answer = {"fault": str(error), "away": away[0] if away else None}
    except ImportError as error:
        answer = {"fault": f"the extra 'train' is not installed here ({error})"}
    used = resource.getrusage(resource.RUSAGE_SELF)
    answer["processor_s"] = round(used.ru_utime + used.ru_stime, 3)
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def _do(what: str, at: dt.datetime, words: list[str]) -> Any:
    from fraudline.use_cases.project import Project
    from fraudline.warehouse.explored import one_look

    project = Project()
    with one_look(project.warehouse):
        if what == RECALIBRATE:
            from fraudline.use_cases.recalibrate_version import recalibrate_version

            return recalibrate_version(project, at, *words)
        if what == RETRAIN:
            from fraudline.use_cases.retrain_version import retrain_version

            return retrain_version(project, at, *words)
        from fraudline.use_cases.update_version import update_version

        return update_version(project, at)


if __name__ == "__main__":
    learn_once()
