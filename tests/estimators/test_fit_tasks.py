"""scikit-learn's callbacks on our estimators; where they are missing, `fit` does without."""

import numpy as np
import pytest
from helpers import LABELS, TEXTS, TINY
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

import skulmfit
from skulmfit import LMFineTuner, ULMFiTClassifier

pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")


class Recorder:
    """Writes down every task, and scores the estimator at the end of those that can predict."""

    max_propagation_depth = None

    def __init__(self, stop_in=None):
        self.begun, self.ended, self.losses, self.stop_in = [], [], [], stop_in

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    @staticmethod
    def path(context):
        names = []
        while context is not None:
            names.insert(0, context.task_name)
            context = context.parent
        return "/".join(names)

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(self.path(context))

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.ended.append(self.path(context))
        if isinstance(fitted_estimator, ULMFiTClassifier):
            self.losses.append(log_loss(y, fitted_estimator.predict_proba(X)))
        return context.task_name == "epoch" and context.parent.task_name == self.stop_in


def classifier(**params):
    return ULMFiTClassifier(LMFineTuner(**TINY, epochs=2), epochs=3, random_state=0, **params)


def test_stages_and_epochs_are_tasks_under_the_fit():
    recorder = Recorder()
    fitted = classifier().set_callbacks(recorder).fit(TEXTS, LABELS)
    assert recorder.begun[0] == recorder.ended[-1] == "fit"
    assert sorted(recorder.begun) == sorted(recorder.ended)
    for stage in fitted.stages_:
        assert recorder.ended.count(f"fit/{stage.name}/epoch") == stage.epochs
    assert sum(path.endswith("language model/epoch") for path in recorder.ended) == 2


def test_what_a_callback_is_given_predicts_as_far_as_the_training_is():
    recorder = Recorder()
    fitted = classifier(learning_rate=0.02).set_callbacks(recorder).fit(TEXTS, LABELS)
    assert recorder.losses[-1] < recorder.losses[0]
    assert recorder.losses[-1] == pytest.approx(log_loss(LABELS, fitted.predict_proba(TEXTS)), rel=1e-5)


def test_watching_changes_nothing():
    watched = classifier().set_callbacks(Recorder()).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(watched.predict_proba(TEXTS), classifier().fit(TEXTS, LABELS).predict_proba(TEXTS))


def test_a_callback_can_end_a_stage():
    fitted = classifier().set_callbacks(Recorder(stop_in="all layers")).fit(TEXTS, LABELS)
    assert sum(row["stage"] == "all layers" for row in fitted.history_) == 1 < fitted.stages_[-1].epochs


def test_both_directions_are_tasks_of_one_fit():
    recorder, lm = Recorder(), LMFineTuner(**TINY, epochs=1, direction="both")
    fitted = ULMFiTClassifier(lm, epochs=1).set_callbacks(recorder).fit(TEXTS, LABELS)
    assert sum(path.endswith("epoch") for path in recorder.ended) == len(fitted.history_)
    assert sorted(recorder.begun) == sorted(recorder.ended)


def test_callbacks_of_a_search_reach_the_epochs():
    recorder = Recorder()
    GridSearchCV(classifier(), {"hidden_dim": [3]}, cv=2).set_callbacks(recorder).fit(TEXTS, LABELS)
    assert sum(path.endswith("all layers/epoch") for path in recorder.ended) == 3 * 3


def test_scikit_learns_own_monitor_follows_the_epochs():
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="neg_log_loss")
    fitted = classifier().set_callbacks(monitor).fit(TEXTS, LABELS)
    scores = monitor.get_logs().data_as_pandas.loc[lambda frame: frame.task_name == "epoch"]
    assert len(scores) == fitted.n_iter_


def test_the_language_model_found_in_a_cache_brings_no_callbacks_along(tmp_path):
    watched, plain = (classifier(memory=str(tmp_path)) for _ in range(2))
    recorder = Recorder()
    watched.set_callbacks(recorder).fit(TEXTS, LABELS)
    n_tasks = len(recorder.ended)
    plain.fit(TEXTS, LABELS)
    assert len(recorder.ended) == n_tasks
    np.testing.assert_array_equal(watched.predict_proba(TEXTS), plain.predict_proba(TEXTS))


def test_texts_without_weight_are_given_to_callbacks_with_their_labels():
    recorder = Recorder()
    classifier().set_callbacks(recorder).fit(TEXTS, LABELS, sample_weight=np.r_[np.ones(18), np.zeros(6)])
    assert recorder.losses


def test_a_refit_in_one_direction_after_one_in_both_is_seen_as_it_is():
    recorder = Recorder()
    both = ULMFiTClassifier(LMFineTuner(**TINY, epochs=1, direction="both"), epochs=3, learning_rate=0.02)
    both.fit(TEXTS, LABELS).set_params(lm__direction="forward").set_callbacks(recorder).fit(TEXTS, LABELS)
    assert len(set(recorder.losses)) > 2


def test_what_a_callback_is_given_can_be_saved(tmp_path):
    class Saver(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            if fitted_estimator is not None:
                fitted_estimator.save(tmp_path / "model.npz")
                skulmfit.load(tmp_path / "model.npz")

    classifier().set_callbacks(Saver()).fit(TEXTS, LABELS)
