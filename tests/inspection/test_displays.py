"""The displays, by what they draw."""

import matplotlib
import numpy as np
import pytest
from helpers import LABELS, LM_RECIPE, NUMBERS, TEXTS, broken_off, small_classifier, small_lm, small_regressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from skulmfit.inspection import LabelCurveDisplay, LearningRateDisplay, TrainingCurveDisplay
from skulmfit.inspection.smoothing import smooth

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="module")
def watched():
    classifier = small_classifier(epochs=2, gradual_unfreezing=True)
    return classifier.fit(TEXTS, LABELS, X_val=TEXTS[:4], y_val=LABELS[:4])


def test_the_training_curve_shows_every_update_and_marks_the_stages(watched):
    display = TrainingCurveDisplay.from_estimator(watched)
    above, below = display.axes_
    stages = [*watched.lm_stages_, *watched.stages_]
    assert [text.get_text() for text in above.texts] == [stage.name for stage in stages]
    drawn = np.concatenate([curve.losses for curve in display.curves])
    np.testing.assert_array_equal(drawn, watched.loss_curve_)
    assert len(below.get_legend_handles_labels()[1]) == len({name for stage in stages for name in stage.learning_rates})


def test_the_rates_are_those_of_the_schedule(watched):
    last = TrainingCurveDisplay.from_estimator(watched).curves[-1]
    stage = watched.stages_[-1]
    expected = [
        stage.learning_rates["head"] * stage.schedule.rate(i, len(last.losses)) for i in range(len(last.losses))
    ]
    np.testing.assert_allclose(last.rates["head"], expected)


def test_validation_losses_stand_at_the_ends_of_epochs(watched):
    display = TrainingCurveDisplay.from_estimator(watched)
    drawn = [loss for curve in display.curves for _, loss in curve.validation]
    assert drawn == [row["validation_loss"] for row in watched.history_ if "validation_loss" in row]
    updates = [row["updates"] for row in watched.history_ if row["stage"] == "all layers"]
    assert [at for at, _ in display.curves[-1].validation] == np.cumsum(updates).tolist()


def test_an_interrupted_language_model_keeps_its_updates_apart():
    with broken_off(at=4), pytest.warns(UserWarning, match="interrupted"):
        classifier = small_classifier(small_lm(recipe=LM_RECIPE, epochs=3)).fit(TEXTS, LABELS)
    curves = TrainingCurveDisplay.from_estimator(classifier).curves
    head = sum(row["updates"] for row in classifier.history_ if row["stage"] == "head")
    assert [curve.name for curve in curves] == ["language model", "head"]
    assert [len(curve.losses) for curve in curves] == [len(classifier.loss_curve_) - head, head]


def test_a_training_that_is_not_known_is_refused(watched):
    both = small_lm(direction="both").fit(TEXTS)
    with pytest.raises(ValueError, match=r"two trainings: give one of estimator\.directions_"):
        TrainingCurveDisplay.from_estimator(both)
    TrainingCurveDisplay.from_estimator(both.directions_["backward"])
    with pytest.raises(ValueError, match="no loss_curve_"):
        TrainingCurveDisplay.from_estimator(small_lm(epochs=0, pretrained="en").fit(TEXTS))


def test_a_range_test_raises_the_rate_and_leaves_the_estimator_alone():
    classifier = small_classifier(learning_rate=0.01)
    display = LearningRateDisplay.from_estimator(classifier, TEXTS, LABELS, low=1e-5, high=1e-1, n_updates=20)
    assert not hasattr(classifier, "classes_") and classifier.learning_rate == 0.01
    np.testing.assert_allclose(display.rates[[0, -1]], [1e-5, 1e-1])
    ratios = display.rates[1:] / display.rates[:-1]
    np.testing.assert_allclose(ratios, ratios[0])
    assert 20 <= len(display.losses) < 60
    assert display.ax_.get_xscale() == "log"


def test_a_language_model_has_a_range_too():
    display = LearningRateDisplay.from_estimator(small_lm(), TEXTS, n_updates=10)
    assert 10 <= len(display.losses) < 20  # whole epochs


def test_the_suggestion_is_where_the_loss_falls_fastest():
    rates = np.logspace(-6, 0, 200)
    losses = 1 + 1 / (1 + (rates / 1e-3) ** 2) + np.where(rates > 0.1, 100 * rates, 0)
    display = LearningRateDisplay(rates, losses).plot()
    assert 5e-4 < display.suggestion < 5e-3
    assert len(display.smoothed) < len(losses)  # cut where it diverges
    assert display.ax_.lines[1].get_ydata() == pytest.approx(display.smoothed)
    assert display.ax_.lines[2].get_xdata()[0] == display.suggestion


def test_smoothing_keeps_a_constant():
    np.testing.assert_allclose(smooth([2.0] * 5, 0.9), 2.0)


def pipeline(last):
    return make_pipeline(CountVectorizer(), last)


def test_the_label_curve_has_a_line_for_each_estimator_and_its_spread():
    display = LabelCurveDisplay.from_estimator(
        small_classifier(), TEXTS, LABELS, sizes=[4, 8], n_draws=2, baselines={"counts": pipeline(LogisticRegression())}
    )
    assert [line.get_label() for line in display.lines_] == ["ULMFiTClassifier", "counts"]
    for line, scores in zip(display.lines_, display.scores.values()):
        assert scores.shape == (2, 2)
        np.testing.assert_allclose(line.get_ydata(), scores.mean(axis=1))
    assert len(display.ax_.collections) == 2
    assert display.ax_.get_ylabel() == "accuracy"
    assert display.to_table()[3]["labels"] == 8


def test_scores_are_those_of_texts_that_nobody_has_learnt_from():
    learnt, scored = [], []

    class Spy(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            learnt.append(set(X.sum(axis=1).A1 if hasattr(X.sum(axis=1), "A1") else np.asarray(X.sum(axis=1)).ravel()))
            return super().fit(X, y, sample_weight)

        def score(self, X, y, sample_weight=None):
            scored.append(set(np.asarray(X.sum(axis=1)).ravel()))
            return super().score(X, y, sample_weight)

    texts = ["word " * count for count in range(1, 21)]  # a text is known by its number of words
    LabelCurveDisplay.from_estimator(pipeline(Spy()), texts, [0, 1] * 10, sizes=[3, 10], n_draws=2)
    assert not set().union(*learnt) & set().union(*scored)
    assert learnt[0] < learnt[1]


def test_a_regressor_is_scored_by_r_squared():
    display = LabelCurveDisplay.from_estimator(
        small_regressor(), TEXTS, NUMBERS, sizes=[6], n_draws=1, baselines={"counts": pipeline(Ridge())}
    )
    assert display.ax_.get_ylabel() == "R squared"


def test_more_labels_than_texts_are_refused():
    with pytest.raises(ValueError, match=r"sizes=\[100\] has more labels than the 12 texts"):
        LabelCurveDisplay.from_estimator(small_classifier(), TEXTS, LABELS, sizes=[100])
