from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.training.later import as_set, fit_model, recipes

from fraudline.settings import TrainingSettings
from fraudline.training.preparation import Inputs

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded
INPUTS = Inputs(plain=(0, 1, 2))
NO_ROWS = np.zeros((0, 3), np.float32), np.zeros(0, np.int8)


def rows(seed: int, count: int = 600) -> Any:
    """Frauds that one feature tells and another all but tells; the labels of some are wrong."""
    random = np.random.default_rng(seed)
    labels = (random.random(count) < 0.2).astype(np.int8)
    features = random.normal(size=(count, 3)).astype(np.float32)
    features[:, 0] += 2 * labels
    features[:, 1] *= 1 + labels
    return features, labels ^ (random.random(count) < 0.05)


@pytest.fixture(scope="module")
def quick() -> Any:
    changes = {"most_steps": 320, "batch_rows": 32, "learning_rate": 0.01, "averaging": 0.9}
    return replace(recipes()["mlp"], **changes)


@pytest.fixture(scope="module")
def fit(quick: Any) -> Any:
    return fit_model(quick, INPUTS, rows(1), rows(2, 200), 3, lambda _: None)


def weights(fit: Any) -> np.ndarray:
    return np.concatenate([each.ravel() for each in fit.model.network.get_weights()])


def test_a_network_is_the_one_that_ranked_the_validation_part_best(fit):
    steps = [each.steps for each in fit.checkpoints]
    assert steps == [100, 125, 156, 195, 244, 305, 320]
    reached = {each.steps: each.validation_average_precision for each in fit.checkpoints}
    assert reached[fit.steps] == max(reached.values())
    features, labels = rows(2, 200)
    from sklearn.metrics import average_precision_score  # noqa: PLC0415 - it takes a second

    scored = average_precision_score(labels, fit.model.log_odds(features))
    assert scored == pytest.approx(reached[fit.steps])


def test_a_fit_for_as_many_steps_is_the_same_network_bit_by_bit(fit, quick):
    again = fit_model(quick, INPUTS, rows(1), NO_ROWS, 3, lambda _: None, steps=fit.steps)
    assert again.steps == fit.steps
    assert (weights(again) == weights(fit)).all()


def test_learning_ends_long_before_its_most_steps_where_nothing_gets_better(quick):
    said: list[str] = []
    validation = rows(2, 200)
    random_labels = np.random.default_rng(4).permutation(validation[1])
    patient = replace(quick, most_steps=1_000_000)
    fit = fit_model(patient, INPUTS, rows(1), (validation[0], random_labels), 3, said.append)
    assert fit.checkpoints[-1].steps < 10_000
    assert said[-1] == f"best on the validation part after {fit.steps:,} steps"


@pytest.fixture
def told() -> tuple[list[str], Callable[[str], None]]:
    said: list[str] = []
    return said, said.append


def test_what_is_set_for_training_replaces_what_the_recipe_has_and_is_told(told):
    said, on_progress = told
    ours = recipes()["default"]
    assert as_set(ours, TrainingSettings(), on_progress) is ours
    assert not said
    asked = TrainingSettings(learning_rate=0.002, most_steps=500)
    assert as_set(ours, asked, on_progress) == replace(ours, learning_rate=0.002, most_steps=500)
    assert said == [
        "as [training] says, not as recipe 'default' has it: learning_rate 0.002, most_steps 500"
    ]


def test_the_tutorial_learns_as_it_is_printed_whatever_is_set_and_that_is_told(told):
    said, on_progress = told
    tutorial = recipes()["tutorial"]
    assert as_set(tutorial, TrainingSettings(batch_rows=64), on_progress) is tutorial
    assert said[0].startswith("LOOK: recipe 'tutorial' learns as the tutorial does")
    assert "batch_rows 64" in said[0]
