"""The house itself: imports point down, heavy libraries stay in their room, errors have a code."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.transactions import CREDITCARD

from fraudline import errors
from fraudline.errors import FraudlineError

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
BQLITE = ROOT / "packages" / "bqlite"
HOUSE = SRC / "fraudline"

# Room by room, the rooms that it may import. `settings`, `flows` and `errors` are open to all.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "settings": set(),
    "flows": {"contract"},
    "contract": set(),
    "bundle": {"contract"},
    "datasets": {"contract"},
    "registry": {"bundle", "contract"},
    "scoring": {"bundle", "contract"},
    "stream": {"contract", "scoring"},
    "warehouse": {"contract"},
    "measures": set(),
    "training": {"bundle", "contract", "measures"},
    "tracking": {"bundle"},
    "metrics": {"contract", "stream"},
    "local": {"datasets"},  # the cache directory
    "use_cases": {  # the way down from what people and programs ask for
        *("bundle", "contract", "datasets", "local", "measures", "metrics", "reconcile"),
        *("registry", "scoring", "stream", "tracking", "training", "warehouse"),
    },
    "reconcile": {"contract", "stream", "warehouse"},
    "learning": {"bundle", "contract", "registry", "scoring", "stream", "training", "warehouse"},
    "console": {"bundle", "contract", "registry", "scoring", "stream", "warehouse"},
}
# A library, and the only rooms that import it.
ONLY_IN = {
    "confluent_kafka": {"stream", "local"},  # local asks its broker for a message back
    "google": {"warehouse", "local"},  # local asks its bqlite the same
    "grpc": {"warehouse", "local"},
    "onnxruntime": {"bundle"},
    "tensorflow": {"training", "learning"},
    "keras": {"training", "learning"},
    "sklearn": {"training", "learning", "measures"},
    "matplotlib": {"training", "learning"},
    "mlflow": {"tracking"},
    "typer": {"cli"},
    "rich": {"cli"},
    "pandas": set(),
    "prometheus_client": {"metrics"},
    "pickle": set(),
}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted(HOUSE.rglob("*.py")):
        room = path.relative_to(HOUSE).parts[0].removesuffix(".py")
        yield room, path, ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            # `from fraudline import local` imports a room, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_point_down():
    wrong = []
    for room, path, tree in modules():
        if room in {"cli", "__init__"}:
            continue
        for name in imported(tree):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if package == "bqlite" or (
                package == "fraudline"
                and other not in MAY_IMPORT[room] | {room, "settings", "flows", "errors"}
            ):
                wrong.append(f"{path.relative_to(SRC)} imports {name}")
    assert wrong == []


def test_a_heavy_library_is_imported_in_its_own_room_only():
    wrong = [
        f"{path.relative_to(SRC)} imports {name}"
        for room, path, tree in modules()
        for name in imported(tree)
        if room not in ONLY_IN.get(name.partition(".")[0], {room})
    ]
    assert wrong == []


def test_bqlite_imports_nothing_of_fraudline():
    wrong = [
        path.name
        for path in (BQLITE / "src").rglob("*.py")
        for name in imported(ast.parse(path.read_text()))
        if name.startswith("fraudline")
    ]
    assert wrong == []


def loaded_by(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter has after a statement."""
    found = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(found.stdout.split())


def test_the_command_line_starts_without_what_a_single_command_needs():
    names = loaded_by("import fraudline.cli.app, fraudline.tracking")
    heavy = {"tensorflow", "keras", "google.cloud", "sklearn", "matplotlib", "pandas", "onnx"}
    heavy |= {"duckdb", "sqlglot", "onnxruntime.training", "starlette", "mlflow"}
    assert names & heavy == set()


def test_a_scorer_needs_neither_tensorflow_nor_google():
    names = loaded_by(
        "import fraudline.cli.app, fraudline.stream.score_loop, fraudline.scoring, "
        "fraudline.registry, fraudline.bundle"
    )
    heavy = {"tensorflow", "keras", "google.cloud", "sklearn", "pandas", "onnx", "mlflow"}
    assert names & heavy == set()


