"""Weights and held-out texts on their way through scikit-learn's metadata routing."""

import numpy as np
import pytest
from helpers import LABELS, TEXTS, TINY
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor

WEIGHTS = np.r_[np.ones(18), np.zeros(6)]


@pytest.fixture(autouse=True)
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def classifier(**params):
    return ULMFiTClassifier(LMFineTuner(**TINY, epochs=1), epochs=2, random_state=0, **params)


def test_weights_that_are_asked_for_reach_the_classifier_in_a_pipeline():
    pipeline = make_pipeline(FunctionTransformer(list), classifier().set_fit_request(sample_weight=True))
    weighted = pipeline.fit(TEXTS, LABELS, sample_weight=WEIGHTS)
    removed = classifier().fit(TEXTS[:18], LABELS[:18])
    np.testing.assert_array_equal(weighted.predict_proba(TEXTS), removed.predict_proba(TEXTS))


def test_weights_are_split_with_the_texts_in_a_search():
    asked = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    search = GridSearchCV(asked, {"hidden_dim": [3]}, cv=2, refit=False).fit(TEXTS, LABELS, sample_weight=np.ones(24))
    plain = GridSearchCV(classifier(), {"hidden_dim": [3]}, cv=2, refit=False).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])


def test_weights_reach_the_score_where_they_are_asked_for():
    asked = classifier().set_fit_request(sample_weight=False).set_score_request(sample_weight=True)
    weights, cv = np.arange(1.0, 25), KFold(2)
    results = cross_validate(asked, TEXTS, LABELS, cv=cv, params={"sample_weight": weights}, return_estimator=True)
    for score, fitted, (_, rows) in zip(results["test_score"], results["estimator"], cv.split(TEXTS)):
        is_right = fitted.predict([TEXTS[row] for row in rows]) == np.array(LABELS)[rows]
        assert score == np.average(is_right, weights=weights[rows])


def test_weights_nobody_has_asked_for_are_an_error():
    with pytest.raises(
        ValueError, match=r"\[sample_weight\] are passed but are not explicitly set as requested or not"
    ):
        make_pipeline(FunctionTransformer(list), classifier()).fit(TEXTS, LABELS, sample_weight=WEIGHTS)


def test_a_regressor_asks_for_weights_too():
    regressor = ULMFiTRegressor(LMFineTuner(**TINY, epochs=1), epochs=1, random_state=0)
    asked = clone(regressor).set_fit_request(sample_weight=True)
    pipeline = make_pipeline(FunctionTransformer(list), asked).fit(TEXTS, np.arange(24.0), sample_weight=WEIGHTS)
    removed = regressor.fit(TEXTS[:18], np.arange(18.0))
    np.testing.assert_array_equal(pipeline.predict(TEXTS), removed.predict(TEXTS))


def test_held_out_texts_pass_the_steps_before_the_classifier():
    watched = classifier().set_fit_request(X_val=True, y_val=True)
    seen = []
    steps = [("edit", FunctionTransformer(lambda texts: seen.append(len(texts)) or list(texts))), ("classify", watched)]
    pipeline = Pipeline(steps, transform_input=["X_val"]).fit(TEXTS, LABELS, X_val=TEXTS[:6], y_val=LABELS[:6])
    assert seen == [24, 6]
    assert all("validation_loss" in row for row in pipeline[-1].history_ if row["stage"] != "language model")


def test_held_out_texts_can_be_asked_for_by_a_language_model():
    features = LMFineTuner(**TINY, epochs=1).set_fit_request(X_val=True)
    pipeline = make_pipeline(features, LogisticRegression()).fit(TEXTS, LABELS, X_val=TEXTS[:6])
    assert "validation_loss" in pipeline[0].history_[0]
