from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import TEXTS, small_classifier
from scipy.sparse import csr_matrix
from sklearn.preprocessing import MultiLabelBinarizer

import skulmfit
from skulmfit.estimators.indicator_targets import Indicators, positive_weights
from skulmfit.nn.target_losses import weighted_binary_cross_entropy

LABELS = MultiLabelBinarizer().fit_transform(
    [("fine", "film"), ("dull", "film"), ("fine", "story"), ("dull", "story"), ("fine",), ()] * 4
)  # columns: dull, film, fine, story


small = partial(small_classifier, epochs=30, dropout_multiplier=0.0, learning_rate=0.02)


@pytest.fixture(scope="module")
def fitted():
    return small().fit(TEXTS, LABELS)


def test_it_learns_several_labels_a_text_and_none(fitted):
    np.testing.assert_array_equal(fitted.predict(TEXTS), LABELS)


def test_every_label_has_a_probability_of_its_own(fitted):
    probabilities, decisions = fitted.predict_proba(TEXTS), fitted.decision_function(TEXTS)
    assert probabilities.shape == decisions.shape == LABELS.shape
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-decisions)), atol=1e-6)
    np.testing.assert_array_equal(fitted.classes_, np.arange(4))


def test_sparse_indicators_are_dense_ones():
    dense, sparse = small(epochs=1).fit(TEXTS, LABELS), small(epochs=1).fit(TEXTS, csr_matrix(LABELS))
    np.testing.assert_array_equal(dense.predict_proba(TEXTS), sparse.predict_proba(TEXTS))


def test_two_labels_are_not_two_classes():
    assert small(epochs=1).fit(TEXTS, LABELS[:, :2]).decision_function(TEXTS).shape == (24, 2)


def test_balanced_labels_weigh_presence_and_absence_the_same():
    weights = positive_weights("balanced", LABELS, np.arange(4))
    n_positive = LABELS.sum(axis=0)
    np.testing.assert_allclose(weights * n_positive, len(LABELS) - n_positive)


def test_the_presence_of_a_label_can_weigh_more():
    contradictory = np.tile(LABELS[:3], (8, 1))  # every text has each of three sets twice
    plain, weighted = (small(class_weight=w).fit(TEXTS[:4] * 6, contradictory) for w in (None, {1: 50.0}))
    assert weighted.predict_proba(TEXTS)[:, 1].mean() > plain.predict_proba(TEXTS)[:, 1].mean() + 0.1


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({4: 1.0}, r"names labels \[4\], but the columns of y are \[0, 1, 2, 3\]"),
        ("even", "a dict, 'balanced' or None, got 'even'"),
    ],
)
def test_class_weights_of_labels_that_are_not_there_are_refused(class_weight, message):
    with pytest.raises(ValueError, match=message):
        small(class_weight=class_weight).fit(TEXTS, LABELS)


def test_weights_of_texts_pull_towards_their_labels():
    texts, contradictory = np.repeat(TEXTS[:6], 4).tolist(), np.tile([[1, 0], [0, 1]], (12, 1))
    heavy = np.where(contradictory[:, 0] == 1, 1.0, 0.1)
    weighted = small(epochs=20).fit(texts, contradictory, heavy).predict_proba(TEXTS).mean(axis=0)
    assert weighted[0] > 0.7 > 0.3 > weighted[1]


def test_indicators_other_than_0_and_1_are_refused():
    with pytest.raises(ValueError, match="holds 0 and 1 only, or False and True; row 0 of y has -1 in column '0'"):
        small().fit(TEXTS, 2 * LABELS - 1)


def test_the_loss_is_the_binary_cross_entropy_of_smoothed_targets():
    logits, targets = torch.randn(5, 3), torch.randint(0, 2, (5, 3))
    smooth = targets * 0.8 + 0.1
    expected = F.binary_cross_entropy(torch.sigmoid(logits), smooth, weight=torch.ones(5, 3), reduction="mean")
    loss = weighted_binary_cross_entropy(logits, targets, torch.ones(5), label_smoothing=0.2)
    torch.testing.assert_close(loss, expected)


def test_texts_with_the_same_labels_are_drawn_together():
    targets = Indicators.of_columns_of(LABELS)
    groups = targets.groups(LABELS)
    assert groups.shape == (24,)
    alike = (LABELS[:, None] == LABELS).all(axis=2)
    np.testing.assert_array_equal(groups[:, None] == groups, alike)


def test_nothing_is_drawn_together_where_all_texts_have_the_same_labels():
    assert Indicators.of_columns_of(LABELS).groups(LABELS[[0, 0, 0]]) is None


def test_where_every_text_has_a_label_so_has_every_prediction():
    logits = np.array([[-3.0, -1.0, -2.0], [1.0, 2.0, -1.0]])
    targets, *_ = Indicators.learn(np.eye(3, dtype=int)[[0, 1, 2, 0]], list("abcd"), None, np.ones(4))
    assert targets.decode(logits).tolist() == [[0, 1, 0], [1, 1, 0]]
    assert targets.score(logits, np.array([[0, 1, 0], [1, 0, 0]])) == 0.5


def test_where_a_text_has_none_a_prediction_may_have_none():
    logits = np.array([[-3.0, -1.0, -2.0]])
    y = np.vstack([np.eye(3, dtype=int), np.zeros((1, 3), int)])
    targets, *_ = Indicators.learn(y, list("abcd"), None, np.ones(4))
    assert targets.decode(logits).tolist() == [[0, 0, 0]]
    without_it, *_ = Indicators.learn(y, list("abcd"), None, np.array([1.0, 1.0, 1.0, 0.0]))
    assert without_it.decode(logits).tolist() == [[0, 1, 0]]


def test_the_rule_that_every_text_has_a_label_is_saved(tmp_path):
    y = np.eye(8, dtype=int)[np.arange(24) % 8]  # of no relation to the texts
    small(epochs=1).fit(TEXTS, y).save(tmp_path / "model.npz")
    loaded = skulmfit.load(tmp_path / "model.npz")
    assert (loaded.decision_function(TEXTS) < 0).all()
    assert (loaded.predict(TEXTS).sum(axis=1) == 1).all()
