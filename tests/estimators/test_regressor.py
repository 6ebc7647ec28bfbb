import copy
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers import TEXTS, small_regressor
from sklearn.model_selection import cross_val_predict

from skulmfit.estimators.number_targets import Numbers

STARS = np.array([4.5, 1.0, 5.0, 2.0, 3.5, 1.5] * 4)
BOTH = np.column_stack([STARS, -10 * STARS])


small = partial(small_regressor, epochs=100, dropout_multiplier=0.0, learning_rate=0.02)


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


@pytest.mark.parametrize("factor", [2.0**700, 2.0**-700])
def test_targets_near_the_ends_of_float64_are_learnt_as_others_are(factor):
    regressor, scaled = small(epochs=1).fit(TEXTS, STARS), small(epochs=1).fit(TEXTS, factor * STARS)
    np.testing.assert_array_equal(scaled.predict(TEXTS), factor * regressor.predict(TEXTS))


def test_a_target_beyond_what_the_loss_can_hold_is_named():
    targets, _ = Numbers.learn([1.0, 2.0], ["x", "y"], "ULMFiTRegressor", np.ones(2))
    with pytest.raises(ValueError, match=r"Row 1 of y_val is 1e\+200, too far from the others"):
        targets.encode([1.0, 1e200], ["x", "y"])


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
        (np.r_[STARS[:-1], np.nan], "y contains NaN.*row 23 is nan"),
        (np.r_[STARS[:-1], np.inf], "y contains infinity or a value beyond 1e300: row 23 is inf"),
        (pd.Series([1.0, None] * 12, dtype="Float64"), "missing value: row 1 is <NA>"),
        (np.array(["2020", "2021"] * 12, dtype="datetime64[D]"), "y must hold numbers; row 0 is datetime.date"),
        (pd.Series(pd.to_datetime(["2020", "2021"] * 12)), "y must hold numbers; row 0 is"),
        (["good"] * 24, "y must hold numbers; row 0 is 'good' of type str"),
    ],
)
def test_targets_that_are_not_numbers_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        small().fit(TEXTS, y)


def groups(y):
    targets, encoded = Numbers.learn(y, ["a text"] * len(y), "ULMFiTRegressor", np.ones(len(y)))
    found = targets.groups(encoded)
    return None if found is None else found.tolist()


def test_numbers_are_drawn_together_by_quarters():
    assert groups([3, 0, 1, 2, 7, 6, 5, 4]) == [1, 0, 0, 1, 3, 3, 2, 2]


def test_equal_ratings_are_in_one_quarter():
    assert groups([5, 1, 5, 5, 4, 5, 5, 5]) == [3, 0, 3, 3, 0, 3, 3, 3]


def test_equal_numbers_and_several_a_text_are_not_drawn_together():
    assert groups([2.5, 2.5, 2.5]) is None
    assert groups([[1, 2], [3, 4], [5, 6]]) is None
