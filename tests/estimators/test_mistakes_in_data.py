"""More mistakes, each tested for the words that people read: what the data lack, and what the model does not know."""

import pickle
import re

import pandas as pd
import pytest
from helpers import LABELS, TEXTS, small_classifier
from sklearn.frozen import FrozenEstimator

import skulmfit
from skulmfit import LMFineTuner, ULMFiTClassifier

LEAVE_OUT = "Leave out texts without a label, or give them a label of their own"


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA], ids=["None", "nan", "NA"])
def test_a_missing_label(missing):
    y = pd.Series([*LABELS[:3], missing, *LABELS[4:]], dtype=object)
    with pytest.raises(ValueError, match=f"missing value: row 3 is .*{LEAVE_OUT}"):
        small_classifier().fit(TEXTS, y)


def test_a_dict_instead_of_a_column():
    words = "X must be the texts themselves in their order, got a dict. Of named columns select that of the texts"
    for call in (small_classifier().fit, lambda X, y: skulmfit.LMFineTuner().fit(X)):
        with pytest.raises(ValueError, match=re.escape(words)):
            call({"text": TEXTS}, LABELS)


def test_one_text_of_a_class_with_early_stopping():
    with pytest.warns(UserWarning) as caught:
        small_classifier(early_stopping=True).fit(TEXTS, ["bad", *["good"] * 23])
    words = " ".join(str(warning.message) for warning in caught)
    assert "y has only one text of 'bad': too few to learn a class from. Give more texts" in words
    assert "Early stopping sets aside no text of 'bad'" in words and "or X_val and y_val" in words


def test_a_language_that_the_model_does_not_know():
    lm = FrozenEstimator(LMFineTuner(epochs=0).fit(["-"]))
    with pytest.warns(
        UserWarning, match=r"the pretrained language model does not know their language.*tokenizer='train'"
    ):
        ULMFiTClassifier(lm, epochs=1, random_state=0).fit(["今天天气很好", "这部电影很糟糕"] * 4, [0, 1] * 4)


def test_a_pickle_is_read_by_joblib(tmp_path):
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(small_classifier()))
    with pytest.raises(
        ValueError, match=r"not a skulmfit estimator.*Pickles and joblib files are read by.*joblib\.load"
    ):
        skulmfit.load(path)
