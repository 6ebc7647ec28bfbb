import copy
import pickle
import sys
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from helpers import LABELS, LM_RECIPE, RECIPE, TEXTS, TINY, Breaking, broken_off, small_classifier
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score

from skulmfit import CLASSIFIER_RECIPES, LMFineTuner, Phase, ULMFiTClassifier

ODD_TEXTS = ["", "漢字", "fine", "dull " * 700, "FINE!!!", "fine film " * 130]


small = partial(small_classifier, epochs=2, learning_rate=0.02)


def test_it_learns_its_training_texts(tiny_classifier):
    assert tiny_classifier.score(TEXTS, LABELS) == 1.0


@pytest.mark.parametrize(
    "labels", [LABELS, [label == "good" for label in LABELS], [7 if label == "good" else -3 for label in LABELS]]
)
def test_predictions_are_labels_of_the_type_given(labels):
    classifier = small(epochs=20).fit(TEXTS, labels)
    predicted = classifier.predict(TEXTS)
    assert predicted.dtype == np.asarray(labels).dtype
    assert (predicted == labels).mean() > 0.9


def test_probabilities_decisions_and_predictions_agree(tiny_classifier):
    probabilities, decisions = tiny_classifier.predict_proba(ODD_TEXTS), tiny_classifier.decision_function(ODD_TEXTS)
    assert probabilities.shape == (len(ODD_TEXTS), 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(decisions, np.log(probabilities[:, 1] / probabilities[:, 0]), atol=1e-4)
    expected = tiny_classifier.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(tiny_classifier.predict(ODD_TEXTS), expected)


@pytest.mark.parametrize("labels", [LABELS, np.eye(2, dtype=int)[[0, 1] * 12]], ids=["labels", "indicators"])
def test_logarithms_of_probabilities_are_finite_where_these_round_to_0(labels):
    classifier = small().fit(TEXTS, labels)
    np.testing.assert_allclose(classifier.predict_log_proba(TEXTS), np.log(classifier.predict_proba(TEXTS)), rtol=1e-5)
    logits = np.array([[-200.0, 200.0]], np.float32)
    np.testing.assert_allclose(
        classifier._fitted.targets.log_probabilities(logits).min(), [-400, -200][labels is not LABELS]
    )


def test_a_parameter_of_a_language_model_that_is_not_there_is_named():
    search = GridSearchCV(ULMFiTClassifier(), {"lm__epochs": [1, 2]})
    with pytest.raises(ValueError, match=r"lm__epochs is a parameter of lm, but lm is None. Give lm=LMFineTuner\(\)"):
        search.fit(TEXTS, LABELS)
    assert ULMFiTClassifier().set_params(lm=LMFineTuner(), lm__epochs=3).lm.epochs == 3


def test_three_classes_have_three_decisions():
    labels = [("a", "b", "c")[index % 3] for index in range(len(TEXTS))]
    assert small().fit(TEXTS, labels).decision_function(TEXTS).shape == (len(TEXTS), 3)


def test_one_document_gives_what_it_gives_in_a_batch(tiny_classifier):
    together = tiny_classifier.predict_proba(ODD_TEXTS)
    alone = np.vstack([tiny_classifier.predict_proba([text]) for text in ODD_TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_array_equal(tiny_classifier.predict_proba(ODD_TEXTS[::-1]), together[::-1])


def test_the_whole_encoder_moves_over_from_the_language_model(tiny_lm):
    with broken_off(at=1), pytest.warns(UserWarning, match="interrupted by user"):
        classifier = ULMFiTClassifier(FrozenEstimator(tiny_lm), recipe=RECIPE).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(classifier.transform(TEXTS), tiny_lm.transform(TEXTS))


def test_every_layer_of_the_encoder_is_fine_tuned(tiny_lm):
    classifier = ULMFiTClassifier(FrozenEstimator(tiny_lm), epochs=1, random_state=0).fit(TEXTS, LABELS)
    before, (model,) = tiny_lm.language_model().weights, classifier._fitted.models
    for name in before:
        assert name == "decoder_bias" or not np.array_equal(model.weights[name], before[name]), name


def test_a_frozen_language_model_is_used_and_left_as_it_is(tiny_lm):
    before = tiny_lm.transform(TEXTS)
    classifier = ULMFiTClassifier(FrozenEstimator(tiny_lm), epochs=1, random_state=0).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(tiny_lm.transform(TEXTS), before)
    assert classifier.vocab_size_ == tiny_lm.vocab_size_


def test_the_lm_parameter_is_not_fitted_itself():
    classifier = small()
    classifier.fit(TEXTS, LABELS)
    assert not hasattr(classifier.lm, "history_")


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))], ids=["deepcopy", "pickle"])
def test_a_copy_predicts_the_same_and_can_be_refitted(tiny_classifier, copier):
    copied = copier(tiny_classifier)
    np.testing.assert_array_equal(copied.predict_proba(TEXTS), tiny_classifier.predict_proba(TEXTS))
    copied.fit(TEXTS, LABELS)
    clone(copied).fit(TEXTS, LABELS)


