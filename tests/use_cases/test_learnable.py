"""Which versions go on learning, and what is said of one that does not."""

import pytest
from tests.models import manifest_for
from tests.transactions import WALLET

from fraudline.errors import BundleError
from fraudline.use_cases.recalibrate_version import can_be_calibrated
from fraudline.use_cases.update_version import require_learnable


def test_trees_do_not_go_on_learning_and_are_trained_anew() -> None:
    trees = manifest_for(WALLET, recipe="trees")
    with pytest.raises(BundleError, match=r"do not go on learning.* `fraudline learning retrain`"):
        require_learnable(trees, WALLET)
    require_learnable(trees, WALLET, is_anew=True)
    assert can_be_calibrated(trees)


def test_a_network_without_its_keras_file_neither_goes_on_nor_is_trained_anew() -> None:
    for is_anew in (False, True):
        with pytest.raises(BundleError, match=r"has no model\.keras"):
            require_learnable(manifest_for(WALLET, recipe="mlp"), WALLET, is_anew=is_anew)
