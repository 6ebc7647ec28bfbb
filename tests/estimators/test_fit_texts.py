"""A fit does no work twice."""

from collections import Counter

import pytest
from helpers import LABELS, TEXTS, small_classifier, small_lm

from skulmfit.estimators import base
from skulmfit.text.tokenizer import Tokenizer

NEW_TEXTS = ["A text that was not there.", "Nor was this one!"]


@pytest.fixture
def counted(monkeypatch):
    """How often each text is encoded, how often texts are checked, and how often a tokenizer learns."""
    encoded, calls = Counter(), Counter()
    encode, check, train = Tokenizer.encode, base.check_texts, Tokenizer.train.__func__

    def counting_encode(tokenizer, texts, **options):
        encoded.update(texts)
        return encode(tokenizer, texts, **options)

    def counting_check(X):
        calls["check"] += 1
        return check(X)

    def counting_train(cls, texts, **options):
        calls["train"] += 1
        return train(cls, texts, **options)

    monkeypatch.setattr(Tokenizer, "encode", counting_encode)
    monkeypatch.setattr(base, "check_texts", counting_check)
    monkeypatch.setattr(Tokenizer, "train", classmethod(counting_train))
    return encoded, calls


TEXTS_ONCE = [f"{row} {text}" for row, text in enumerate(TEXTS)]


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_a_fit_checks_and_encodes_each_text_once_and_learns_one_vocabulary(direction, counted):
    encoded, calls = counted
    small_classifier(small_lm(direction=direction)).fit(TEXTS_ONCE, LABELS)
    assert encoded == Counter(TEXTS_ONCE)
    assert calls == {"check": 1, "train": 1}


def test_texts_for_validation_are_encoded_once_too(counted):
    encoded, calls = counted
    small_classifier(small_lm(direction="both")).fit(TEXTS_ONCE, LABELS, X_val=NEW_TEXTS, y_val=["good", "bad"])
    assert encoded == Counter(TEXTS_ONCE + NEW_TEXTS)
    assert calls["check"] == 2  # of X and of X_val


def test_a_language_model_of_two_directions_encodes_each_text_once(counted):
    encoded, calls = counted
    small_lm(direction="both").fit(TEXTS_ONCE, X_val=NEW_TEXTS)
    assert encoded == Counter(TEXTS_ONCE + NEW_TEXTS)
    assert calls == {"check": 2, "train": 1}


def test_a_cache_of_encoded_texts_is_filled_once(counted, tmp_path):
    encoded, _ = counted
    small_classifier(small_lm(direction="both"), memory=str(tmp_path)).fit(TEXTS_ONCE, LABELS)
    assert encoded == Counter(TEXTS_ONCE)