def test_a_pickle_holds_no_torch_objects(tiny_classifier):
    assert b"torch" not in pickle.dumps(tiny_classifier)


def test_the_same_seed_gives_the_same_bits_also_in_other_processes():
    here = small().fit(TEXTS, LABELS).predict_proba(TEXTS)
    with parallel_config("loky", inner_max_num_threads=torch.get_num_threads()):
        fitted = Parallel(n_jobs=2)(delayed(small().fit)(TEXTS, LABELS) for _ in range(2))
    for classifier in fitted:
        np.testing.assert_array_equal(classifier.predict_proba(TEXTS), here)


def test_global_state_is_left_alone():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    small().fit(TEXTS, LABELS).predict(TEXTS)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_weights_of_one_are_no_weights():
    plain, weighted = small().fit(TEXTS, LABELS), small().fit(TEXTS, LABELS, sample_weight=np.ones(len(TEXTS)))
    np.testing.assert_array_equal(plain.predict_proba(TEXTS), weighted.predict_proba(TEXTS))


def test_a_weight_of_zero_is_a_removed_text():
    weights = np.r_[np.ones(18), np.zeros(6)]
    weighted, removed = small().fit(TEXTS, LABELS, weights), small().fit(TEXTS[:18], LABELS[:18])
    np.testing.assert_array_equal(weighted.predict_proba(TEXTS), removed.predict_proba(TEXTS))


def test_weights_pull_towards_their_class():
    heavy = np.where(np.array(LABELS) == "good", 50.0, 1.0)
    plain, weighted = small().fit(TEXTS, LABELS), small().fit(TEXTS, LABELS, heavy)
    assert weighted.predict_proba(ODD_TEXTS)[:, 1].mean() > plain.predict_proba(ODD_TEXTS)[:, 1].mean()


def test_label_smoothing_keeps_probabilities_from_the_extremes(tiny_lm):
    options = {"epochs": 20, "dropout_multiplier": 0.0, "learning_rate": 0.02, "random_state": 0}
    plain, smoothed = (
        ULMFiTClassifier(FrozenEstimator(tiny_lm), label_smoothing=amount, **options).fit(TEXTS, LABELS)
        for amount in (0.0, 0.4)
    )
    assert plain.predict_proba(TEXTS).max(axis=1).mean() > 0.95
    assert smoothed.predict_proba(TEXTS).max(axis=1).mean() < 0.9


def test_the_plan_and_the_history_of_both_stages_are_visible(tiny_classifier):
    names = list(dict.fromkeys(row["stage"] for row in tiny_classifier.history_))
    assert names == ["language model", "all layers"]
    assert [stage.name for stage in tiny_classifier.stages_] == names[1:]
    assert tiny_classifier.n_iter_ == sum(stage.epochs for stage in tiny_classifier.stages_)


def test_gradual_unfreezing_trains_the_head_first_and_adds_layers_from_the_top():
    classifier = small(gradual_unfreezing=True, epochs=1).fit(TEXTS, LABELS)
    assert [stage.name for stage in classifier.stages_] == ["head", "from lstm1", "from lstm0", "all layers"]


def test_a_recipe_may_be_given_by_its_name_or_as_it_is():
    named, given = (small(recipe=recipe).fit(TEXTS, LABELS) for recipe in ("paper", CLASSIFIER_RECIPES["paper"]))
    assert given.stages_ == named.stages_
    np.testing.assert_array_equal(given.predict_proba(TEXTS), named.predict_proba(TEXTS))


def test_the_head_may_train_last_too():
    phases = (Phase("all", epochs=1), Phase(1, epochs=1))
    classifier = small(recipe=replace(CLASSIFIER_RECIPES["paper"], phases=phases), epochs="auto").fit(TEXTS, LABELS)
    assert [stage.name for stage in classifier.stages_] == ["all layers", "head"]
    whole = small(recipe=replace(CLASSIFIER_RECIPES["paper"], phases=phases[:1]), epochs="auto").fit(TEXTS, LABELS)
    np.testing.assert_array_equal(classifier.transform(TEXTS), whole.transform(TEXTS))


def test_early_stopping_watches_held_out_texts_and_keeps_the_best_weights():
    classifier = small(early_stopping=True, validation_fraction=0.25, n_iter_no_change=1, epochs=30)
    classifier.fit(TEXTS, LABELS)
    losses = [row["validation_loss"] for row in classifier.history_ if "validation_loss" in row]
    assert len(losses) == classifier.n_iter_ < sum(stage.epochs for stage in classifier.stages_)


