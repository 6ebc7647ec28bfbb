"""The head of the default recipe starts as a regression on the encoder's features."""

import numpy as np
import pytest
from helpers import LABELS, TEXTS, TINY
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputClassifier

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor
from skulmfit.estimators.regressions import logistic_regression

STILL = {"learning_rate": 1e-12, "epochs": 1, "dropout_multiplier": 0.0, "random_state": 0}
NEW_TEXTS = ["A fine film, with fine music.", "Dull!", "boring, boring story", "Nothing to see"]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A small language model, as it is, and its features of the texts and of new ones."""
    path = tmp_path_factory.mktemp("lm") / "lm.npz"
    LMFineTuner(**TINY, epochs=1, random_state=0).fit(TEXTS).language_model().save(path, dtype=np.float32)
    lm = LMFineTuner(path, epochs=0)
    fitted = clone(lm).fit(TEXTS)
    return lm, fitted.transform(TEXTS), fitted.transform(NEW_TEXTS)


@pytest.mark.parametrize("labels", [LABELS, [f"class {row % 3}" for row in range(24)]], ids=["two", "three"])
def test_a_classifier_that_hardly_trains_is_a_logistic_regression(start, labels):
    lm, features, new = start
    weights = np.linspace(0.5, 1.5, 24)
    expected = LogisticRegression(max_iter=300).fit(features, labels, sample_weight=weights / weights.mean())
    found = ULMFiTClassifier(lm, **STILL).fit(TEXTS, labels, sample_weight=weights).predict_proba(NEW_TEXTS)
    np.testing.assert_allclose(found, expected.predict_proba(new), atol=1e-3)


def test_with_several_labels_it_is_one_for_each(start):
    lm, features, new = start
    y = np.array([[label == "good", len(text) > 30] for text, label in zip(TEXTS, LABELS)], dtype=int)
    expected = MultiOutputClassifier(LogisticRegression(max_iter=300)).fit(features, y).predict_proba(new)
    found = ULMFiTClassifier(lm, **STILL).fit(TEXTS, y).predict_proba(NEW_TEXTS)
    np.testing.assert_allclose(found, np.column_stack([part[:, 1] for part in expected]), atol=1e-3)


def test_a_regressor_that_hardly_trains_is_a_ridge_regression(start):
    lm, features, new = start
    y = np.array([4.5, 1.0, 5.0, 2.0, 3.5, 1.5] * 4)
    expected = Ridge(alpha=10.0).fit(features, (y - y.mean()) / y.std()).predict(new) * y.std() + y.mean()
    found = ULMFiTRegressor(lm, **STILL).fit(TEXTS, y).predict(NEW_TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_class_without_texts_starts_as_improbable():
    weight, bias = logistic_regression(np.eye(4), np.array([0, 2, 0, 2]), np.ones(4), 3)
    logits = np.eye(4) @ weight.T + bias
    assert (logits.argmax(axis=1) == [0, 2, 0, 2]).all()
    assert (logits[:, 1] < logits[:, [0, 2]].min(axis=1) - 5).all()


def test_one_class_alone_starts_as_certain():
    weight, bias = logistic_regression(np.eye(2), np.array([1, 1]), np.ones(2), 2)
    assert not weight.any()
    assert bias[1] > bias[0] + 10


def test_training_goes_on_from_there(start):
    lm, _, _ = start
    untrained, trained = (
        ULMFiTClassifier(lm, **STILL | change).fit(TEXTS, LABELS)
        for change in ({}, {"epochs": 8, "learning_rate": 0.01})
    )
    assert trained.score(TEXTS, LABELS) >= untrained.score(TEXTS, LABELS)
    assert trained.history_[-1]["loss"] < untrained.history_[-1]["loss"]


def test_transform_gives_what_the_head_sees():
    classifier = ULMFiTClassifier(LMFineTuner(epochs=0), **STILL).fit(["good", "bad"] * 2, [1, 0] * 2)
    np.testing.assert_allclose(
        classifier.transform(["a good day"]), LMFineTuner(epochs=0).fit(["-"]).transform(["a good day"]), atol=1e-5
    )
    assert classifier.get_feature_names_out()[-1] == "ulmfitclassifier_sentence767"


def test_the_papers_recipe_has_the_papers_head(start):
    lm, _, _ = start
    fitted = ULMFiTClassifier(lm, recipe="paper", epochs=1).fit(TEXTS, LABELS)
    assert fitted._fitted.models[0].head.features is None
    assert fitted.n_features_out_ == 3 * TINY["embedding_dim"]


def test_gradual_unfreezing_trains_the_head_alone_on_all_that_it_sees():
    texts, labels = ["a good day", "a bad day", "good food", "bad food"] * 2, [1, 0] * 4
    options = {"epochs": 1, "learning_rate": 1e-12, "dropout_multiplier": 0.0, "random_state": 0}
    at_once, gradual = (
        ULMFiTClassifier(LMFineTuner(epochs=0), gradual_unfreezing=unfreezing, **options).fit(texts, labels)
        for unfreezing in (False, True)
    )
    assert [stage.name for stage in gradual.stages_][:2] == ["head", "from lstm2"]
    np.testing.assert_allclose(gradual.predict_proba(texts), at_once.predict_proba(texts), atol=1e-5)
