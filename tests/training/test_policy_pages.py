"""A version's policy is chosen on its validation rows, and another policy is another version."""

import html

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.models import tiny_policy, write_tiny_bundle, write_tiny_scores
from tests.orders import orders
from tests.transactions import BARE, CREDITCARD, SHOP, WALLET, WALLET_ROW, message

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import GRAPH_FILE, check_bundle
from fraudline.contract import Decoder
from fraudline.errors import BundleError, InputError
from fraudline.measures.policy_effect import measure_effect, money
from fraudline.measures.scored_rows import judging_rows, part_of
from fraudline.scoring import assess
from fraudline.settings import PolicySettings
from fraudline.training.policy_pages import (
    SCORES_FILE,
    capped,
    choose_policy,
    scored_rows,
    with_policy,
    with_unlabelled,
    write_page,
)
from fraudline.training.split import Split

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded and a candidate trained


@pytest.fixture
def ours(candidates):
    return candidates["default"]


def changed(manifest, **changes):
    return msgspec.structs.replace(manifest.policy, **changes)


def test_the_kept_rows_are_those_of_validation_and_test_with_the_scores_that_judged(
    ours, creditcard, history
):
    rows = pq.read_table(ours.directory / SCORES_FILE)
    parts = ours.manifest.parts
    for name in ("validation", "test"):
        judged = part_of(rows, name)
        assert len(judged.scores) == parts[name].rows
        assert judged.labels.sum() == parts[name].frauds
        assert judged.days * 86400 == pytest.approx(
            float(parts[name].last_event.split()[0]) - float(parts[name].first_event.split()[0])
        )
    test = part_of(rows, "test")
    latest = history.slice(history.num_rows - len(test.scores))
    assessment = assess(latest, open_bundle(ours.directory, creditcard))
    assert assessment.scores == pytest.approx(test.scores, abs=1e-6)
    assert (
        assessment.decision_codes == ours.manifest.policy.decide(test.scores, test.amounts)
    ).mean() > 0.999


def test_another_policy_is_another_version_that_names_the_first(ours, creditcard, tmp_path):
    wanted = changed(ours.manifest, review_from=0.2, block_from=0.7, most_reviews_a_day=1e6)
    manifest = with_policy(ours.directory, tmp_path, wanted)
    assert manifest.version != ours.manifest.version
    assert manifest.derived_from == ours.manifest.version
    assert (manifest.policy.review_from, manifest.policy.block_from) == (0.2, 0.7)
    assert manifest.files[GRAPH_FILE] == ours.manifest.files[GRAPH_FILE]
    page = (tmp_path / "decisions.html").read_text()
    assert "every payment is blocked from a score of 0.7" in page
    assert ours.manifest.version in page
    report = (tmp_path / "report.html").read_text()
    effect = measure_effect(manifest.policy, part_of(pq.read_table(tmp_path / SCORES_FILE), "test"))
    for name, sentence in effect.facts():
        assert f">{name}</th>" in report
        assert sentence in html.unescape(report)
    assert report.count("<h2>What its policy does</h2>") == 1
    assert f"the model of {ours.manifest.version} with another policy" in report
    opened = open_bundle(tmp_path, creditcard)
    assert opened.manifest == manifest
    assert check_bundle(ours.directory) == ours.manifest


def test_a_lower_cap_is_kept_by_the_new_version(ours, tmp_path):
    manifest = with_policy(ours.directory, tmp_path, changed(ours.manifest, most_reviews_a_day=0.0))
    assert manifest.policy.reviews_a_day == 0