def test_ctrl_c_warns_and_leaves_a_usable_estimator():
    with broken_off(at=20), pytest.warns(UserWarning, match="interrupted by user"):
        classifier = small(epochs=20, recipe=RECIPE).fit(TEXTS, LABELS)
    assert classifier.predict(TEXTS).shape == (len(TEXTS),)


def test_ctrl_c_in_the_language_model_stage_trains_the_head_only():
    lm = LMFineTuner(**TINY, epochs=10, recipe=LM_RECIPE)
    with broken_off(at=2), pytest.warns(UserWarning, match="interrupted by user"):
        classifier = ULMFiTClassifier(lm, epochs=20, random_state=0).fit(TEXTS, LABELS)
    assert [stage.name for stage in classifier.stages_] == ["head"]
    assert classifier.predict(TEXTS).shape == (len(TEXTS),)


def test_a_failed_refit_leaves_the_earlier_fit_whole():
    classifier = small(recipe=RECIPE).fit(TEXTS, LABELS)
    before = classifier.predict_proba(TEXTS)
    with broken_off(at=1, error=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        classifier.fit(["other", "texts", "entirely"] * 2, [1, 2, 3] * 2)
    np.testing.assert_array_equal(classifier.predict_proba(TEXTS), before)


def test_whoever_predicts_during_a_refit_has_the_old_model(monkeypatch):
    classifier, seen = small(recipe=RECIPE).fit(TEXTS, LABELS), []
    before = classifier.predict_proba(TEXTS)
    monkeypatch.setattr(Breaking, "watch", lambda: seen.append(classifier.predict_proba(TEXTS)))
    classifier.fit(TEXTS, np.arange(24) % 3)
    np.testing.assert_array_equal(seen, [before] * len(seen))
    assert seen and classifier.predict_proba(TEXTS).shape == (24, 3)


def test_copies_do_not_depend_on_parameters_set_after_fit(tiny_classifier):
    changed = copy.deepcopy(tiny_classifier).set_params(hidden_dim=7, dropout_multiplier=3)
    np.testing.assert_array_equal(copy.deepcopy(changed).predict_proba(TEXTS), tiny_classifier.predict_proba(TEXTS))


def test_copying_leaves_the_random_state_alone(tiny_classifier):
    state = torch.get_rng_state()
    copy.deepcopy(tiny_classifier)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_of_one_process_do_not_disturb_each_other():
    here = small().fit(TEXTS, LABELS).predict_proba(TEXTS)
    fitted = Parallel(n_jobs=3, backend="threading")(delayed(small().fit)(TEXTS, LABELS) for _ in range(3))
    for classifier in fitted:
        np.testing.assert_array_equal(classifier.predict_proba(TEXTS), here)


def test_two_texts_are_enough():
    with pytest.warns(UserWarning, match="y has only one text of 0"):
        assert small(epochs=1).fit(["a", "b"], [0, 1]).predict(["a"]).shape == (1,)


def test_a_long_document_runs_in_chunks():
    texts = ["fine film " * 1500, "dull film " * 1500, *TEXTS]
    classifier = small(epochs=1).fit(texts, ["good", "bad", *LABELS])
    assert np.isfinite(classifier.predict_proba(texts)).all()


def test_it_can_be_cross_validated_and_searched():
    assert cross_val_score(small(), TEXTS, LABELS, cv=2, n_jobs=2).shape == (2,)
    search = GridSearchCV(small(), {"lm__epochs": [1, 2], "dropout_multiplier": [0.5]}, cv=2).fit(TEXTS, LABELS)
    assert "lm__epochs" in search.best_params_


def test_its_repr_fits_a_line():
    assert repr(ULMFiTClassifier()) == "ULMFiTClassifier()"


def test_a_fit_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(epochs=1).fit(TEXTS, LABELS)


def test_the_loss_of_an_epoch_is_the_mean_of_those_of_its_updates(tiny_classifier):
    losses, start = tiny_classifier.loss_curve_, 0
    for row in tiny_classifier.history_:
        own = losses[start : start + row["updates"]]
        assert min(own) <= row["loss"] <= max(own)
        start += row["updates"]
    assert start == len(losses)


def test_a_refit_changes_all_that_another_thread_sees_at_once():
    """Whenever it looks, classes and probabilities are of the same fit."""
    classifier, states = small().fit(TEXTS, LABELS), []
    fitted = small().fit(TEXTS, [0, 1, 2] * 8)._fitted
    before = sys.gettrace()

    def trace(frame, event, argument):
        if frame.f_code.co_name in ("_publish", "_attributes"):
            states.append((len(classifier.classes_), classifier._fitted.targets.n_outputs))
            return trace
        return None

    sys.settrace(trace)
    try:
        classifier._publish(fitted)
    finally:
        sys.settrace(before)
    assert states and all(n_classes == n_outputs for n_classes, n_outputs in states)
    assert len(classifier.classes_) == 3
