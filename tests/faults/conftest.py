"""One pipeline for all fault tests; each proves anew what it did to it."""

from collections.abc import Iterator

import pytest
from tests.faults.trial import Trial, trial


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with trial(tmp_path_factory.mktemp("faults") / "home", print) as made:
        yield made
