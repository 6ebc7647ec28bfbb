import copy
import pickle

import numpy as np
import pytest
from helpers import TEXTS, TINY
from sklearn.model_selection import cross_val_predict

from skulmfit import LMFineTuner, ULMFiTRegressor

STARS = np.array([4.5, 1.0, 5.0, 2.0, 3.5, 1.5] * 4)
BOTH = np.column_stack([STARS, -10 * STARS])


def small(**parameters):
    options = {"epochs": 100, "dropout_multiplier": 0.0, "learning_rate": 0.02, "random_state": 0} | parameters
    return ULMFiTRegressor(LMFineTuner(**TINY, epochs=1), **options)


@pytest.fixture(scope="module")
def fitted():
    return small().fit(TEXTS, STARS)


def test_it_learns_its_training_texts(fitted):
    assert fitted.predict(TEXTS).shape == STARS.shape
    assert fitted.score(TEXTS, STARS) > 0.9


def test_several_targets_have_a_column_each():
    regressor = small().fit(TEXTS, BOTH)
    assert regressor.predict(TEXTS).shape == BOTH.shape
    assert regressor.score(TEXTS, BOTH) > 0.9


def test_the_scale_of_the_targets_does_not_matter(fitted):
    scaled = small().fit(TEXTS, 1e6 * STARS + 1e7)
    np.testing.assert_allclose(scaled.predict(TEXTS), 1e6 * fitted.predict(TEXTS) + 1e7, rtol=1e-4)


def test_a_text_alone_gives_what_it_gives_beside_others(fitted):
    alone = np.concatenate([fitted.predict([text]) for text in TEXTS[:6]])
    np.testing.assert_allclose(alone, fitted.predict(TEXTS)[:6], rtol=1e-5)
    np.testing.assert_array_equal(fitted.predict(TEXTS[::-1]), fitted.predict(TEXTS)[::-1])


def test_targets_far_from_zero_keep_their_differences():
    assert small().fit(TEXTS, STARS + 1.7e9).score(TEXTS, STARS + 1.7e9) > 0.9


def test_constant_targets_are_predicted():
    np.testing.assert_allclose(small(epochs=1).fit(TEXTS, np.full(24, 7.0)).predict(TEXTS), 7)


def test_a_weight_of_zero_is_a_removed_text():
    weights = np.r_[np.ones(18), np.zeros(6)]
    weighted, removed = small(epochs=1).fit(TEXTS, STARS, weights), small(epochs=1).fit(TEXTS[:18], STARS[:18])
    np.testing.assert_array_equal(weighted.predict(TEXTS), removed.predict(TEXTS))


def test_weights_pull_towards_their_targets():
    stars = np.tile([1.0, 5.0], 12)  # every text has both
    texts, heavy = np.repeat(TEXTS[:6], 4).tolist(), np.where(stars == 5, 1.0, 0.1)
    plain, weighted = small(epochs=20).fit(texts, stars), small(epochs=20).fit(texts, stars, heavy)
    assert weighted.predict(TEXTS).mean() > plain.predict(TEXTS).mean() + 0.5


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))], ids=["deepcopy", "pickle"])
def test_a_copy_predicts_the_same(fitted, copier):
    np.testing.assert_array_equal(copier(fitted).predict(TEXTS), fitted.predict(TEXTS))


def test_early_stopping_sets_texts_aside():
    regressor = small(early_stopping=True, validation_fraction=0.25).fit(TEXTS, STARS)
    assert any("validation_loss" in row for row in regressor.history_)


def test_it_can_be_cross_validated():
    assert cross_val_predict(small(epochs=1), TEXTS, STARS, cv=2).shape == STARS.shape


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (STARS[:5], "inconsistent numbers of samples"),
        (np.r_[STARS[:-1], np.nan], "y contains NaN"),
        (["good"] * 24, "could not convert string to float"),
    ],
)
def test_targets_that_are_not_numbers_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        small().fit(TEXTS, y)
