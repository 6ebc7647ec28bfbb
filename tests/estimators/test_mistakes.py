"""Mistakes that people make, each tested for the words they read: what, which row or value, what to do."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import LABELS, NUMBERS, TEXTS, small_classifier, small_lm, small_regressor
from sklearn.exceptions import NotFittedError

import skulmfit
from skulmfit import LMFineTuner, ULMFiTClassifier

READ_ONCE = iter(())


def rows(first):
    """The texts, the first one replaced."""
    return [first, *TEXTS[1:]]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ("a fine film", "str object received. Wrap a single text in a list: [text]"),
        ([0, 1] * 12, "row 0 of X is 0 of type int. Are X and y swapped"),
        (pd.DataFrame({"text": TEXTS, "stars": NUMBERS}), "Its columns are 'text', 'stars'. Select that of the texts"),
        (pd.DataFrame({"stars": NUMBERS}), "row 0 of X is 4.5 of type float. Are X and y swapped, or is this another"),
        (READ_ONCE, "X is empty. Give at least one text; a generator can be read only once"),
        (rows(None), "row 0 of X is None of type NoneType. Replace missing texts by ''"),
        (pd.Series(rows(float("nan"))), "row 0 of X is nan of type float. Replace missing texts by ''"),
        (pd.Series(rows(pd.NA), dtype="string"), "row 0 of X is <NA>"),
        (rows(b"fine"), "row 0 of X is b'fine' of type bytes. Decode bytes first: [text.decode() for text in X]"),
        (rows(1), "row 0 of X is 1 of type int"),
        ([], "X is empty. Give at least one text"),
    ],
    ids=[
        "string",
        "swapped",
        "frame",
        "numbers",
        "generator",
        "None",
        "nan",
        "NA",
        "bytes",
        "number",
        "empty",
    ],
)
def test_what_is_no_texts(X, words):
    for estimator in (small_classifier(), small_lm()):
        with pytest.raises(ValueError, match=re.escape(words)):
            estimator.fit(X, LABELS)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([*LABELS, "good"], "X has 24 texts, y has 25 rows. Give one for each text, in the order of X"),
        (["good"] * 24, "only one class: 'good'. Give texts of another class too"),
    ],
    ids=["longer", "one class"],
)
def test_what_is_no_labels(y, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        small_classifier().fit(TEXTS, y)


def test_texts_that_are_all_empty():
    with pytest.raises(ValueError, match=r"X has no words: all of its 24 texts are empty\. Is it the right column"):
        small_classifier().fit(["", " ", "\n"] * 8, LABELS)


def test_texts_and_labels_swapped():
    words = "row 0 of X is 'good', row 0 of y is 'A fine film"
    with pytest.raises(ValueError, match=f"{words}.*Are they swapped\\? It is fit\\(texts, labels\\)"):
        small_classifier().fit(LABELS, TEXTS)
    short = ["What a film", "No"] * 12
    small_classifier().fit(short, ["a label that is much longer than its text", "another label, as long as this"] * 12)


def test_texts_and_numbers_swapped():
    with pytest.raises(ValueError, match=r"row 0 of X is 4\.5.*Are X and y swapped"):
        small_regressor().fit(NUMBERS, TEXTS)


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (
            LMFineTuner("eng"),
            "pretrained='eng' is neither a shipped language model (en, en-backward, en-lm) nor a file",
        ),
        (LMFineTuner("models/mine.npz"), "pretrained='models/mine.npz' is neither a shipped language model"),
        (ULMFiTClassifier(recipe="skulmfti"), "recipe='skulmfti' is not one of"),
        (ULMFiTClassifier(recipe="skulmfti"), "Did you mean 'skulmfit'?"),
        (LMFineTuner(tokenizer="no.model"), "tokenizer='no.model' is no file. Give the path of a SentencePiece model"),
        (ULMFiTClassifier(epochs=0), "epochs == 0, must be >= 1: without training there is no head"),
        (ULMFiTClassifier(learning_rate=100), "learning_rate == 100, must be <= 1"),
        (LMFineTuner(learning_rate=100.0), "Rates from 0.0001 to 0.05 are usual"),
        (
            ULMFiTClassifier(lm=ULMFiTClassifier()),
            "lm must be an LMFineTuner, a FrozenEstimator of a fitted one, or None",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_a_parameter_that_cannot_be(estimator, words):
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        estimator.fit(TEXTS, LABELS)


def test_a_gpu_that_is_not_here(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    missing = "cuda:7" if torch.cuda.is_available() else "cuda"
    with pytest.raises(
        ValueError, match=f"device='{missing}' is not 'auto' or a device of this machine. Give 'auto' or"
    ):
        small_classifier(device=missing).fit(TEXTS, LABELS)


def test_predict_before_fit():
    for method in ("predict", "predict_proba", "transform", "explain"):
        with pytest.raises(NotFittedError, match=r"This ULMFiTClassifier instance is not fitted yet\. Call 'fit'"):
            getattr(small_classifier(), method)(TEXTS)


def test_predict_with_another_number_of_columns(tiny_classifier):
    for X in (pd.DataFrame({"title": ["a"], "body": ["b"]}), [["a", "b"]]):
        with pytest.raises(ValueError, match=r"X must be one column of texts, got an array of shape \(1, 2\)"):
            tiny_classifier.predict(X)


def test_a_path_that_does_not_exist():
    with pytest.raises(FileNotFoundError, match=r"There is no file 'no\.npz'. Give the path of one that `save` has"):
        skulmfit.load("no.npz")


@pytest.fixture
def files(tmp_path, tiny_classifier):
    """A pickle of ours, and a file of another library."""
    (tmp_path / "pickle").write_bytes(pickle.dumps(tiny_classifier))
    torch.save({"weight": torch.ones(2)}, tmp_path / "torch")
    np.savez(tmp_path / "numpy.npz", a=np.ones(3))
    return tmp_path


@pytest.mark.parametrize("name", ["pickle", "torch", "numpy.npz"])
def test_a_file_that_is_none_of_ours(files, name):
    for read, kind in ((skulmfit.load, "estimator"), (lambda path: LMFineTuner(path).fit(TEXTS), "language model")):
        with pytest.raises(ValueError, match=f"{name}' is not a skulmfit {kind}.* (by|with) the library"):
            read(files / name)
