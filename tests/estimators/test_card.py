"""The model card of a fitted estimator, and the way to its ids and its torch module."""

import re

import numpy as np
import pytest
import torch
from helpers import LABELS, NUMBERS, TEXTS, small_classifier, small_lm, small_regressor

import skulmfit

HELD_OUT = {"X_val": TEXTS[:6], "y_val": LABELS[:6]}


def rows(card):
    return dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", card, re.MULTILINE))


def test_a_card_says_what_was_learnt_from_and_how_good_it_is():
    labels = ["good | fine", "bad"] * 12
    classifier = small_classifier().fit(TEXTS, labels, X_val=TEXTS[:6], y_val=labels[:6])
    card = rows(classifier.card())
    words = sum(len(text.split()) for text in TEXTS)
    assert card["learnt from"] == f"24 texts, {words} words in all, 6 more to validate on"
    assert card["`bad`"] == "12"
    assert r"| `good \| fine` | 12 |" in classifier.card()
    assert float(card["accuracy after an epoch (chosen among 1)"]) == pytest.approx(
        classifier.score(TEXTS[:6], labels[:6]), abs=1e-3
    )
    assert "one of 2 labels" in card["task"]
    assert not any(text in classifier.card() for text in TEXTS)


def test_without_held_out_texts_a_card_says_that_there_are_no_scores():
    assert "this card has no scores" in small_regressor().fit(TEXTS, NUMBERS).card()


def test_a_file_keeps_the_card(tmp_path):
    classifier = small_classifier().fit(TEXTS, LABELS, **HELD_OUT)
    classifier.save(tmp_path / "model.npz")
    assert skulmfit.load(tmp_path / "model.npz").card() == classifier.card()


def test_several_labels_are_counted_each():
    card = small_classifier().fit(TEXTS, np.array([[1, 1, 0], [0, 1, 0]] * 12)).card()
    assert [rows(card)[f"`{label}`"] for label in range(3)] == ["12", "24", "0"]


def test_ids_and_module_give_what_the_estimator_gives(tiny_classifier):
    model = tiny_classifier.fine_tuned_model()
    (ids,) = [model.tokenizer.encode(TEXTS[:1])[0]]
    with torch.no_grad():
        logits = model.network(torch.tensor(ids, dtype=torch.int64)[None], torch.tensor([len(ids)]), chunk_size=256)
    expected = tiny_classifier.predict_proba(TEXTS[:1])
    np.testing.assert_allclose(torch.softmax(logits, dim=1).numpy(), expected, rtol=1e-5)


def test_the_module_is_not_the_estimators_own(tiny_classifier):
    before = tiny_classifier.predict_proba(TEXTS[:1])
    with torch.no_grad():
        for parameter in tiny_classifier.fine_tuned_model().network.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(tiny_classifier.predict_proba(TEXTS[:1]), before)


def test_of_two_directions_one_is_named():
    classifier = small_classifier(small_lm(direction="both")).fit(TEXTS, LABELS)
    assert classifier.fine_tuned_model("backward").direction == "backward"
    with pytest.raises(ValueError, match="direction=None is not one of 'forward', 'backward'"):
        classifier.fine_tuned_model()
