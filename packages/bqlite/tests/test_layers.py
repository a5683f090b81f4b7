"""The house itself: imports point down and never in a circle, rooms say what they are for."""

import ast
import functools
import re
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"

# From the ground up: a module imports what is below it, and what is in its own room. Rooms of one
# layer are strangers to each other: a front never imports the other one.
LAYERS: tuple[set[str], ...] = (
    {
        "errors",
        "web_guard",
        "key_file",
        "no_pandas",
        "slow_clients",
    },  # none knows of another, nor of anything else
    {"types", "faults"},  # what BigQuery's types are; what a test lets fail
    {"relations", "cells"},  # what is known of a table; values on their way into a column
    {"json_cells"},
    {"sql"},  # BigQuery's SQL to DuckDB's; looks at nothing that is stored
    {"database"},  # DuckDB, one writer; the catalogue
    {"work"},  # queries, DML, DDL and jobs
    {"loads"},
    {"rest", "storage"},  # the fronts
    {"server"},
    {"embedded"},
    {"__init__", "__main__"},
)
# Libraries, and the only rooms that import them.
ONLY_IN = {
    "cryptography": {"key_file"},
    "duckdb": {"database", "work", "loads", "relations", "rest", "storage"},
    "google": {"embedded", "storage"},
    "grpc": {"embedded", "storage"},
    "ptars": {"storage"},
    "sqlglot": {"sql"},
    "starlette": {"rest"},
    "h11": {"slow_clients"},
    "uvicorn": {"server", "slow_clients"},
}
# A module's name and the distribution that brings it, where they differ.
BROUGHT_BY = {
    "google.api_core": "google-cloud-bigquery",  # part of its public signatures
    "google.auth": "google-cloud-bigquery",  # likewise
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.bigquery_storage_v1": "google-cloud-bigquery-storage",
    "google.protobuf": "protobuf",
    "google.rpc": "googleapis-common-protos",
    "grpc": "grpcio",
}


def name_of(path):
    parts = path.relative_to(SRC / "bqlite").with_suffix("").parts
    return ".".join(parts if parts == ("__init__",) or parts[-1] != "__init__" else parts[:-1])


MODULES = {name_of(path): path for path in sorted((SRC / "bqlite").rglob("*.py"))}


@functools.cache
def tree_of(module):
    return ast.parse(MODULES[module].read_text())


def imported(module):
    """Everything a module imports, also within a function and for types alone."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name):
    """The module in which a name of ours lies: `sql.nodes` for `bqlite.sql.nodes.call`."""
    name = name.removeprefix("bqlite.")
    while name not in MODULES:
        name = name.rpartition(".")[0] or "__init__"
    return name


@functools.cache
def own_of(module):
    """The modules of ours that a module imports."""
    names = imported(module)
    return {module_of(name) for name in names if name.partition(".")[0] == "bqlite"}


def room(module):
    return module.partition(".")[0]


def layer(module):
    (found,) = [number for number, rooms in enumerate(LAYERS) if room(module) in rooms]
    return found


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_is_below_it_or_in_its_room(module):
    wrong = [
        other
        for other in own_of(module)
        if room(other) != room(module) and layer(other) >= layer(module)
    ]
    assert wrong == []


def test_no_module_imports_itself_by_way_of_others():
    try:
        TopologicalSorter({module: own_of(module) for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_a_library_is_imported_in_its_own_rooms_only():
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imported(module)
        if room(module) not in ONLY_IN.get(name.partition(".")[0], {room(module)})
    ]
    assert wrong == []


def test_statements_are_data_and_the_way_into_sql_is_a_module_of_its_own():
    assert own_of("sql.statement") == {"relations", "types"}
    entered = {
        other
        for module in MODULES
        if room(module) != "sql"
        for other in own_of(module)
        if room(other) == "sql"
    }
    # The engine defines the macros; the server loads the parser before the first statement comes.
    assert entered == {"sql.macros", "sql.plan", "sql.statement", "sql.translate"}


@pytest.mark.parametrize(
    "room", sorted(path.parent.name for path in (SRC / "bqlite").rglob("__init__.py"))
)
def test_every_room_says_what_it_takes_gives_and_never_does(room):
    text = ast.get_docstring(tree_of("__init__" if room == "bqlite" else room))
    for word in ("Takes:", "Gives:", "Never:"):
        assert word in text


def test_what_is_imported_is_what_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[a-z0-9-]+", each)[0] for each in project["dependencies"]}
    names = {name for module in MODULES for name in imported(module)}
    names.add("google.cloud.bigquery_storage_v1")  # storage/protos.py imports it by its name
    needed = set()
    for name in names:
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "bqlite":
            continue
        known = [
            brought for prefix, brought in BROUGHT_BY.items() if f"{name}.".startswith(f"{prefix}.")
        ]
        needed |= set(known or {top})
    assert needed == declared
