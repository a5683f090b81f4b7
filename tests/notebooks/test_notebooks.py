"""The tutorial's two notebooks: they run, and what is committed of them is honest."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

pytestmark = pytest.mark.timeout(600)  # the first of them waits until both notebooks were run
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SAMPLE = Path(__file__).parents[1] / "data" / "creditcard-sample.csv"
TRAINING, SCORING = "01-training.ipynb", "02-real-time-scoring.ipynb"
MOST_BYTES = 400_000

# Long enough to learn something, short enough for a test.
QUICK = {
    TRAINING: f"""\
FILE = {str(SAMPLE)!r}
TUTORIAL = {{"epochs": 1, "batch_rows": 256}}
OURS = {{"most_steps": 150, "batch_rows": 64, "legitimate_per_fraud": 3, "learning_rate": 4e-3}}""",
    SCORING: f"FILE = {str(SAMPLE)!r}",
}


def run(name: str, directory: Path, home: Path) -> NotebookNode:
    """Run a notebook from top to bottom, with quick parameters after its own."""
    book = nbformat.read(NOTEBOOKS / name, 4)
    place = [cell.metadata.get("tags") for cell in book.cells].index(["parameters"])
    book.cells.insert(place + 1, new_code_cell(QUICK[name]))
    environment = {key: value for key, value in os.environ.items() if "FRAUDLINE" not in key}
    client = NotebookClient(book, timeout=240, resources={"metadata": {"path": directory}})
    client.execute(env={**environment, "FRAUDLINE_HOME": str(home)})
    return book


def printed(book: NotebookNode) -> str:
    """All that a notebook's cells wrote."""
    outputs = (output for cell in book.cells for output in cell.get("outputs", []))
    return "".join(output.text for output in outputs if output.output_type == "stream")


@pytest.fixture(scope="module")
def texts(services_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What both notebooks print on the sample, run one after the other."""
    directory = tmp_path_factory.mktemp("notebooks")
    return {name: printed(run(name, directory, services_home)) for name in (TRAINING, SCORING)}


@pytest.mark.slow
def test_the_first_notebook_loads_every_row_and_makes_a_champion(texts):
    assert "fraud_detection_train: 3,551 rows; 0 refused" in texts[TRAINING]
    assert "champion: creditcard-default-" in texts[TRAINING]


@pytest.mark.slow
def test_the_second_notebook_scores_with_the_champion_of_the_first(texts):
    champion = re.search(r"champion: (\S+)", texts[TRAINING])
    assert champion is not None
    assert f"champion: {champion[1]}" in texts[SCORING]


@pytest.mark.slow
def test_every_prediction_and_every_decision_arrives_once(texts):
    assert "sent 711, stored 711, missing 0, surplus 0" in texts[SCORING]
    assert "711 decisions" in texts[SCORING]
    assert "rejected: 3" in texts[SCORING]
    assert "ended with [0, 0]" in texts[SCORING]


@pytest.mark.parametrize("name", [TRAINING, SCORING])
def test_a_committed_notebook_was_run_from_top_to_bottom(name):
    book = nbformat.read(NOTEBOOKS / name, 4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert "error" not in kinds
    assert "display_data" in kinds, "it shows no picture"


@pytest.mark.parametrize("name", [TRAINING, SCORING])
def test_a_committed_notebook_is_small_and_names_no_path_of_a_machine(name):
    path = NOTEBOOKS / name
    assert path.stat().st_size < MOST_BYTES
    book = nbformat.read(path, 4)
    for cell in book.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("image/png", None)
    found = re.findall(r"/(?:root|home|tmp|Users|var|work)/\S*", nbformat.writes(book))
    assert not found
