"""What can be fitted, but hardly well, is said once, with what to do."""

import warnings

import numpy as np
import pytest
from helpers import LABELS, TEXTS, small_classifier, small_lm
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skulmfit import LMFineTuner, ULMFiTClassifier
from skulmfit.estimators.label_targets import Labels
from skulmfit.estimators.supervised_data import SupervisedData

THAI = ["ภาพยนตร์เรื่องนี้น่าเพลิดเพลินตั้งแต่ต้นจนจบ", "ภาพยนตร์ที่น่าเบื่อ"]
RUSSIAN = ["Фильм был восхитительным от начала до конца.", "Скучный фильм."]


@pytest.mark.parametrize(("texts", "share"), [(THAI, r"9\d%"), (RUSSIAN, r"8\d%")], ids=["Thai", "Russian"])
def test_a_language_that_the_model_does_not_know_is_named_once(texts, share):
    message = f"{share} of the tokens of X are single bytes or unknown words.*tokenizer='train'.*pretrained=None"
    with pytest.warns(UserWarning, match=message) as told:
        ULMFiTClassifier(LMFineTuner(epochs=0, direction="both"), epochs=1).fit(texts * 4, [0, 1] * 4)
    assert len(told) == 1


def test_a_frozen_model_of_another_language_is_named_too():
    frozen = FrozenEstimator(LMFineTuner(epochs=0).fit(["English"]))
    with pytest.warns(UserWarning, match="does not know their language"):
        ULMFiTClassifier(frozen, epochs=1).fit(THAI * 4, [0, 1] * 4)


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        ["Le film était un délice du début à la fin, je le reverrais."],
        ["Great 🔥: I laughed 😂 the whole evening, said my friends!"],
    ],
)
def test_a_language_that_it_knows_raises_no_doubt(texts):
    LMFineTuner(epochs=0).fit(texts)  # a warning is an error here


def test_a_vocabulary_of_the_texts_raises_no_doubt():
    small_lm().fit(THAI * 4)
    LMFineTuner(tokenizer="train", vocab_size=320, epochs=0).fit(THAI * 4)


def test_a_fitted_language_model_that_is_fitted_again_is_named():
    lm = small_lm().fit(TEXTS)
    with pytest.warns(UserWarning, match=r"lm is fitted already.*FrozenEstimator\(lm\).*clone\(lm\)"):
        small_classifier(lm).fit(TEXTS, LABELS)
    for other in (FrozenEstimator(lm), clone(lm)):
        small_classifier(other).fit(TEXTS, LABELS)


def test_verbose_reaches_a_language_model_of_ones_own(capsys):
    small_classifier(verbose=1).fit(TEXTS, LABELS)
    assert "language model" in capsys.readouterr().err


def test_a_class_with_a_single_text_is_named():
    labels = [*LABELS[:-2], "rare", "odd"]
    with pytest.warns(UserWarning, match="y has only one text of 'odd' and of 1 other classes"):
        small_classifier().fit(TEXTS, labels)


def test_a_label_with_a_single_text_is_named():
    indicators = np.eye(3, dtype=int)[[0, 1] * 11 + [0, 2]]
    with pytest.warns(UserWarning, match="y has only one text of 2:"):
        small_classifier().fit(TEXTS, indicators)


def data_of(labels):
    texts = ["x"] * len(labels)
    targets, encoded, weights = Labels.learn(labels, texts, "ULMFiTClassifier", None, np.ones(len(labels)))
    return SupervisedData(texts, encoded, weights, targets)


@pytest.mark.parametrize("seed", range(20))
def test_early_stopping_leaves_a_text_of_every_class_to_train_on(seed):
    data = data_of(list("aaaaaabc"))
    with pytest.warns(UserWarning, match="sets aside no text of 'b' and of 1 other classes"):
        kept, validation = data.split(True, 0.5, seed)
    assert sorted([*kept, *validation]) == list(range(8))
    assert len(validation) == 4
    assert set(data.encoded[kept]) == {0, 1, 2}


def test_early_stopping_without_enough_texts_for_all_classes_is_refused():
    with pytest.raises(ValueError, match="sets aside 2 of 4 texts, but the 3 classes of y need one each to train on"):
        data_of(list("aabc")).split(True, 0.5, 0)


def test_classes_of_which_there_are_enough_raise_no_doubt():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data_of(list("ab" * 10)).split(True, 0.2, 0)
