import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv
import pytest

from fraudline.bundle import Manifest, Source
from fraudline.contract import Contract, load_contract
from fraudline.settings import PolicySettings
from fraudline.training.recipes.default import DEFAULT
from fraudline.training.recipes.mlp import MLP
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.recipes.tutorial import TUTORIAL, TUTORIAL_BY_TIME
from fraudline.training.train import train

THE_SAMPLE = Source(
    table="the sample",
    query="SELECT * FROM the_sample",
    read_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    rows=3550,
    sha256="5a" * 32,
)
SAMPLE = Path(__file__).parents[1] / "data" / "creditcard-sample.csv"

# Long enough to learn something, short enough for a test.
QUICK = {
    "default": replace(DEFAULT, epochs=3, batch_rows=64, legitimate_per_fraud=3),
    "mlp": replace(MLP, epochs=3, batch_rows=64, legitimate_per_fraud=3),
    "tutorial": replace(TUTORIAL, epochs=2, batch_rows=64),
    "tutorial_by_time": replace(TUTORIAL_BY_TIME, epochs=1, batch_rows=64),
}


class Candidate(NamedTuple):
    directory: Path
    manifest: Manifest
    said: list[str]


Trainer = Callable[..., Candidate]


@pytest.fixture(scope="session")
def quick() -> dict[str, Recipe]:
    return QUICK


@pytest.fixture(scope="session")
def creditcard() -> Contract:
    return load_contract("creditcard")


@pytest.fixture(scope="session")
def history(creditcard: Contract) -> pa.Table:
    return pyarrow.csv.read_csv(SAMPLE).cast(creditcard.history_schema)


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, creditcard: Contract, history: pa.Table
) -> Trainer:
    """Trains a quick candidate; by default from the sample, with a test part of a fifth."""

    def trained(
        recipe: Recipe,
        *,
        history: pa.Table = history,
        contract: Contract = creditcard,
        test_share: float = 0.2,
    ) -> Candidate:
        directory, said = tmp_path_factory.mktemp("bundle"), []
        manifest = train(
            history,
            contract,
            recipe,
            directory,
            source=THE_SAMPLE,
            test_share=test_share,
            seed=7,
            costs=PolicySettings(),
            on_progress=said.append,
        )
        return Candidate(directory, manifest, said)

    return trained


@pytest.fixture(scope="session")
def candidates(trained: Trainer) -> dict[str, Candidate]:
    """A candidate of each recipe, trained once."""
    return {name: trained(recipe) for name, recipe in QUICK.items()}


@pytest.fixture(params=["default", "mlp", "tutorial"])
def candidate(request: pytest.FixtureRequest, candidates: dict[str, Candidate]) -> Candidate:
    return candidates[request.param]
