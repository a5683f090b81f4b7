"""One pipeline for all fault tests; each proves anew what it did to it."""

from collections.abc import Iterator

import pytest
from tests.faults.trial import Trial, trial


# It ends with these tests: beside others it would take an eighth of a processor, and a gigabyte.
@pytest.fixture(scope="package")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with trial(tmp_path_factory.mktemp("faults") / "home", print) as made:
        yield made
