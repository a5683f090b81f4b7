"""Whichever road a row of a team's own table takes, it is told the same, to the last bit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from benchmarks.wide_table import MIXED, contract_text, made_rows
from tests.harness import Place, place
from tests.models import convolved, manifest_for, tiny_policy
from tests.stream.test_score_loop import send
from tests.stream.test_sink_loop import run_sink
from tests.stream.test_swap import scoring

import fraudline
from fraudline.bundle.bundle import Bundle
from fraudline.bundle.bundle_files import GRAPH_FILE, write_manifest
from fraudline.contract import Messages, json_lines
from fraudline.contract.array_types import Matrix
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.scoring import Decider
from fraudline.training.calibration import Platt
from fraudline.training.contributions_graph import reasons_of_network
from fraudline.training.fitted import Reasons
from fraudline.training.forest_fitting import fit_forest
from fraudline.training.graph import write_graph
from fraudline.training.preparation import Preparation, with_logarithms_and_time_of_day
from fraudline.training.reason_files import write_reason_files
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

ROWS = 1000
NOW = dt.datetime(2026, 5, 4, 3, 2, 1, 123_456, tzinfo=dt.UTC)
# No other row has them, and each way to write and to hash a text must agree on them.
ODD_LEVELS = ("", " ", "a,b", 'Café "Zur Post"', "Ü", "U\N{COMBINING DIAERESIS}", "💳", "é" * 300)


def rows_of(project: Project) -> pa.Table:
    """Rows with levels that no version knows among them, in the history's own columns."""
    made = made_rows(MIXED, ROWS, seed=1)
    for name, first in (("merchant", 0), ("city", 4)):
        values = made.column(name).to_pylist()
        values[first : first + len(ODD_LEVELS)] = ODD_LEVELS
        made = made.set_column(made.column_names.index(name), name, pa.array(values))
    return made.cast(project.contract.history_schema)


def add_trees(project: Project) -> str:
    """A version of recipe `trees`, of a few."""
    contract = project.contract
    history = made_rows(MIXED, 5000).cast(contract.history_schema)
    features, labels = contract.feature_matrix(history), contract.labels(history)
    inputs = with_logarithms_and_time_of_day(contract, features)
    none = features[:0], labels[:0]
    model = fit_forest(inputs, (features, labels), none, 1, lambda _: None, steps=40).model
    low, high = np.quantile(model.log_odds(features), [0.02, 0.98])
    slope = 12 / (high - low)  # so that scores are far apart
    model.calibrate(Platt(slope, -slope * (low + high) / 2))
    return add_version(
        project,
        history,
        model.preparation,
        model.graph(len(contract.features)),
        model.reasons,
    )


def add_learned(project: Project) -> str:
    """A version as training writes it of levels and nulls that it saw, but its network is drawn."""
    contract = project.contract
    history = made_rows(MIXED, 5000).cast(contract.history_schema)
    features = contract.feature_matrix(history)
    fitted = Preparation.fit(with_logarithms_and_time_of_day(contract, features), features)
    assert fitted.levels is not None
    table = np.random.default_rng(3).normal(size=fitted.levels.table.shape).astype(np.float32)
    learned = replace(fitted, levels=fitted.levels.learned(table, fitted.levels.places(features)))
    graph = write_graph(learned, convolved(len(learned.sources)), len(contract.features))
    return add_version(
        *(project, history, learned, graph),
        lambda rows: reasons_of_network(graph, rows, learned.sources),
    )


def add_version(
    project: Project,
    history: pa.Table,
    preparation: Preparation,
    graph: bytes,
    explain: Callable[[Matrix], Reasons],
) -> str:
    """A version of a graph of scores, and of what says why."""
    contract = project.contract
    features, labels = contract.feature_matrix(history), contract.labels(history)
    directory = project.registry.new_directory()
    (directory / GRAPH_FILE).write_bytes(graph)
    (directory / "report.html").write_text("<p>drawn</p>")
    write_reason_files(
        *(directory, contract, preparation, explain, history, features, labels, labels.mean(), 1)
    )
    costs = tiny_policy(review_from=None, block_from=None, above_review_cap="approve")
    write_manifest(directory, manifest_for(contract, policy=costs))
    return project.registry.add(directory).version


Made = tuple[Place, Bundle, pa.Table, list[bytes]]


