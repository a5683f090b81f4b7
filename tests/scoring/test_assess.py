"""One road to a score, which changes nothing and depends on the row alone."""

import numpy as np
import pyarrow as pa
import pytest
from tests.models import tiny_bundle
from tests.transactions import CARD_ROW, CREDITCARD, WALLET, WALLET_ROW, message

from fraudline.contract import APPROVE, BLOCK, Decoder
from fraudline.errors import InputError
from fraudline.scoring import Assessment, as_history, assess

CASES = [
    (WALLET, [message(WALLET_ROW, velocity=velocity) for velocity in (-3e4, 1.5, 3e6)]),
    (CREDITCARD, [message(CARD_ROW, V28=value) for value in (-1e4, 0.0, 1e4)]),
]


@pytest.fixture(params=CASES, ids=["wallet", "creditcard"])
def case(request, tmp_path):
    contract, messages = request.param
    rows, _, rejects = Decoder(contract.transaction_columns).decode(messages)
    assert rejects == []
    return contract, pa.Table.from_batches([rows]), tiny_bundle(tmp_path, contract)


def test_a_score_is_the_bundles_of_the_feature_matrix(case):
    contract, rows, bundle = case
    assessment = assess(rows, bundle)
    assert np.array_equal(assessment.scores, bundle.score(contract.feature_matrix(rows)))
    assert np.array_equal(assessment.thresholds, [0.5, 0.5, 0.5])
    assert assessment.model_version == bundle.manifest.version


def test_a_transaction_is_blocked_where_its_score_reaches_the_threshold(tmp_path):
    bundle = tiny_bundle(tmp_path, CREDITCARD)
    row = dict.fromkeys(CARD_ROW, 0.0)  # the tiny model gives it exactly one half
    messages = [message(row), message(row, V28=0.01), message(row, V28=-0.01)]
    rows, _, _ = Decoder(CREDITCARD.transaction_columns).decode(messages)
    assessment = assess(rows, bundle)
    assert assessment.scores[0] == 0.5
    assert assessment.decisions == [BLOCK, BLOCK, APPROVE]


def test_a_row_is_scored_alike_in_any_order_and_company(case):
    _, rows, bundle = case
    scores = assess(rows, bundle).scores
    backwards = assess(rows.take([2, 1, 0]), bundle).scores
    assert np.allclose(backwards[::-1], scores, atol=1e-7)
    for row in range(3):
        alone = assess(rows.slice(row, 1), bundle).scores
        assert np.allclose(alone, scores[row], atol=1e-7)


def test_a_label_is_not_looked_at(case):
    contract, rows, bundle = case
    label = contract.column(contract.label)
    scores = assess(rows, bundle).scores
    for value in (0, 1):
        labelled = rows.append_column(label.name, pa.array([value] * 3).cast(label.arrow_type))
        assert np.array_equal(assess(labelled, bundle).scores, scores)


def test_no_rows_give_no_scores(case):
    _, rows, bundle = case
    assert assess(rows.slice(0, 0), bundle).decisions == []


def test_history_has_the_decision_in_the_place_of_the_label(case):
    contract, rows, bundle = case
    assessment = assess(rows, bundle)
    history = as_history(rows, assessment, contract)
    assert history.schema == contract.history_schema
    assert contract.labels(history).tolist() == assessment.is_alert.astype(int).tolist()
    assert history.drop_columns(contract.label).to_pylist() == rows.to_pylist()


def test_a_row_without_a_score_is_named_and_never_labelled_in_silence(case):
    contract, rows, _ = case
    scores, codes = np.array([0.1, np.nan, 0.2]), np.zeros(3, np.int8)
    assessment = Assessment(scores, codes, scores, "m", np.zeros((3, 5), np.float32))
    with pytest.raises(InputError, match="model m gives no number for 1 rows, the first is row 2"):
        as_history(rows, assessment, contract)
