import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skulmfit import LMFineTuner, ULMFiTClassifier
from skulmfit.inspection import check_phrases

PHRASES = {
    "place": ["Where is it?", "How many are there?"],
    "number": "How much is it, how old?",
    "person": "Who is it?",
}
TEXTS = [
    "Where is Lima?", "How old was she?", "Who wrote Hamlet?", "What city has the most parks?", "How many eggs?",
    "Who won?", "Where do lions live?", "What does it cost?", "Banana bread needs ripe bananas.",
]  # fmt: skip
LABELS = ["place", "number", "person", "place", "number", "person", "place", "number", None]


@pytest.fixture(scope="module")
def fitted():
    return ULMFiTClassifier(label_texts=PHRASES).fit(TEXTS)


@pytest.fixture(scope="module")
def check(fitted):
    return check_phrases(fitted, TEXTS, LABELS, n=2)


def test_the_phrase_under_the_wrong_class_comes_first(check):
    assert check.phrases[0]["phrase"] == "How many are there?"
    assert (check.phrases[0]["label"], check.phrases[0]["nearest_class"]) == ("place", "number")
    assert check.phrases[-1]["agreement"] == 1


def test_agreement_is_the_area_under_the_roc_curve_of_cosines(check):
    encoder = LMFineTuner(epochs=0, features="sentence").fit(["-"])
    cosines = encoder.transform(TEXTS[:8]) @ encoder.transform(["Where is it?"])[0]
    row = next(row for row in check.phrases if row["phrase"] == "Where is it?")
    assert row["agreement"] == pytest.approx(roc_auc_score([label == "place" for label in LABELS[:8]], cosines))
    assert row["n_labelled"] == 3


def test_the_text_that_is_near_none_comes_first(check):
    assert [len(check.texts), check.texts[0]["text"], check.texts[0]["row"]] == [2, TEXTS[8], 8]


def test_the_pair_that_a_wrong_phrase_mixes_up_comes_first(check):
    assert {check.pairs[0]["label"], check.pairs[0]["other"]} == {"place", "number"}
    assert len(check.pairs) == 3


def test_without_labels_there_are_tables_without_agreement(fitted):
    for y in (None, [None] * 9):
        check = check_phrases(fitted, TEXTS, y)
        assert "agreement" not in check.phrases[0]
        assert "told_apart" not in check.pairs[0]
        correlations = [row["correlation"] for row in check.pairs]
        assert correlations == sorted(correlations, reverse=True)


def test_the_tables_are_frames_text_and_html(check):
    assert isinstance(check.to_frame(), pd.DataFrame)
    assert check.to_frame("texts").columns.tolist() == ["row", "nearest_class", "similarity", "text"]
    assert "Banana bread" in str(check)
    assert "<table>" in check._repr_html_()
    with pytest.raises(ValueError, match="table='rows' is not one of 'phrases', 'texts', 'pairs'"):
        check.to_frame("rows")


def test_what_cannot_be_checked_is_refused(fitted, tiny_classifier):
    with pytest.raises(ValueError, match="needs a classifier that was fitted with label_texts"):
        check_phrases(tiny_classifier, TEXTS)
    with pytest.raises(ValueError, match="y has the class 'thing', for which label_texts has no phrase"):
        check_phrases(fitted, TEXTS, ["thing", *LABELS[1:]])
    with pytest.raises(ValueError, match="one label a text, got an array of shape"):
        check_phrases(fitted, TEXTS, np.eye(9))


@pytest.mark.parametrize(
    ("X", "changes", "error", "message"),
    [
        ("Where is it?", {}, ValueError, "Wrap a single text in a list"),
        (TEXTS, {"n": -1}, ValueError, "n == -1, must be >= 0"),
        (TEXTS, {"n": 2.5}, TypeError, "n must be an instance of Integral, not float: 2.5"),
    ],
)
def test_texts_and_n_that_cannot_be_meant_are_refused(fitted, X, changes, error, message):
    with pytest.raises(error, match=message):
        check_phrases(fitted, X, **changes)


def test_a_column_of_texts_is_read_as_its_texts(fitted):
    expected = check_phrases(fitted, TEXTS).texts
    assert check_phrases(fitted, pd.DataFrame({"text": TEXTS})).texts == expected


def test_phrases_of_other_classes_than_those_of_the_fit_are_refused():
    model = ULMFiTClassifier(label_texts=PHRASES).fit(TEXTS).set_params(label_texts={"a": "Who?", "b": "Where?"})
    with pytest.raises(ValueError, match="phrases for 'a', 'b', but the classifier was fitted with others"):
        check_phrases(model, TEXTS)
