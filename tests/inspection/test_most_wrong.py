import numpy as np
import pytest
from helpers import NUMBERS, TEXTS, small_classifier, small_regressor
from scipy.sparse import csr_matrix, issparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from skulmfit.inspection import most_wrong

NEW = ["Fine music", "A dull <b>film</b>", "Dull acting", "A fine story"]


def test_the_surest_mistake_comes_first(tiny_classifier):
    labels = ["bad", "good", "bad", "bad"]
    mistakes = most_wrong(tiny_classifier, NEW, labels)
    predicted, probabilities = tiny_classifier.predict(NEW), tiny_classifier.predict_proba(NEW).max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    assert [one.row for one in mistakes] == wrong[np.argsort(-probabilities[wrong])].tolist()
    frame = mistakes.to_frame()
    assert frame.columns.tolist() == ["row", "label", "predicted", "probability", "probability_of_label", "text"]
    np.testing.assert_allclose(frame.probability, probabilities[frame.row])
    assert frame.text.tolist() == [NEW[row] for row in frame.row]


def test_at_most_so_many_are_shown(tiny_classifier):
    assert len(most_wrong(tiny_classifier, NEW, ["bad", "good", "good", "bad"], n=2)) == 2


def test_a_notebook_and_a_terminal_show_why(tiny_classifier):
    mistakes = most_wrong(tiny_classifier, NEW[1:2], ["good"])
    assert mistakes[0].why.labels == ("bad",)
    html = mistakes._repr_html_()
    assert "<table>" in html and "border-bottom" in html and "<b>film" not in html
    assert str(mistakes).startswith("row 0: label good, predicted bad, probability 0.")


def test_no_mistakes_are_an_empty_table(tiny_classifier):
    mistakes = most_wrong(tiny_classifier, NEW, tiny_classifier.predict(NEW))
    assert len(mistakes) == 0
    assert str(mistakes) == mistakes._repr_html_() == "No mistakes."


def test_the_largest_errors_of_a_regressor():
    regressor = small_regressor().fit(TEXTS, NUMBERS)
    numbers = regressor.predict(NEW) + np.array([0.5, -2.0, 0.0, 1.0])
    frame = most_wrong(regressor, NEW, numbers, n=2).to_frame()
    assert frame.row.tolist() == [1, 3]
    np.testing.assert_allclose(frame.error, [2.0, -1.0])


def test_of_several_labels_each_wrong_one_is_a_mistake():
    classifier = small_classifier().fit(TEXTS, np.array([[1, 1, 0], [0, 1, 0]] * 12))
    y = classifier.predict(NEW)
    y[2, 1] = 1 - y[2, 1]
    (mistake,) = most_wrong(classifier, NEW, y)
    assert (mistake.row, mistake.facts["label"], mistake.facts["in_y"]) == (2, 1, y[2, 1])
    assert mistake.why.labels == (1,)


def test_of_several_labels_a_label_that_predict_gives_below_a_half_is_no_mistake():
    y = np.eye(8, dtype=int)[np.arange(24) % 8]  # of no relation to the texts
    classifier = small_classifier(epochs=1).fit(TEXTS, y)
    assert (classifier.predict_proba(NEW) < 0.5).all()
    assert len(most_wrong(classifier, NEW, classifier.predict(NEW))) == 0
    assert most_wrong(classifier, NEW[:1], np.ones((1, 8), int), n=9).to_frame().predicted.tolist() == [0] * 7


def test_an_estimator_may_predict_a_sparse_matrix():
    y = np.eye(2, dtype=int)[[0, 1, 1, 0]]
    pipeline = make_pipeline(CountVectorizer(), OneVsRestClassifier(LogisticRegression())).fit(NEW, csr_matrix(y))
    assert issparse(pipeline.predict(NEW))
    assert most_wrong(pipeline, NEW[:1], 1 - y[:1]).to_frame().sort_values("label").predicted.tolist() == [1, 0]


def test_other_estimators_over_texts_have_mistakes_without_highlights():
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression()).fit(NEW, ["a", "b", "b", "a"])
    (mistake,) = most_wrong(pipeline, NEW[:1], ["b"])
    assert mistake.why is None
    assert "Fine music" in str(most_wrong(pipeline, NEW[:1], ["b"]))


def test_another_number_of_labels_is_named(tiny_classifier):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        most_wrong(tiny_classifier, NEW, ["good"])
