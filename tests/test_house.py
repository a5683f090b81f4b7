"""The house itself: imports point down, heavy libraries stay in their room, errors have a code."""

import ast
import graphlib
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.transactions import CREDITCARD

import fraudline
from fraudline import errors
from fraudline.errors import FraudlineError

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
BQLITE = ROOT / "packages" / "bqlite"
HOUSE = SRC / "fraudline"

# Room by room, the rooms that it may import. `settings`, `flows`, `errors`, `home` are open to all.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "settings": set(),
    "home": set(),
    "flows": {"contract"},
    "contract": set(),
    "bundle": {"contract"},
    "datasets": {"contract"},
    "drafts": {"contract"},
    "schemas": {"contract"},
    "registry": {"bundle", "contract"},
    "scoring": {"bundle", "contract"},
    "stream": {"contract", "schemas", "scoring"},
    "warehouse": {"contract"},
    "measures": {"bundle", "contract"},  # policies and arrays, for types alone
    "training": {"bundle", "contract", "measures"},
    "tracking": {"bundle", "contract", "measures"},
    "metrics": {"contract", "stream"},
    "local": {"datasets"},  # the cache directory
    "use_cases": {  # the way down from what people and programs ask for
        "access",
        *("bundle", "contract", "datasets", "drafts", "local", "measures", "metrics", "reconcile"),
        *("registry", "schemas", "scoring", "stream", "tracking", "training", "warehouse"),
    },
    "reconcile": {"contract", "schemas", "stream", "warehouse"},
    "access": set(),
    "api": {
        *("access", "contract", "metrics", "schemas", "scoring", "use_cases"),
    },
    "cli": {
        *("access", "api"),
        *("bundle", "contract", "datasets", "drafts", "measures", "reconcile", "stream"),
        "tracking",
        *("use_cases", "training"),
    },  # the names of its recipes
}
# A library, and the only rooms that import it.
ONLY_IN = {
    "confluent_kafka": {"stream", "local", "schemas"},  # local asks its broker for a message back
    "fastavro": {"schemas"},
    "google": {"warehouse", "local", "schemas"},  # local asks its bqlite the same
    "grpc": {"warehouse", "local"},
    "onnxruntime": {"bundle"},
    "tensorflow": {"training"},
    "keras": {"training"},
    "sklearn": {"training"},
    "matplotlib": {"training"},
    "mlflow": {"tracking"},
    "obstore": {"registry"},
    "starlette": {"api"},
    "uvicorn": {"api"},
    "uvloop": {"api"},
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
        if room == "__init__":  # names of every room, each loaded when it is used
            continue
        for name in imported(tree):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if package == "bqlite" or (
                package == "fraudline"
                and other not in MAY_IMPORT[room] | {room, "settings", "flows", "errors", "home"}
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
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(found.stdout.split())


def named(names: set[str], *libraries: str) -> set[str]:
    """Which of these libraries are among the modules, themselves or by a part of theirs."""
    return {each for each in libraries if any(f"{name}.".startswith(f"{each}.") for name in names)}


TRAINING = ("tensorflow", "keras", "sklearn", "imblearn", "matplotlib", "onnx")
GOOGLE = ("google.cloud", "google.api_core", "grpc")
SLOW = (
    *(*TRAINING, *GOOGLE, "mlflow", "onnxruntime", "confluent_kafka", "duckdb", "pandas"),
    *("obstore", "fastavro", "grpc_tools", "confluent_kafka.schema_registry"),
)
# What a statement must not load, itself or by what it imports.
NEVER_LOADED = {
    "import fraudline": (*SLOW, "numpy", "pyarrow", "pydantic", "typer", "rich", "msgspec"),
    "from fraudline.measures import evaluation, alerts, worth, prequential, column_drift, "
    "share_drift, period_watch, estimated_performance": (
        *(*SLOW, "pyarrow", "pydantic", "msgspec", "fraudline.contract"),
    ),
    "import fraudline.settings": (*SLOW, "numpy", "pyarrow", "msgspec"),
    # A sink counts and stores decisions: it needs no model, nor what scores with one.
    "import fraudline.use_cases.run_sink": (
        *(*TRAINING, "mlflow", "onnxruntime", "fraudline.bundle", "fraudline.scoring"),
    ),
    "import fraudline.use_cases.run_scorer": (*TRAINING, *GOOGLE, "mlflow", "pandas"),
    "import fraudline.use_cases.predict_file": (*TRAINING, *GOOGLE, "mlflow", "confluent_kafka"),
    "import fraudline.use_cases.handle_rejects": (*TRAINING, *GOOGLE, "mlflow", "onnxruntime"),
    # A learner judges what others scored: it needs no model, nor what scores with one.
    "import fraudline.use_cases.run_learning": (
        *(*TRAINING, "mlflow", "onnxruntime", "fraudline.scoring"),
    ),
    "import fraudline.tracking": SLOW,
}


@pytest.mark.parametrize("statement", NEVER_LOADED)
def test_what_is_not_needed_is_not_loaded_by_a_detour_either(statement):
    assert named(loaded_by(statement), *NEVER_LOADED[statement]) == set()


# What a command must not load before it begins to do what was asked.
LIGHT = {
    "--help": (*SLOW, "numpy", "pyarrow", "pydantic", "msgspec"),
    "settings": (*SLOW, "numpy", "pyarrow", "msgspec"),
    "models list": (*SLOW, "numpy", "pyarrow"),
    "status": SLOW,
    "down": SLOW,
    "rejects list --help": (*SLOW, "numpy", "pyarrow", "msgspec"),
    "labels list --help": (*SLOW, "numpy", "pyarrow", "msgspec"),
    "learning status --help": (*SLOW, "numpy", "pyarrow", "msgspec"),
    "learning alarms --help": (*SLOW, "numpy", "pyarrow", "msgspec"),
}


@pytest.mark.parametrize("command", LIGHT)
def test_a_command_starts_without_what_another_one_needs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = loaded_by(
        "import sys, contextlib, io; from fraudline.cli.app import main; "
        f"sys.argv = ['fraudline', *{command.split()!r}]\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()\n"
    )
    assert "fraudline.cli.app" in names
    assert named(names, *LIGHT[command]) == set()


def imports_at_the_head(path: Path) -> Iterator[str]:
    """What a module imports when it is imported itself: not inside functions, nor for types."""
    pending = list(ast.parse(path.read_text()).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending += [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)]


def test_no_module_imports_itself_by_a_detour():
    paths = {
        ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
        for path in HOUSE.rglob("*.py")
    }
    graph = {
        name: {
            each if each in paths else each.rpartition(".")[0]  # a module, or a name in one
            for each in imports_at_the_head(path)
            if each.startswith("fraudline.")
        }
        - {"fraudline"}
        for name, path in paths.items()
    }
    assert len(graph) > 100
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_no_two_modules_have_a_name_that_a_stranger_would_mix_up():
    names = Counter(path.name for path in HOUSE.rglob("*.py") if path.name != "__init__.py")
    assert {name for name, count in names.items() if count > 1} == set()


# Names that two modules share with a reason. Commands are not among them: they are named as a
# person types them, and their module only parses and prints.
SHARED_NAMES = {
    # What a program calls, over what the room does: the same act, with a `Project` or without.
    "load_history": {"use_cases.load_history", "warehouse.history_table"},
    "read_history": {"use_cases.train_version", "warehouse.history_table"},
    "status": {"use_cases.local_services", "local.lifecycle"},
    # A local service is a module that has these (`local/service.py`).
    "address": {"local.bqlite", "local.kafka"},
    "command": {"local.bqlite", "local.kafka"},
    "prove": {"local.bqlite", "local.kafka"},
    # Each recipe has its own.
    "network": {f"training.recipes.{name}" for name in ("default", "mlp", "tutorial")},
}


def test_no_two_modules_give_a_class_or_a_function_of_the_same_name():
    places: dict[str, set[str]] = {}
    for room, path, tree in modules():
        module = ".".join(path.relative_to(HOUSE).with_suffix("").parts)
        for node in tree.body:
            is_named = isinstance(node, ast.ClassDef | ast.FunctionDef)
            if is_named and not node.name.startswith("_") and room != "cli":
                places.setdefault(node.name, set()).add(module)
    assert {name: at for name, at in places.items() if len(at) > 1} == SHARED_NAMES


def test_every_file_that_the_architecture_names_is_there():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named_files = set(re.findall(r"`([\w/.-]*\w+\.(?:py|md|toml|jinja))`", text))
    places = (ROOT, HOUSE, HOUSE / "training" / "recipes", HOUSE / "contract", HOUSE / "training",
              BQLITE / "src" / "bqlite")  # fmt: skip
    assert len(named_files) > 40
    assert {name for name in named_files if not any((at / name).exists() for at in places)} == {
        "fraudline.toml"
    } & named_files


def test_no_page_says_a_sentence_many_times():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("[dpb]*/**/*.md")]
    lines = Counter(
        (str(page.relative_to(ROOT)), line)
        for page in pages
        for line in page.read_text().splitlines()
        if len(line) > 60
    )
    assert len(pages) > 30
    assert not [found for found, times in lines.items() if times > 3]


PUBLIC = [
    "FraudlineError",
    "Preparation",
    "Project",
    "as_history",
    "assess",
    "backtest",
    "change_policy",
    "check_history",
    "evaluate",
    "fetch_dataset",
    "find_recipe",
    "find_twins",
    "json_lines",
    "judge_decisions",
    "labelled_decisions",
    "learning_status",
    "list_versions",
    "load_history",
    "open_bundle",
    "policy_worth",
    "predict_file",
    "promote",
    "prove_stream",
    "read_history",
    "read_messages",
    "read_transactions",
    "roll_back",
    "run_beside",
    "run_query",
    "send_messages",
    "set_up",
    "start",
    "status",
    "stop",
    "train_candidate",
    "train_version",
    "verify_file",
    "verify_rows",
    "watch_topic",
]


def test_the_public_names_are_these_and_each_is_there():
    assert sorted(fraudline.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(fraudline))
    for name in PUBLIC:
        assert getattr(fraudline, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'predictions'"):
        fraudline.predictions  # noqa: B018 - asking is what is tested


def test_types_and_places_of_the_public_names_agree():
    for_types = {
        (alias.name, node.module)
        for node in ast.walk(ast.parse((HOUSE / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fraudline.")
        for alias in node.names
    }
    assert for_types == {(name, f"fraudline.{at}") for name, at in fraudline._PLACES.items()}


@pytest.mark.parametrize("name", ["01-training", "02-real-time-scoring"])
def test_a_notebook_imports_nothing_of_us_but_the_public_surface(name):
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    ours = {name for name in imported(ast.parse(code)) if name.partition(".")[0] == "fraudline"}
    assert ours == {"fraudline"}
    assert set(re.findall(r"\bfraudline\.(\w+)", code)) <= set(PUBLIC)


def test_a_sink_a_proof_and_metrics_load_nothing_that_scores():
    """ONNX Runtime alone would be most of their memory."""
    names = loaded_by(
        "import fraudline.stream.sink_loop, fraudline.reconcile, fraudline.metrics, "
        "fraudline.stream.observed_decisions, fraudline.warehouse.append"
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
        if package == HOUSE / "__init__.py":
            continue  # the public surface, which looks its names up when they are used
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
        if not path.name.startswith("demo")  # shows that very data set
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if quoted.search(line)
    ]
    assert known == []


def test_what_json_is_decoded_into_is_made_ready_when_its_module_is_imported():
    # The first decode into a Struct fills in what msgspec knows of it. A second thread that decodes
    # into it meanwhile reads what is not there yet, and the process ends with a segmentation
    # fault (msgspec 0.22). A Decoder that is made at import is made by one thread.
    found = [
        f"{path.relative_to(ROOT)}, line {call.lineno}: make a Decoder of the module's own"
        for path in sorted((*HOUSE.rglob("*.py"), *(BQLITE / "src").rglob("*.py")))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and re.fullmatch(r"msgspec\.(json|msgpack|toml|yaml)\.decode", ast.unparse(call.func))
        and any(keyword.arg == "type" for keyword in call.keywords)
    ]
    assert found == []


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
        "grpc_tools": "grpcio_tools",
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
