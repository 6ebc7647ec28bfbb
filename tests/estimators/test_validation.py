from collections import Counter, namedtuple

import numpy as np
import pandas as pd
import pytest
from helpers import LM_RECIPE, RECIPE, Killed, broken_off

from skulmfit import LMFineTuner, ULMFiTClassifier
from skulmfit.estimators.label_targets import check_labels, class_weights
from skulmfit.estimators.validation import check_texts, check_weights, normalise_weights

Row = namedtuple("Row", "text label")


@pytest.mark.parametrize(
    "X",
    [
        ["a", "b"],
        ("a", "b"),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype=object),
        np.array([["a"], ["b"]], dtype=object),
        [["a"], ["b"]],
        pd.Series(["a", "b"], index=[7, 3]),
        pd.Series(["a", "b"], dtype="category"),
        pd.DataFrame({"text": ["a", "b"]}),
        np.array(["a", "b"], dtype=np.dtypes.StringDType()),
        (text for text in "ab"),
    ],
    ids=lambda X: type(X).__name__,
)
def test_texts_of_any_container_become_a_list_of_str(X):
    texts = check_texts(X)
    assert texts == ["a", "b"]
    assert all(type(text) is str for text in texts)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a bare string", "Iterable over raw text documents expected, str object received"),
        (b"bytes", "bytes object received"),
        ([], "0 sample"),
        (["a", None], "row 1 of X is None"),
        (["a", float("nan")], "row 1 of X is nan of type float"),
        ([b"a"], "row 0 of X is b'a' of type bytes"),
        ([1, 2], "row 0 of X is 1 of type int"),
        ([["a", "b"], ["c", "d"]], r"shape \(2, 2\)"),
        (pd.DataFrame({"x": ["a"], "y": ["b"]}), r"shape \(1, 2\)"),
        (pd.Series(["a", None]), "row 1 of X is"),
        (3, "must be an iterable"),
        ({"text": ["a"]}, r"got a dict. Of named columns select that of the texts, as X\['text'\]"),
        (Counter("ab"), "got a Counter"),
        ({"a", "b"}, "got a set"),
        (Row("a", "b"), "got a Row"),
    ],
)
def test_what_is_not_texts_gets_one_clear_error(X, message):
    with pytest.raises(ValueError, match=message):
        check_texts(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (["a"], "inconsistent numbers of samples"),
        (["a", "a"], "only one class: 'a'"),
        ([0.5, 1.5], "Unknown label type"),
        ([0.0, np.nan], "contains NaN"),
        (np.array(["a", None], dtype=object), "missing"),
        ([("a", "b"), ("a",)], r"row 0 is \('a', 'b'\).*MultiLabelBinarizer"),
        (pd.Series([["a"], []]), r"row 1 is \[\].*MultiLabelBinarizer"),
    ],
)
def test_what_is_not_labels_gets_one_clear_error(y, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y, ["x", "y"], "ULMFiTClassifier")


CLASSES, INDICES = np.array([0, 1]), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], "expected"),
        ([[1], [2], [3]], "1D array"),
        ([1, -1, 1], "row 1 is -1"),
        ([1, 1, np.nan], "row 2 is nan"),
        ([0, 0, 0], "at least one non-zero"),
        ([1, pd.NA, 1], "sample_weight contains NaN or another missing value: row 1 is <NA>"),
        (pd.Series([1, 1, None], dtype="Int64"), "missing value: row 2 is <NA>"),
        (["1", "1", "1"], "sample_weight must hold numbers; row 0 is '1' of type str"),
        (np.array(["2020"] * 3, dtype="datetime64[D]"), "sample_weight must hold numbers; row 0 is datetime.date"),
    ],
)
def test_what_is_not_weights_gets_one_clear_error(weights, message):
    with pytest.raises(ValueError, match=message):
        check_weights(weights, 3)


def weigh(weights, class_weight):
    """Sample weights times those of the classes."""
    return normalise_weights(weights * class_weights(weights, class_weight, CLASSES, INDICES)[INDICES])


def test_balanced_class_weights_give_every_class_the_same_sum():
    weights = weigh(np.ones(3), "balanced")
    np.testing.assert_allclose(weights, [1.5, 0.75, 0.75])


def test_balance_is_counted_without_texts_of_weight_zero():
    weights = weigh(check_weights([1, 1, 0], 3), "balanced")
    np.testing.assert_allclose(weights, [1, 1, 0])


@pytest.mark.parametrize("class_weight", [{0: -1, 1: 1}, {0: np.nan, 1: 1}, {0: 0, 1: 0}])
def test_what_is_not_class_weights_gets_one_clear_error(class_weight):
    with pytest.raises(ValueError, match="class_weight must be finite"):
        weigh(np.ones(3), class_weight)


def test_huge_and_tiny_weights_are_brought_to_mean_one():
    np.testing.assert_allclose(check_weights([1e300, 1e300, 2e300], 3), [0.75, 0.75, 1.5])
    np.testing.assert_allclose(check_weights([0.8e308, 0.8e308, 1.6e308], 3), [0.75, 0.75, 1.5])
    np.testing.assert_allclose(check_weights([5e-324, 5e-324, 1e-323], 3), [0.75, 0.75, 1.5])


def test_class_weights_multiply_sample_weights():
    weights = weigh(check_weights([1, 2, 3], 3), {0: 10, 1: 1})
    np.testing.assert_allclose(weights, [2, 0.4, 0.6])


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": "some"}, "epochs"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate must be 'auto' or a number, got 'fast'"),
        (
            {"recipe": "grandmother's"},
            "is not one of 'skulmfit', 'paper', 'fastai', 'multifit', 'quick', nor a Recipe",
        ),
        ({"lr_decay": 0.5}, "lr_decay"),
        ({"batch_size": 1}, "batch_size"),
        ({"dropout_multiplier": -1}, "dropout_multiplier"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"gradual_unfreezing": "yes"}, "gradual_unfreezing"),
        ({"device": "toaster"}, "device='toaster'"),
        ({"device": "meta"}, "device='meta'"),
        ({"lm": "en"}, "lm must be"),
        ({"lm__pretrained": "klingon"}, "klingon"),
        ({"lm__pooling": "median"}, "pooling='median' is not one of 'concat'"),
        ({"lm__epochs": -1}, "epochs"),
        ({"lm__bptt": 2}, "bptt"),
        ({"class_weight": {"no such label": 1}}, "class"),
        ({"class_weight": {0: "2", 1: 1}}, r"class_weight\[0\] must be an instance of Real, not str"),
        ({"learning_rate": float("inf")}, "learning_rate == inf, must be a finite number"),
        ({"lr_decay": np.inf}, "lr_decay == inf, must be a finite number"),
        ({"weight_decay": float("nan")}, "weight_decay == nan, must be a finite number"),
        ({"dropout_multiplier": np.float32("inf")}, "dropout_multiplier == inf, must be a finite number"),
        ({"lm__learning_rate": float("inf")}, "learning_rate == inf, must be a finite number"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_parameter_is_named_before_any_training(parameters, error):
    classifier = ULMFiTClassifier(LMFineTuner(recipe=LM_RECIPE), recipe=RECIPE).set_params(**parameters)
    with broken_off(at=1, error=Killed), pytest.raises((ValueError, TypeError), match=error):
        classifier.fit(["a", "b"] * 2, [0, 1] * 2)
