import copy
import pickle

import numpy as np
import pytest
from helpers import LABELS, LM_RECIPE, RECIPE, TEXTS, broken_off, small_classifier, small_lm
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor

INDICATORS = np.array([[label == "good", len(text) > 30] for text, label in zip(TEXTS, LABELS)], dtype=int)


def lm(direction="both", **parameters):
    return small_lm(direction=direction, random_state=0, **parameters)


@pytest.fixture(scope="module")
def both():
    return lm().fit(TEXTS)


def classifier(stage=None, **parameters):
    return small_classifier(stage or lm(), epochs=2, **parameters)


def test_features_of_both_directions_stand_side_by_side(both):
    expected = np.hstack([both.directions_[name].transform(TEXTS) for name in ("forward", "backward")])
    np.testing.assert_array_equal(both.transform(TEXTS), expected)
    assert expected.shape[1] == both.n_features_out_ == len(both.get_feature_names_out()) == 48
    assert both.get_feature_names_out()[24] == "lmfinetuner_backward_last0"


def test_each_direction_is_what_it_would_be_alone(both):
    for direction in ("forward", "backward"):
        alone = lm(direction).fit(TEXTS)
        np.testing.assert_array_equal(alone.transform(TEXTS), both.directions_[direction].transform(TEXTS))


def test_the_directions_do_not_read_the_same(both):
    forward, backward = both.directions_.values()
    assert not np.allclose(forward.transform(TEXTS), backward.transform(TEXTS))


@pytest.mark.parametrize("y", [LABELS, INDICATORS], ids=["classes", "several labels"])
def test_probabilities_are_the_mean_of_both_directions(y):
    fitted = classifier().fit(TEXTS, y)
    expected = np.mean([member.predict_proba(TEXTS) for member in fitted.directions_.values()], axis=0)
    probabilities = fitted.predict_proba(TEXTS)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    if y is LABELS:
        np.testing.assert_array_equal(fitted.predict(TEXTS), fitted.classes_[expected.argmax(axis=1)])
        odds = np.log(probabilities[:, 1] / probabilities[:, 0])
        np.testing.assert_allclose(fitted.decision_function(TEXTS), odds, atol=1e-4)
    else:
        np.testing.assert_array_equal(fitted.predict(TEXTS), (expected > 0.5).astype(int))


def test_a_frozen_pair_of_language_models_is_used_as_it_is(both):
    fitted = classifier(FrozenEstimator(both)).fit(TEXTS, LABELS)
    assert set(fitted.directions_) == {"forward", "backward"}
    assert fitted.transform(TEXTS).shape == (24, 48)


def test_regressions_of_both_directions_are_averaged():
    fitted = ULMFiTRegressor(lm(), epochs=1, random_state=0).fit(TEXTS, np.arange(24))
    expected = np.mean([member.predict(TEXTS) for member in fitted.directions_.values()], axis=0)
    np.testing.assert_allclose(fitted.predict(TEXTS), expected)


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))], ids=["deepcopy", "pickle"])
def test_copies_are_the_same(both, copier):
    np.testing.assert_array_equal(copier(both).transform(TEXTS), both.transform(TEXTS))
    fitted = classifier().fit(TEXTS, LABELS)
    np.testing.assert_array_equal(copier(fitted).predict_proba(TEXTS), fitted.predict_proba(TEXTS))


def test_a_refit_in_one_direction_forgets_the_other(both):
    refitted = copy.deepcopy(both).set_params(direction="forward").fit(TEXTS)
    assert list(refitted.directions_) == ["forward"]
    assert refitted.transform(TEXTS).shape == (24, 24)
    assert clone(both).fit(TEXTS).transform(TEXTS).shape == (24, 48)


def test_scores_and_texts_come_from_both_or_from_the_forward_one(both):
    samples = [member.score_samples(TEXTS) for member in both.directions_.values()]
    np.testing.assert_allclose(both.score_samples(TEXTS), np.mean(samples, axis=0))
    assert both.generate("fine", n_tokens=3, random_state=0) == both.directions_["forward"].generate(
        "fine", n_tokens=3, random_state=0
    )


def test_parameters_set_after_fit_count_for_both(both):
    changed = copy.deepcopy(both).set_params(pooling="mean")
    assert changed.transform(TEXTS).shape == (24, 16) == (24, len(changed.get_feature_names_out()))
    assert changed.n_features_out_ == 16


def test_a_missing_direction_is_said_before_any_training():
    both = ULMFiTClassifier(LMFineTuner("en-lm", direction="both", recipe=LM_RECIPE))
    with broken_off(at=1, error=AssertionError), pytest.raises(ValueError, match="'en-lm' reads forward, not backward"):
        both.fit(TEXTS, LABELS)


def test_each_language_model_can_be_asked_for(both):
    assert [both.language_model(name).direction for name in ("forward", "backward")] == ["forward", "backward"]
    with pytest.raises(ValueError, match="direction=None is not one of 'forward', 'backward'"):
        both.language_model()


def test_the_history_says_which_direction(both):
    assert [row["direction"] for row in both.history_] == ["forward", "backward"]


def test_it_works_in_a_pipeline():
    assert make_pipeline(lm(), LogisticRegression()).fit(TEXTS, LABELS).predict(TEXTS).shape == (24,)


def test_a_model_that_reads_the_other_way_is_refused(both, tmp_path):
    paths = [tmp_path / f"{name}.npz" for name in both.directions_]
    for path, member in zip(paths, both.directions_.values()):
        member.language_model().save(path)
    pair = LMFineTuner(tuple(paths), direction="both", epochs=0).fit(["-"])
    np.testing.assert_allclose(pair.transform(TEXTS), both.transform(TEXTS), atol=0.02)
    with pytest.raises(ValueError, match="reads forward, not backward"):
        LMFineTuner(paths[0], direction="backward").fit(["-"])
    with pytest.raises(ValueError, match="direction='sideways' is not one of"):
        LMFineTuner(direction="sideways").fit(["-"])


@pytest.mark.parametrize(
    "make", [lambda: lm(recipe=LM_RECIPE), lambda: classifier(recipe=RECIPE)], ids=["language model", "classifier"]
)
def test_an_interrupted_fit_ends_with_the_direction_it_is_in(make):
    with broken_off(at=1), pytest.warns(UserWarning, match="interrupted by user"):
        fitted = make().fit(TEXTS, LABELS)
    assert list(fitted.directions_) == ["forward"]
    assert len(fitted.transform(TEXTS)) == len(TEXTS)


def test_a_random_state_moves_on_from_fit_to_fit():
    estimator = ULMFiTClassifier(lm(), epochs=1, random_state=np.random.RandomState(0))
    first, second = (estimator.fit(TEXTS, LABELS).predict_proba(TEXTS) for _ in range(2))
    assert not np.array_equal(first, second)
