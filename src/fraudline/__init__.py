"""fraudline catches card fraud while the payment is still in flight.

These names are what a notebook or a program of yours needs; all else may change without notice.
Each is loaded when it is first used, so that `import fraudline` costs next to nothing, and a
program that only scores loads neither TensorFlow nor Google's clients.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fraudline.bundle.bundle import open_bundle as open_bundle
    from fraudline.contract import json_lines as json_lines
    from fraudline.datasets.files import read_transactions as read_transactions
    from fraudline.errors import FraudlineError as FraudlineError
    from fraudline.measures.evaluation import evaluate as evaluate
    from fraudline.scoring import as_history as as_history
    from fraudline.scoring.assess import assess as assess
    from fraudline.stream.read_topic import watch_topic as watch_topic
    from fraudline.training.policy_pages import policy_worth as policy_worth
    from fraudline.training.preparation import Preparation as Preparation
    from fraudline.training.recipes.all_recipes import find_recipe as find_recipe
    from fraudline.training.split import find_twins as find_twins
    from fraudline.use_cases.backtest import backtest as backtest
    from fraudline.use_cases.champion import promote as promote
    from fraudline.use_cases.champion import roll_back as roll_back
    from fraudline.use_cases.change_policy import change_policy as change_policy
    from fraudline.use_cases.check_history import check_history as check_history
    from fraudline.use_cases.fetch_dataset import fetch_dataset as fetch_dataset
    from fraudline.use_cases.judge_decisions import judge_decisions as judge_decisions
    from fraudline.use_cases.learning_status import learning_status as learning_status
    from fraudline.use_cases.list_versions import list_versions as list_versions
    from fraudline.use_cases.load_history import load_history as load_history
    from fraudline.use_cases.local_services import status as status
    from fraudline.use_cases.local_services import stop as stop
    from fraudline.use_cases.look_at_labels import labelled_decisions as labelled_decisions
    from fraudline.use_cases.predict_file import predict_file as predict_file
    from fraudline.use_cases.project import Project as Project
    from fraudline.use_cases.prove_stream import prove_stream as prove_stream
    from fraudline.use_cases.run_beside import run_beside as run_beside
    from fraudline.use_cases.run_query import run_query as run_query
    from fraudline.use_cases.send_file import read_messages as read_messages
    from fraudline.use_cases.send_file import send_messages as send_messages
    from fraudline.use_cases.set_up import set_up as set_up
    from fraudline.use_cases.set_up import start as start
    from fraudline.use_cases.train_version import read_history as read_history
    from fraudline.use_cases.train_version import train_candidate as train_candidate
    from fraudline.use_cases.train_version import train_version as train_version
    from fraudline.use_cases.verify_file import verify_file as verify_file
    from fraudline.use_cases.verify_file import verify_rows as verify_rows

_PLACES = {
    "FraudlineError": "errors",
    "Preparation": "training.preparation",
    "Project": "use_cases.project",
    "as_history": "scoring",
    "assess": "scoring.assess",
    "backtest": "use_cases.backtest",
    "change_policy": "use_cases.change_policy",
    "check_history": "use_cases.check_history",
    "evaluate": "measures.evaluation",
    "fetch_dataset": "use_cases.fetch_dataset",
    "find_recipe": "training.recipes.all_recipes",
    "find_twins": "training.split",
    "json_lines": "contract",
    "judge_decisions": "use_cases.judge_decisions",
    "labelled_decisions": "use_cases.look_at_labels",
    "learning_status": "use_cases.learning_status",
    "list_versions": "use_cases.list_versions",
    "load_history": "use_cases.load_history",
    "open_bundle": "bundle.bundle",
    "policy_worth": "training.policy_pages",
    "predict_file": "use_cases.predict_file",
    "promote": "use_cases.champion",
    "prove_stream": "use_cases.prove_stream",
    "read_history": "use_cases.train_version",
    "read_messages": "use_cases.send_file",
    "read_transactions": "datasets.files",
    "roll_back": "use_cases.champion",
    "run_beside": "use_cases.run_beside",
    "run_query": "use_cases.run_query",
    "send_messages": "use_cases.send_file",
    "set_up": "use_cases.set_up",
    "start": "use_cases.set_up",
    "status": "use_cases.local_services",
    "stop": "use_cases.local_services",
    "train_candidate": "use_cases.train_version",
    "train_version": "use_cases.train_version",
    "verify_file": "use_cases.verify_file",
    "verify_rows": "use_cases.verify_file",
    "watch_topic": "stream.read_topic",
}

__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    """Load a public name from its room, and keep it."""
    if name not in _PLACES:
        raise AttributeError(f"module 'fraudline' has no attribute {name!r}")
    found = getattr(import_module(f"fraudline.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
