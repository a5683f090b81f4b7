from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.models import manifest_for, write_tiny_files
from tests.transactions import CREDITCARD, WALLET

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import (
    MANIFEST_FILE,
    REFERENCE_FILE,
    read_manifest,
    write_manifest,
)
from fraudline.bundle.reference import (
    SCORE,
    Reference,
    ReferenceFacts,
    Share,
    UsualDistance,
    read_reference,
    watched_values,
    write_reference,
)
from fraudline.errors import BundleError

RELEASED = Path(__file__).parents[1] / "data" / "last_release"


@pytest.fixture
def reference() -> Reference:
    facts = ReferenceFacts(
        cut="days",
        periods=28,
        rows=280_000,
        period_s=86_000.0,
        first_event="2026-01-01",
        last_event="2026-01-28",
        distances=dict.fromkeys(WALLET.features, UsualDistance(0.9, 0.3, 5.5)),
        high_score=0.7,
        high_share=Share(0.005, 0.0, 0.0001),
        score_rows=100_000,
        nulls={"risk_note": Share(0.2, 0.01, 0.001)},
    )
    points = np.linspace(0, 1, 2000)
    columns = dict.fromkeys(WALLET.features, points.astype(np.float32))
    return Reference(facts, {**columns, SCORE: points})


def test_a_reference_is_read_as_it_was_written_and_is_the_same_bytes(reference, tmp_path):
    write_tiny_files(tmp_path, WALLET)
    write_reference(tmp_path, reference)
    first = (tmp_path / REFERENCE_FILE).read_bytes()
    write_reference(tmp_path, reference)
    assert (tmp_path / REFERENCE_FILE).read_bytes() == first
    assert len(first) < 100_000

    manifest = write_manifest(tmp_path, manifest_for(WALLET, reference=str(reference.facts)))
    assert REFERENCE_FILE in manifest.files
    assert manifest.reference == "28 days of 10,000 transactions, 2026-01-01 to 2026-01-28"
    found = read_reference(tmp_path)
    assert found.facts == reference.facts
    assert found.columns.keys() == reference.columns.keys()
    for name, values in found.columns.items():
        assert values.dtype == reference.columns[name].dtype
        assert np.array_equal(values, reference.columns[name])
    open_bundle(tmp_path, WALLET)  # a scorer does not mind it


def test_a_version_of_the_last_release_has_no_reference_and_says_what_to_do():
    assert read_manifest(RELEASED).reference is msgspec.UNSET
    with pytest.raises(BundleError) as error:
        read_reference(RELEASED)
    assert read_manifest(RELEASED).version in str(error.value)
    assert "has no reference.arrow" in str(error.value)
    assert "`fraudline train`" in str(error.value)


@pytest.mark.parametrize("harm", ["altered", "gone", "link", "other"])
def test_a_reference_that_was_harmed_is_refused_by_name(harm, reference, tmp_path):
    write_tiny_files(tmp_path, WALLET)
    write_reference(tmp_path, reference)
    path = tmp_path / REFERENCE_FILE
    if harm == "other":  # whole, and not ours
        with pa.ipc.new_file(path, pa.schema([("a", pa.int8())])):
            pass
    write_manifest(tmp_path, manifest_for(WALLET))
    if harm == "altered":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif harm in {"gone", "link"}:
        path.unlink()
    if harm == "link":
        path.symlink_to(tmp_path / MANIFEST_FILE)
    with pytest.raises(BundleError, match=REFERENCE_FILE):
        read_reference(tmp_path)


def test_an_event_time_that_only_grows_is_compared_by_its_second_of_the_day():
    columns = {name: [1.0, 2.0] for name in CREDITCARD.transaction_schema.names}
    rows = pa.table({**columns, "Time": [90_000.0, 172_799.5]}, CREDITCARD.transaction_schema)
    at = CREDITCARD.features.index("Time")
    assert watched_values(CREDITCARD, rows)[:, at].tolist() == [3600.0, 86_399.5]
    assert CREDITCARD.feature_matrix(rows)[:, at].tolist() == [90_000.0, 172_799.5]
