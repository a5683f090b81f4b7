"""What cannot be trained on is told in words, and nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import bqlite
from fraudline.contract import load_contract
from fraudline.errors import FraudlineError, InputError, RefusedRowsError
from fraudline.settings import BigQuerySettings, Settings
from fraudline.use_cases.load_history import load_history as load_file
from fraudline.use_cases.project import Project
from fraudline.use_cases.train_version import train_version
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_table import load_history
from fraudline.warehouse.query import query

CREDITCARD = load_contract("creditcard")
SAMPLE = Path(__file__).parents[1] / "data" / "creditcard-sample.csv"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bqlite.Bqlite]:
    with bqlite.serve(tmp_path_factory.mktemp("train")) as running:
        yield running


@pytest.fixture
def project(server: bqlite.Bqlite, tmp_path: Path) -> Project:
    """A project without a broker whose history table anyone may spoil."""
    made = Project(Settings(home=tmp_path))
    vars(made)["warehouse"] = Warehouse(
        BigQuerySettings(dataset=tmp_path.name.replace("-", "_")),
        Endpoint(server.rest, server.storage),
    )
    return made


def loaded(project: Project, labels: np.ndarray | None = None) -> None:
    history = pyarrow.csv.read_csv(SAMPLE).cast(CREDITCARD.history_schema)
    if labels is not None:
        at = history.schema.get_field_index("Class")
        history = history.set_column(at, history.schema.field(at), pa.array(labels))
    load_history(project.warehouse, CREDITCARD, history, "a1")


def spoiled(project: Project, replacement: str) -> None:
    """Write the table anew with some columns replaced, as somebody else's SQL might."""
    loaded(project)
    name = project.warehouse.table("fraud_detection_train")
    query(project.warehouse, f"CREATE TABLE copy AS SELECT * FROM `{name}`")
    query(project.warehouse, f"DROP TABLE `{name}`")
    query(
        project.warehouse,
        f"CREATE TABLE `{name}` AS SELECT * REPLACE ({replacement}) FROM copy",
    )


def refused(project: Project, recipe: str = "default", **period: str) -> str:
    with pytest.raises(FraudlineError) as refusal:
        train_version(project, recipe, 0.2, 0, **period, on_progress=print)
    assert project.registry.versions() == []
    assert [path for path in project.registry.directory.glob("*") if path.is_dir()] == []
    return str(refusal.value)


def test_what_could_not_be_promoted_for_want_of_costs_is_not_trained(project):
    contract = replace(CREDITCARD, name="cards")
    vars(project)["contract"] = contract
    project.settings = project.settings.model_copy(update={"contract": "cards.toml"})
    history = pyarrow.csv.read_csv(SAMPLE).cast(CREDITCARD.history_schema)
    load_history(project.warehouse, contract, history, "a1")
    with pytest.raises(InputError) as refusal:
        train_version(project, "default", 0.2, 0, is_to_be_promoted=True, on_progress=print)
    said = str(refusal.value)
    amounts = history.column("Amount").to_numpy()
    median = np.median(amounts[amounts > 0])
    assert f"half of the amounts above 0 in 'Amount' are above {median:,.2f} EUR" in said
    assert "a file of your own (cards.toml)" in said
    assert "fraud_cost 15, review_cost 4 and wrong_block_cost 25 would be" in said
    lines = said.partition("[policy]\n")[2].splitlines()
    costs = {name: float(value) for name, value in (line.split(" = ") for line in lines)}
    assert costs == pytest.approx(
        {
            "fraud_cost": 15 * median / 22,
            "review_cost": 4 * median / 22,
            "wrong_block_cost": 25 * median / 22,
        },
        rel=0.05,
    )
    assert not project.registry.directory.exists(), "nothing was begun"


def test_too_few_frauds(project):
    loaded(project, (np.arange(3551) % 900 == 0).astype(int))
    assert "the train part of the history has 3 frauds" in refused(project)


@pytest.mark.parametrize("recipe", ["default", "tutorial"])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(project, label, recipe):
    loaded(project, np.full(3551, label))
    assert "expected at least 6 and at least one legitimate" in refused(project, recipe)


def test_a_column_that_is_null_throughout(project):
    spoiled(project, "CAST(NULL AS FLOAT64) AS V7")
    said = refused(project)
    assert "3,551 rows of table" in said
    assert "row 1 in order of 'Time', column 'V7': expected a value, found nothing" in said


def test_a_label_with_three_values(project):
    spoiled(project, "IF(Time > 1000, 2, Class) AS Class")
    assert "column 'Class': expected at most 1, found 2" in refused(project)


def test_a_column_of_another_type(project):
    spoiled(project, "'much' AS Amount")
    assert "'Amount' is string (STRING, NULLABLE), expected float64" in refused(project)


def test_a_period_with_no_rows(project):
    loaded(project)
    assert "has no row with 'Time' from 900000 to before its end" in refused(
        project, first="900000"
    )


def test_a_file_of_which_no_row_fits_leaves_the_history_as_it_was(project, tmp_path):
    loaded(project)
    history = pyarrow.csv.read_csv(SAMPLE)
    empty = history.set_column(history.schema.get_field_index("V7"), "V7", pa.nulls(len(history)))
    file = tmp_path / "empty.csv"
    pyarrow.csv.write_csv(empty, file)
    with pytest.raises(RefusedRowsError, match=r"3,551 of 3,551 rows .* 492 of them labelled fra"):
        load_file(project, file)
    with pytest.raises(InputError, match=r"none of the 3,551 rows .* Row 1: column 'V7'"):
        load_file(project, file, max_refused=1)
    pyarrow.csv.write_csv(history.slice(0, 0), file)
    with pytest.raises(InputError, match="none of the 0 rows"):
        load_file(project, file)
    kept = query(project.warehouse, "SELECT COUNT(*) AS n FROM fraud_detection_train")
    assert kept.column("n").to_pylist() == [len(history)]