def test_a_sink_a_proof_and_metrics_load_nothing_that_scores():
    """ONNX Runtime alone would be most of their memory."""
    names = loaded_by(
        "import fraudline.stream.sink_loop, fraudline.reconcile, fraudline.metrics, "
        "fraudline.reconcile.observed_decisions, fraudline.warehouse.append"
    )
    heavy = {"onnxruntime", "fraudline.scoring", "fraudline.bundle", "fraudline.registry"}
    assert names & heavy == set()


def test_a_scoring_host_is_not_told_to_install_mlflow_or_tensorflow():
    required = (SRC.parent / "requirements" / "scoring.txt").read_text()
    assert re.findall(r"^(mlflow|tensorflow|sqlalchemy|flask)", required, re.MULTILINE) == []


def test_the_contract_room_needs_no_other_room():
    names = loaded_by("import fraudline.contract")
    assert {name.split(".")[1] for name in names if name.startswith("fraudline.")} == {
        "contract",
        "errors",
    }


def test_every_room_says_what_it_takes_gives_and_never_does():
    for package in (*SRC.rglob("__init__.py"), *BQLITE.rglob("__init__.py")):
        tree = ast.parse(package.read_text())
        assert len(ast.get_docstring(tree) or "") > 30, package
        for node in tree.body[1:]:
            is_name_list = isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
            is_version = isinstance(node, ast.Assign) and node.targets[0].id == "__version__"
            assert isinstance(node, ast.ImportFrom) or is_name_list or is_version, package


def test_no_module_but_the_demo_knows_a_column_of_the_data_set():
    # Class, Time and Amount are words, too; in quotes they are columns.
    names = "|".join(column.name for column in CREDITCARD.columns)
    quoted = re.compile(rf"[\"'`]({names})[\"'`]|\bV(?:[1-9]|1[0-9]|2[0-8])\b")
    known = [
        f"{path.relative_to(SRC)}, line {number}: {line.strip()}"
        for path in sorted(HOUSE.rglob("*.py"))
        if path != HOUSE / "cli" / "demo.py"  # shows that very data set
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if quoted.search(line)
    ]
    assert known == []


ERRORS = [each for each in vars(errors).values() if isinstance(each, type)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: each.__name__)
def test_every_error_says_what_it_means_and_ends_with_1_or_2(error):
    assert issubclass(error, FraudlineError)
    assert error.__name__.endswith("Error")
    assert error.__doc__
    assert error.__doc__ not in {base.__doc__ for base in error.__mro__[1:]}
    assert error.exit_code in {1, 2}


def test_what_is_imported_is_what_is_declared():
    project = tomllib.loads((SRC.parent / "pyproject.toml").read_text())["project"]
    declared = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {
        re.match(r"[a-z0-9-]+", each)[0].replace("-", "_") for group in declared for each in group
    }
    brought_by = {  # where a distribution and its module differ
        "google": "google_cloud_bigquery",
        "grpc": "google_cloud_bigquery_storage",  # part of its public signatures
        "requests": "google_cloud_bigquery",  # likewise
        "click": "typer",
        "imblearn": "imbalanced_learn",
        "keras": "tensorflow_cpu",
        "pydantic": "pydantic_settings",
        "sklearn": "scikit_learn",
        "tensorflow": "tensorflow_cpu",
    }
    missing = {
        name
        for _, _, tree in modules()
        for name in (each.partition(".")[0] for each in imported(tree))
        if name not in sys.stdlib_module_names
        and name != "fraudline"
        and brought_by.get(name, name) not in names
    }
    assert missing == set()


def test_one_installation_brings_all_that_bqlite_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = {*project["dependencies"], *project["optional-dependencies"]["local"]}
    bqlite = tomllib.loads((BQLITE / "pyproject.toml").read_text())["project"]
    assert set(bqlite["dependencies"]) - brought == set()
    assert bqlite["scripts"].items() <= project["scripts"].items()
    assert bqlite["requires-python"] == project["requires-python"]