def test_the_same_policy_is_refused(ours, tmp_path):
    with pytest.raises(InputError, match="has this policy already"):
        with_policy(ours.directory, tmp_path, ours.manifest.policy)
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_was_altered_is_not_copied(ours, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir(), target.mkdir()
    with_policy(ours.directory, source, changed(ours.manifest, review_cost=1.0))
    (source / GRAPH_FILE).write_bytes(b"other")
    with pytest.raises(BundleError, match="was altered"):
        with_policy(source, target, changed(ours.manifest, review_cost=2.0))
    assert list(target.iterdir()) == []


def test_a_recipe_that_does_not_calibrate_blocks_from_its_own_score(candidates, tmp_path):
    tutorial = candidates["tutorial"]
    policy = tutorial.manifest.policy
    assert (policy.review_from, policy.block_from, policy.reviews_a_day) == (0.5, 0.5, 0)
    with pytest.raises(InputError, match="can only block from a fixed score"):
        with_policy(tutorial.directory, tmp_path, changed(tutorial.manifest, review_from=0.1))
    both = changed(tutorial.manifest, review_from=0.9, block_from=0.9)
    assert with_policy(tutorial.directory, tmp_path, both).policy.block_from == 0.9


def test_the_page_weighs_the_policy_against_other_ways_to_decide(ours):
    page = (ours.directory / "decisions.html").read_text()
    assert "costs 100 % of its amount" in page
    assert "0.00 to 0.00" not in page
    for way in ("the policy", "approve everything", "as the tutorial does", "the best fixed"):
        assert way in page
    assert "EUR" in page
    amounts = part_of(pq.read_table(ours.directory / SCORES_FILE), "test").amounts
    for share in (0.05, 0.5, 0.99):
        assert f"<td>{money(np.quantile(amounts, share))}</td>" in page
    assert "1,000" not in page.partition("What it is worth")[0]


def test_rows_drawn_at_random_make_no_fewer_payments_a_day_than_come(tmp_path):
    history = pa.table({"Time": np.linspace(0, 10 * 86400, 1000)})
    rows = np.arange(1000)
    drawn = Split(rows[rows % 5 > 0], rows[:0], rows[rows % 5 == 0], is_random=True)
    zeros = np.zeros(1000)
    scored = scored_rows(history, CREDITCARD, drawn, zeros.astype(np.int8), zeros, zeros)
    pq.write_table(scored, tmp_path / SCORES_FILE)
    judged = judging_rows(pq.read_table(tmp_path / SCORES_FILE))
    assert len(judged.scores) / judged.days == pytest.approx(100, rel=0.01)
    effect = measure_effect(tiny_policy(), judged)
    assert "drawn at random, as many as come in 1.99 days" in effect.judged_by
    assert dict(effect.facts())["approved"] == "200 (0 frauds), 100 a day"


def test_another_policy_keeps_its_cap_with_what_was_never_labelled(tmp_path):
    rows, zeros = np.arange(200), np.zeros(200)
    history = pa.table({"Time": np.linspace(0, 86400, 200), "Amount": np.full(200, 50.0)})
    split = Split(rows[:100], rows[100:], rows[:0])
    seen = scored_rows(history, CREDITCARD, split, (rows % 50 == 0).astype("i1"), zeros, zeros + 50)
    blocked = history.slice(150)
    kept = with_unlabelled(seen, CREDITCARD, blocked, np.full(50, 0.99))
    pq.write_table(kept, tmp_path / SCORES_FILE)
    again = pq.read_table(tmp_path / SCORES_FILE)
    fixed = {"review_from": None, "block_from": None, "above_review_cap": "approve"}
    policy = tiny_policy(**fixed, explore_share=0.1)
    assert capped(policy, seen).reviews_a_day == 0
    days = judging_rows(again).days
    assert capped(policy, again).reviews_a_day == pytest.approx(0.1 * 50 / days)
    assert measure_effect(policy, judging_rows(again)).reviews_a_day == pytest.approx(5 / days)
    assert part_of(again, "validation").labels.sum() == part_of(seen, "validation").labels.sum()
    assert len(part_of(again, "validation").labels) == 100


def test_times_of_a_timestamp_count_in_seconds():
    messages = [message(WALLET_ROW, paid_at=f"2026-01-02T03:04:{s:02d}.5Z") for s in range(60)]
    rows, _, _ = Decoder(WALLET.transaction_columns).decode(messages)
    split = Split(np.arange(30), np.arange(30, 40), np.arange(40, 60))
    nothing = np.zeros(60)
    scored = scored_rows(
        pa.Table.from_batches([rows]), WALLET, split, nothing.astype(np.int8), nothing, nothing
    )
    assert part_of(scored, "train") is None
    assert part_of(scored, "test").days * 86400 == pytest.approx(19)


def test_without_an_amount_no_share_of_one_is_lost_and_rows_without_a_time_stand_for_their_days():
    history = orders(1000).cast(BARE.history_schema)
    labels, scores = BARE.labels(history), np.linspace(0, 1, 1000)
    rows = np.arange(1000)
    split = Split(rows[:600], rows[600:800], rows[800:], is_random=True)
    kept = scored_rows(history, BARE, split, labels, scores, BARE.amounts(history), one_in=3)
    test = part_of(kept, "test")
    stand_for = 3 * 200 - 2 * int(labels[800:].sum())
    assert test.days * 400 == pytest.approx(stand_for, abs=3)
    assert test.is_drawn
    policy = choose_policy(BARE, PolicySettings(), None, kept)
    assert (policy.lost_share, policy.unit) == (0, "")
    assert choose_policy(SHOP, PolicySettings(), None, kept).lost_share == 1


def test_a_page_of_costs_without_a_unit_leaves_no_gap_for_one(tmp_path):
    write_tiny_scores(tmp_path)
    policy = tiny_policy(review_from=None, block_from=None, lost_share=0.0, unit="")
    write_tiny_bundle(tmp_path, CREDITCARD, policy=policy)
    write_page(tmp_path, check_bundle(tmp_path), pq.read_table(tmp_path / SCORES_FILE))
    page = (tmp_path / "decisions.html").read_text()
    assert f"An approved fraud costs {money(policy.fraud_cost)}, whatever it was worth." in page
    assert f"blocked costs {money(policy.wrong_block_cost)}." in page
