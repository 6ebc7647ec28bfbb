"""`X_val` and `y_val`: the user's own held-out texts, of all three estimators."""

import numpy as np
import pytest
from helpers import LABELS, TEXTS, TINY, small_lm
from sklearn.preprocessing import LabelBinarizer

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor

NEW_TEXTS = ["Fine music, a fine story.", "A dull and boring evening."]
NEW_LABELS = ["good", "bad"]


def small(kind=ULMFiTClassifier, **parameters):
    options = {"epochs": 30, "gradual_unfreezing": False, "n_iter_no_change": 2, "random_state": 0} | parameters
    return kind(small_lm(), **options)


def losses(estimator):
    return [row["validation_loss"] for row in estimator.history_ if "validation_loss" in row]


def test_the_weights_that_do_best_on_the_users_texts_are_kept():
    classifier = small(learning_rate=0.05).fit(TEXTS, LABELS, X_val=NEW_TEXTS, y_val=NEW_LABELS)
    columns = np.searchsorted(classifier.classes_, NEW_LABELS)
    loss = -np.log(classifier.predict_proba(NEW_TEXTS)[np.arange(2), columns]).mean()
    assert loss == pytest.approx(min(losses(classifier)), rel=1e-5)


def test_training_ends_when_the_loss_on_them_stops_improving():
    wrong = ["bad", "good"]
    classifier = small(learning_rate=0.05).fit(TEXTS, LABELS, X_val=NEW_TEXTS, y_val=wrong)
    assert classifier.n_iter_ == len(losses(classifier)) < sum(stage.epochs for stage in classifier.stages_)


def test_all_other_texts_are_trained_on():
    plain = small(n_iter_no_change=30).fit(TEXTS, LABELS)
    watched = small(n_iter_no_change=30).fit(TEXTS, LABELS, X_val=NEW_TEXTS, y_val=NEW_LABELS)
    assert losses(plain) == []
    assert [row["loss"] for row in watched.history_] == [row["loss"] for row in plain.history_]


def test_a_regressor_is_measured_on_the_scale_of_its_training_targets():
    stars = np.array([5.0, 1.0, 4.0, 1.0, 5.0, 2.0] * 4)
    regressor = small(ULMFiTRegressor).fit(TEXTS, stars, X_val=NEW_TEXTS, y_val=[4.0, 2.0])
    error = (regressor.predict(NEW_TEXTS) - [4.0, 2.0]) / stars.std()
    assert (error**2).mean() == pytest.approx(min(losses(regressor)), rel=1e-4)


def test_several_labels_a_text():
    indicators = np.hstack([LabelBinarizer().fit_transform(LABELS)] * 2)
    classifier = small().fit(TEXTS, indicators, X_val=NEW_TEXTS, y_val=[[1, 1], [0, 0]])
    assert len(losses(classifier)) == classifier.n_iter_


def test_a_language_model_can_be_watched_too():
    lm = LMFineTuner(**TINY, epochs=40, learning_rate=0.05, random_state=0).fit(TEXTS, X_val=NEW_TEXTS)
    assert len(losses(lm)) == lm.n_iter_ < 40
    assert -lm.score(NEW_TEXTS) == pytest.approx(min(losses(lm)), rel=1e-5)


def test_classes_have_the_same_weights_in_held_out_texts():
    options = {"class_weight": {"good": 3.0, "bad": 1.0}, "learning_rate": 0.05}
    classifier = small(**options).fit(TEXTS, LABELS, X_val=NEW_TEXTS, y_val=NEW_LABELS)
    columns = np.searchsorted(classifier.classes_, NEW_LABELS)
    each = -np.log(classifier.predict_proba(NEW_TEXTS)[np.arange(2), columns])
    assert np.average(each, weights=[3, 1]) == pytest.approx(min(losses(classifier)), rel=1e-4)


def test_no_text_is_set_aside_beside_them():
    options = {"early_stopping": True, "validation_fraction": 0.99}
    assert losses(small(**options).fit(TEXTS, LABELS, X_val=NEW_TEXTS, y_val=NEW_LABELS))


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        ({"X_val": NEW_TEXTS}, "X_val and y_val go together"),
        ({"y_val": NEW_LABELS}, "X_val and y_val go together"),
        ({"X_val": NEW_TEXTS, "y_val": ["good", "odd"]}, "y_val has the label 'odd', which y does not have"),
        ({"X_val": NEW_TEXTS, "y_val": ["good"]}, "inconsistent numbers of samples"),
        ({"X_val": ["fine", None], "y_val": NEW_LABELS}, "row 1 of X is None"),
    ],
)
def test_held_out_texts_are_checked(held_out, message):
    with pytest.raises(ValueError, match=message):
        small().fit(TEXTS, LABELS, **held_out)


def test_the_history_has_the_score_beside_the_loss():
    classifier = small(epochs=3, n_iter_no_change=30).fit(TEXTS, LABELS, X_val=NEW_TEXTS, y_val=NEW_LABELS)
    rows = [row for row in classifier.history_ if "validation_score" in row]
    best = min(rows, key=lambda row: row["validation_loss"])
    assert best["validation_score"] == classifier.score(NEW_TEXTS, NEW_LABELS)


def test_the_score_of_a_regressor_is_r_squared():
    regressor = small(ULMFiTRegressor, epochs=2, n_iter_no_change=30)
    regressor.fit(TEXTS, np.arange(24.0), X_val=NEW_TEXTS, y_val=[4.0, 2.0])
    best = min((row for row in regressor.history_ if "validation_score" in row), key=lambda row: row["validation_loss"])
    assert best["validation_score"] == pytest.approx(regressor.score(NEW_TEXTS, [4.0, 2.0]), rel=1e-4)


def test_the_score_of_several_labels_is_the_share_of_texts_that_are_all_right():
    indicators = np.hstack([LabelBinarizer().fit_transform(LABELS)] * 2)
    held_out = np.array([[1, 1], [0, 0]])
    classifier = small(epochs=2, n_iter_no_change=30).fit(TEXTS, indicators, X_val=NEW_TEXTS, y_val=held_out)
    best = min((r for r in classifier.history_ if "validation_score" in r), key=lambda row: row["validation_loss"])
    assert best["validation_score"] == classifier.score(NEW_TEXTS, held_out)
