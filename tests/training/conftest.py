import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv
import pytest
from tests.conftest import turn
from tests.training.later import recipes, train

from fraudline.bundle.bundle_files import read_manifest
from fraudline.bundle.manifest import Manifest, Source
from fraudline.contract import Contract, load_contract
from fraudline.settings import PolicySettings
from fraudline.training.recipes.recipe import Recipe

THE_SAMPLE = Source(
    table="the sample",
    query="SELECT * FROM the_sample",
    read_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    rows=3550,
    sha256="5a" * 32,
)
SAMPLE = Path(__file__).parents[1] / "data" / "creditcard-sample.csv"

OURS = {"most_steps": 150, "batch_rows": 64, "legitimate_per_fraud": 3, "learning_rate": 4e-3}
# Long enough to learn something, short enough for a test.
QUICK = {
    "default": OURS,
    "mlp": OURS,
    "trees": {},
    "tutorial": {"epochs": 2, "batch_rows": 64},
    "tutorial_by_time": {"epochs": 1, "batch_rows": 64},
}


class Candidate(NamedTuple):
    directory: Path
    manifest: Manifest
    said: list[str]


Trainer = Callable[..., Candidate]


@pytest.fixture(scope="session")
def quick() -> Mapping[str, Recipe]:
    """Recipes, shortened; TensorFlow is loaded when the first of them is asked for."""

    class Quick(dict[str, Recipe]):
        def __missing__(self, name: str) -> Recipe:
            self[name] = replace(recipes()[name], **QUICK[name])
            return self[name]

    return Quick()


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
        source: Source = THE_SAMPLE,
    ) -> Candidate:
        directory, said = tmp_path_factory.mktemp("bundle"), []
        manifest = train(
            history,
            contract,
            recipe,
            directory,
            source=source,
            test_share=test_share,
            seed=7,
            costs=PolicySettings(),
            on_progress=said.append,
        )
        return Candidate(directory, manifest, said)

    return trained


@pytest.fixture(scope="session")
def candidates(
    run_directory: Path, trained: Trainer, quick: Mapping[str, Recipe]
) -> Mapping[str, Candidate]:
    """A candidate of each recipe, trained once for all workers, when the first test asks for it."""

    class Candidates(dict[str, Candidate]):
        def __missing__(self, name: str) -> Candidate:
            kept = run_directory / f"candidate-{name}.json"
            with turn(run_directory, f"candidate-{name}"):
                if kept.exists():
                    directory, said = json.loads(kept.read_bytes())
                    self[name] = Candidate(
                        Path(directory), read_manifest(Path(directory)), list(said)
                    )
                else:
                    self[name] = trained(quick[name])
                    kept.write_text(json.dumps([str(self[name].directory), self[name].said]))
            return self[name]

    return Candidates()


# It splits, balances and scales as the default recipe does; its network alone is another.
MLP = pytest.param("mlp", marks=pytest.mark.slow)


@pytest.fixture(params=["default", MLP, "tutorial"])
def candidate(request: pytest.FixtureRequest, candidates: Mapping[str, Candidate]) -> Candidate:
    return candidates[request.param]