@pytest.fixture(scope="module")
def made(services_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A champion, and rows both as a table and as messages."""
    with champion_of(add_learned, services_home, tmp_path_factory.mktemp("road")) as found:
        yield found


@contextmanager
def champion_of(
    add: Callable[[Project], str], services_home: Path, directory: Path
) -> Iterator[Made]:
    """A champion that is added so."""
    (directory / "contract.toml").write_text(contract_text(MIXED))
    with place(services_home, directory / "home", str(directory / "contract.toml")) as here:
        version = add(here.project)
        here.project.registry.promote(version)
        rows = rows_of(here.project)
        names = [column.name for column in here.project.contract.transaction_columns]
        yield here, open_version(here.project, version), rows, json_lines(rows.select(names))


def decided(bundle: Bundle, lines: list[bytes], size: int) -> list[bytes]:
    """The decision on each line, where so many are decided at a time."""
    found: list[bytes] = []
    decider = Decider(bundle)
    for start in range(0, len(lines), size):
        values = lines[start : start + size]
        count, offsets = len(values), list(range(start, start + len(values)))
        keys, sent = [None] * count, [1_767_323_045_678] * count
        outcomes = decider.decide(Messages("in", [3] * count, offsets, keys, values, sent), NOW)
        assert not any(each.is_reject for each in outcomes)
        found += [each.value for each in outcomes]
    return found


def test_a_message_is_decided_alike_among_1_7_and_1000(made) -> None:
    _, bundle, _, lines = made
    together = decided(bundle, lines, 1000)
    words = [msgspec.json.decode(each)["decision"] for each in together]
    assert len(set(words)) == 3, "one decision was never made, so not all was tried"
    assert decided(bundle, lines, 7) == together
    assert decided(bundle, lines, 1) == together


def test_files_tables_and_notebooks_tell_what_messages_are_told(made, tmp_path: Path) -> None:
    here, bundle, rows, lines = made
    parquet, csv, out = (tmp_path / each for each in ("rows.parquet", "rows.csv", "out.jsonl"))
    pq.write_table(rows, parquet)
    pyarrow.csv.write_csv(rows, csv)
    online = [msgspec.json.decode(each) for each in decided(bundle, lines, 1)]
    for file in (parquet, csv):
        read = fraudline.read_transactions(file, here.project.contract)
        assert not read.refusals
        assessment = fraudline.assess(read.rows, bundle)
        assert assessment.scores.tolist() == [each["score"] for each in online]
        assert assessment.thresholds.tolist() == [each["threshold"] for each in online]
        assert assessment.decisions == [each["decision"] for each in online]
        fraudline.predict_file(here.project, file, out)
        told = [msgspec.json.decode(line)["is_fraud"] for line in out.read_bytes().splitlines()]
        assert told == [int(each["decision"] != "approve") for each in online]


def test_trees_take_the_same_road(services_home: Path, tmp_path: Path) -> None:
    with champion_of(add_trees, services_home, tmp_path) as made:
        test_a_message_is_decided_alike_among_1_7_and_1000(made)
        test_files_tables_and_notebooks_tell_what_messages_are_told(made, tmp_path)
        _, bundle, _, lines = made
        stopped = [msgspec.json.decode(each) for each in decided(bundle, lines, 7)]
        reasons = [each["reasons"] for each in stopped if each["decision"] != "approve"]
        assert all(reasons), "a payment was stopped and nobody is told why"


def test_the_champion_gives_what_went_by_topic_into_bigquery_again(made) -> None:
    here, bundle, _, lines = made
    stored = "SELECT score, reasons FROM decisions"
    warehouse = here.project.warehouse
    send(here, list(lines))
    with scoring(here.project, []):
        run_sink(
            here, routes(here.project), until=lambda: query(warehouse, stored).num_rows == ROWS
        )
    found = fraudline.backtest(here.project, EARLIEST, LATEST)
    assert (found.decisions, found.own, found.differing) == (ROWS, ROWS, 0)
    alone = [msgspec.json.decode(each) for each in decided(bundle, lines, 1)]
    told = sorted((each["score"], each["reasons"] or "") for each in alone)
    kept = query(warehouse, stored).to_pylist()
    assert sorted((each["score"], each["reasons"] or "") for each in kept) == told
