"""What texts may come in: every container that people keep text in, in fit and afterwards."""

import importlib

import numpy as np
import pytest
from helpers import LABELS, TEXTS, TINY
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skulmfit import LMFineTuner, ULMFiTClassifier


def library(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


def pandas(dtype):
    def series(texts):
        if "pyarrow" in dtype:
            library("pyarrow")
        return library("pandas").Series(texts, dtype=dtype, index=np.arange(len(texts)) * 3 + 7)

    return series


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object array": lambda texts: np.array(texts, dtype=object),
    "<U array": np.array,
    "StringDType array": lambda texts: np.array(texts, dtype=np.dtypes.StringDType()),
    "column of an array": lambda texts: np.array(texts, dtype=object)[:, None],
    "<U column": lambda texts: np.array(texts)[:, None],
    "list of one-text lists": lambda texts: [[text] for text in texts],
    "pandas object": pandas("object"),
    "pandas string": pandas("string"),
    "pandas str": pandas("str"),
    "pandas category": pandas("category"),
    "pandas pyarrow": pandas("string[pyarrow]"),
    "pandas frame": lambda texts: pandas("object")(texts).to_frame("text"),
    "pandas column view": lambda texts: pandas("object")(texts).to_frame("text")[["text"]].iloc[::1],
    "polars Series": lambda texts: library("polars").Series(texts),
    "polars frame": lambda texts: library("polars").DataFrame({"text": texts}),
    "pyarrow array": lambda texts: library("pyarrow").array(texts),
    "pyarrow chunked array": lambda texts: library("pyarrow").chunked_array([texts[:5], texts[5:]]),
    "pyarrow table": lambda texts: library("pyarrow").table({"text": texts}),
}


@pytest.fixture(scope="module")
def classifier():
    return ULMFiTClassifier(LMFineTuner(**TINY, epochs=1), epochs=1, gradual_unfreezing=False, random_state=0)


@pytest.fixture(scope="module")
def expected(classifier):
    return classifier.fit(TEXTS, LABELS).predict_proba(TEXTS)


@pytest.mark.parametrize("container", CONTAINERS)
def test_texts_in_any_container_give_the_same_as_a_list(container, classifier, expected):
    texts = CONTAINERS[container](TEXTS)
    np.testing.assert_array_equal(classifier.fit(texts, LABELS).predict_proba(texts), expected)


OLD_NUMPY = tuple(map(int, np.__version__.split(".")[:2])) < (2, 2)  # loses track of StringDType's memory in slices
INDEXABLE = [name for name in CONTAINERS if name != "pyarrow table"]  # whose rows scikit-learn does not find


@pytest.mark.parametrize("container", INDEXABLE)
def test_any_container_can_be_cross_validated(container, classifier):
    if OLD_NUMPY and container == "StringDType array":
        pytest.skip("slices of StringDType arrays are broken in NumPy before 2.2")
    scores = cross_val_score(classifier, CONTAINERS[container](TEXTS), LABELS, cv=2, scoring="neg_log_loss")
    np.testing.assert_array_equal(scores, cross_val_score(classifier, TEXTS, LABELS, cv=2, scoring="neg_log_loss"))


@pytest.mark.parametrize("container", [name for name in CONTAINERS if name.split()[0] in ("pandas", "polars", "<U")])
def test_labels_may_come_from_the_same_library(container, classifier, expected):
    labels = CONTAINERS[container](LABELS)
    labels = np.asarray(labels)[:, 0] if len(getattr(labels, "shape", ())) == 2 else labels
    np.testing.assert_array_equal(classifier.fit(TEXTS, labels).predict_proba(TEXTS), expected)


def test_generators_are_taken_where_vectorizers_take_them(classifier, expected):
    fitted = classifier.fit((text for text in TEXTS), LABELS)
    np.testing.assert_array_equal(fitted.predict_proba(text for text in TEXTS), expected)
    features = LMFineTuner(**TINY, epochs=1).fit(text for text in TEXTS)
    assert features.transform(text for text in TEXTS).shape == (24, 24)
    pipeline = make_pipeline(features, LogisticRegression()).fit((text for text in TEXTS), LABELS)
    assert len(pipeline.predict(text for text in TEXTS)) == 24


def test_a_generator_of_held_out_texts(classifier):
    fitted = classifier.fit(TEXTS, LABELS, X_val=(text for text in TEXTS[:4]), y_val=LABELS[:4])
    assert any("validation_loss" in row for row in fitted.history_)


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
def test_a_missing_text_is_named_by_its_row(name, classifier):
    module = importlib.import_module(name) if library(name) else None
    make = {"pandas": lambda t: module.Series(t, dtype="string"), "polars": module.Series if name == "polars" else None,
            "pyarrow": getattr(module, "array", None)}[name]  # fmt: skip
    with pytest.raises(ValueError, match="row 2 of X is"):
        classifier.fit(make(["a", "b", None]), ["x", "y", "x"])
