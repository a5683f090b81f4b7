"""A version that learned from a draw of the legitimate payments tells figures of all of them."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.training.conftest import THE_SAMPLE

from fraudline.bundle.bundle_files import REPORT_FILE, SCORES_FILE
from fraudline.bundle.manifest import Sample
from fraudline.bundle.reference import read_reference
from fraudline.measures.policy_effect import measure_effect
from fraudline.measures.scored_rows import judging_rows
from fraudline.training.policy_pages import with_policy

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded and a candidate trained
ONE_IN = 3


@pytest.fixture(scope="module")
def drawn(trained, quick, history, creditcard):
    """A candidate of all frauds and one in three of the others."""
    labels = creditcard.labels(history)
    keep = labels == 1
    keep[np.flatnonzero(labels == 0)[::ONE_IN]] = True
    rows = history.filter(pa.array(keep))
    sample = Sample(one_in=ONE_IN, rows=history.num_rows, frauds=int(labels.sum()))
    source = msgspec.structs.replace(THE_SAMPLE, rows=rows.num_rows, sample=sample)
    return trained(quick["mlp"], history=rows, source=source)


def test_its_parts_figures_and_policy_are_of_all_payments(drawn, history, creditcard):
    directory, manifest, said = drawn
    parts = manifest.parts
    assert sum(each.rows for each in parts.values()) == pytest.approx(history.num_rows, abs=3)
    assert parts["test"].rows == pytest.approx(history.num_rows * 0.2, abs=6)
    assert sum(each.frauds for each in parts.values()) == creditcard.labels(history).sum()
    test = parts["test"].metrics
    assert test["legitimate_approved"] + test["legitimate_stopped"] == (
        parts["test"].rows - parts["test"].frauds
    )
    effect = measure_effect(manifest.policy, judging_rows(pq.read_table(directory / SCORES_FILE)))
    assert effect.rows.payments == parts["test"].rows
    # A score is calibrated to payments of which frauds are as rare as they are among all.
    validation = parts["validation"]
    assert validation.metrics["expected_frauds"] == pytest.approx(validation.frauds, rel=0.1)
    assert any("of them drawn)" in each for each in said)


def test_every_place_that_tells_of_it_says_that_it_was_a_draw(drawn, tmp_path):
    directory, manifest, said = drawn
    told = "one in 3 of the legitimate payments"
    assert told in str(manifest.source)
    assert told in (directory / REPORT_FILE).read_text()
    assert "told by one in 3 of the legitimate ones" in (directory / REPORT_FILE).read_text()
    assert manifest.reference.endswith(", of which one in 3 was drawn")
    assert any("of which one in 3 was drawn" in each for each in said)
    policy = msgspec.structs.replace(manifest.policy, review_cost=9.0)
    changed = with_policy(directory, tmp_path, policy)
    assert changed.source.sample == manifest.source.sample
    assert "told by one in 3" in (tmp_path / REPORT_FILE).read_text()


def test_what_the_stream_is_compared_with_has_as_few_frauds_as_the_stream(drawn, history):
    reference = read_reference(drawn.directory)
    assert reference.facts.rows == pytest.approx(history.num_rows / ONE_IN, rel=0.02)


def test_a_version_of_a_whole_history_says_nothing_of_draws(candidates):
    content = msgspec.to_builtins(candidates["mlp"].manifest)
    assert "sample" not in content["source"]
    assert "legitimate_one_in" not in (candidates["mlp"].directory / "metrics.json").read_text()
