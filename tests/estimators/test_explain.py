"""`explain`: what the words of a text contribute, checked against `predict_proba` and planted words."""

import numpy as np
import pandas as pd
import pytest
from helpers import LABELS, NUMBERS, TEXTS, small_classifier, small_lm, small_regressor

from skulmfit import ULMFiTClassifier

TEXT = 'A fine <b>film</b> & "dull" acting, too!!! '


def left_out(row):
    return TEXT[: row.start] + " " + TEXT[row.end :]


def log_odds(probabilities):
    return np.log(probabilities) - np.log1p(-probabilities)


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(0)
    words = "the a film music story evening year scene line house tree road".split()
    texts = [" ".join(rng.choice(words, 8)) for _ in range(60)]
    texts = [f"{text} {('grand', 'awful')[row % 2]} {text}" for row, text in enumerate(texts)]
    classifier = small_classifier(small_lm(embedding_dim=16, hidden_dim=16), epochs=12, learning_rate=0.02)
    return classifier.fit(texts, ["good", "bad"] * 30)


def test_without_a_word_the_probability_is_that_of_predict_proba(tiny_classifier):
    for label in ("good", "bad"):
        frame = tiny_classifier.explain([TEXT], labels=[label])[0].to_frame()
        column = list(tiny_classifier.classes_).index(label)
        whole = tiny_classifier.predict_proba([TEXT]).astype(float)[0, column]
        without = tiny_classifier.predict_proba([left_out(row) for row in frame.itertuples()]).astype(float)[:, column]
        np.testing.assert_allclose(frame.probability_without, without, rtol=1e-5)
        np.testing.assert_allclose(frame.contribution, log_odds(whole) - log_odds(without), atol=1e-4)


def test_offsets_are_those_of_the_users_string(tiny_classifier):
    frame = tiny_classifier.explain([TEXT])[0].to_frame()
    assert [TEXT[row.start : row.end] for row in frame.itertuples()] == frame.part.tolist()
    assert {"fine", "<", "film", "&", "dull", "!!!"} <= set(frame.part)


def test_a_planted_word_contributes_most(planted):
    why = planted.explain(["the film awful house road", "grand scene line a tree"])
    assert [one.labels for one in why] == [("bad",), ("good",)]
    assert [one.strongest(1)[0][0] for one in why] == ["awful", "grand"]
    assert planted.explain(["the film awful house"], labels=["good"])[0].strongest(1)[0][1] < 0


def test_of_a_long_text_too_the_probability_is_that_of_predict_proba(tiny_classifier):
    text = "\n".join(TEXTS)
    frame = tiny_classifier.explain([text], labels=["bad"])[0].to_frame()
    assert set(frame.kind) == {"sentence", "word"}
    without = [text[: row.start] + " " + text[row.end :] for row in frame.itertuples()]
    np.testing.assert_allclose(frame.probability_without, tiny_classifier.predict_proba(without)[:, 0], rtol=1e-5)


def test_a_text_does_not_change_the_explanation_of_another(tiny_classifier):
    alone = tiny_classifier.explain([TEXT])[0].to_frame()
    among = tiny_classifier.explain([TEXTS[0], TEXT, TEXTS[5] * 10])[1].to_frame()
    pd.testing.assert_frame_equal(alone, among)


def test_of_several_labels_those_that_are_predicted_are_explained():
    indicators = np.array([[1, 1, 0], [0, 1, 0]] * 12)
    classifier = small_classifier(epochs=8, learning_rate=0.02).fit(TEXTS, indicators)
    why = classifier.explain([TEXTS[0]])[0]
    assert set(why.labels) == set(np.flatnonzero(classifier.predict([TEXTS[0]])[0]))
    probabilities = classifier.predict_proba([TEXTS[0]])[0]
    for label in why.labels:
        assert why.score(label) == pytest.approx(probabilities[label], rel=1e-5)


def test_three_classes_are_each_against_the_others():
    labels = np.tile(["a", "b", "c"], 8)
    classifier = small_classifier().fit(TEXTS, labels)
    why = classifier.explain([TEXTS[0]], labels=["c", "a"])[0]
    assert [why.score("c"), why.score("a")] == pytest.approx(classifier.predict_proba([TEXTS[0]])[0, [2, 0]], rel=1e-5)


@pytest.mark.parametrize("y", [NUMBERS, np.column_stack([NUMBERS, -NUMBERS])], ids=["one", "two"])
def test_a_number_falls_without_a_word_by_its_contribution(y):
    regressor = small_regressor(epochs=3).fit(TEXTS, y)
    frame = regressor.explain([TEXT])[0].to_frame()
    for target, own in frame.groupby("label"):
        without = regressor.predict([left_out(row) for row in own.itertuples()]).reshape(len(own), -1)[:, target]
        whole = regressor.predict([TEXT]).reshape(-1)[target]
        np.testing.assert_allclose(own.prediction_without, without, rtol=1e-5)
        np.testing.assert_allclose(own.contribution, whole - without, atol=1e-5)


def test_both_directions_explain_together():
    classifier = ULMFiTClassifier(small_lm(direction="both"), epochs=1, random_state=0).fit(TEXTS, LABELS)
    why = classifier.explain([TEXT])[0]
    assert why.score() == pytest.approx(classifier.predict_proba([TEXT]).max(), rel=1e-5)


def test_texts_without_words_have_nothing_to_explain(tiny_classifier):
    why = tiny_classifier.explain(["", " "])
    assert len(why) == 2
    assert len(why.to_frame()) == 0
    assert "probability" in str(why)


def test_a_label_that_the_classifier_does_not_know_is_named(tiny_classifier):
    with pytest.raises(ValueError, match=r"labels has 'odd', which is not one of classes_: \['bad', 'good'\]"):
        tiny_classifier.explain([TEXT], labels=["odd"])
    with pytest.raises(ValueError, match="labels is empty"):
        tiny_classifier.explain([TEXT], labels=[])
