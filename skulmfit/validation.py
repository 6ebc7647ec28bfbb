"""Texts, targets, weights and hyper-parameters: checked arrays, or one clear error before any training."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_scalar,
    column_or_1d,
    compute_class_weight,
)
from sklearn.utils.multiclass import check_classification_targets, type_of_target


def check_texts(X: Any) -> list[str]:
    """Texts of any container as a list of str.

    Parameters
    ----------
    X : iterable of str
        List, tuple, array, Series, one-column frame or (n, 1) array, or a generator.

    Raises
    ------
    ValueError
        For a bare string, an empty X, several columns, or a row that is not a str.
    """
    if isinstance(X, str | bytes):
        raise ValueError(
            f"Iterable over raw text documents expected, {type(X).__name__} object received. "
            "Wrap a single text in a list: [text]."
        )
    if not hasattr(X, "__array__") and not isinstance(X, list | tuple):
        if not isinstance(X, Iterable):
            raise ValueError(f"X must be an iterable of str, got {type(X).__name__}.")
        X = list(X)
    texts = _one_column(X)
    if not texts:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required: X is empty.")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"Every text must be a str; row {row} of X is {text!r} of type {type(text).__name__}. "
                "Replace missing texts by '' and decode bytes first."
            )
    return texts


def _one_column(X: Any) -> list:
    """Rows of a 1-D container, or of a 2-D one with a single column."""
    if isinstance(X, list | tuple) and not any(isinstance(row, list | tuple | np.ndarray) for row in X):
        return [_plain(text) for text in X]
    array = np.asarray(X, dtype=object)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"X must be one column of texts, got an array of shape {array.shape}. Select the text column first, or use "
            "a ColumnTransformer."
        )
    return [_plain(text) for text in array.tolist()]


def _plain(text: Any) -> Any:
    """A str of one of NumPy's or pyarrow's scalars."""
    if type(text) is np.str_:
        return str(text)
    return text.as_py() if hasattr(text, "as_py") else text


def check_labels(y: Any, texts: list[str], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Classes in sorted order, and the index of every label among them.

    Raises
    ------
    ValueError
        If y is missing, of another length, not a classification target, or of one class.
    """
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    if getattr(getattr(y, "dtype", None), "kind", "") == "T":  # NumPy's StringDType, which scikit-learn stumbles over
        y = y.astype(object)
    _check_one_label_each(y)
    y = column_or_1d(y, warn=True)
    check_consistent_length(texts, y)
    assert_all_finite(y, input_name="y")
    try:
        check_classification_targets(y)
        classes, indices = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"y mixes labels that cannot be compared, or has missing ones: {error}.") from error
    if len(classes) < 2:
        raise ValueError(
            f"{name} needs samples of at least 2 classes in y, but it contains only one class: {classes.tolist()[0]!r}."
        )
    return classes, indices


def _check_one_label_each(y: Any) -> None:
    """Raise if y is lists of labels: several labels a text need an indicator matrix."""
    is_column = isinstance(y, list | tuple) or getattr(y, "ndim", 0) == 1
    for row, label in enumerate(y if is_column else []):
        if isinstance(label, list | tuple | set | frozenset) and len(label) != 1:
            raise ValueError(
                f"Every label of y must be one value; row {row} is {label!r}. For several labels a text give an "
                "indicator matrix: sklearn.preprocessing.MultiLabelBinarizer().fit_transform(y)."
            )


def check_known_labels(y: Any, texts: list[str], classes: np.ndarray) -> np.ndarray:
    """Index among the classes of every label of held-out texts.

    Raises
    ------
    ValueError
        If y is of another length or has a label that the training data do not have.
    """
    y = column_or_1d(y, warn=True)
    check_consistent_length(texts, y)
    position = {label: index for index, label in enumerate(classes.tolist())}
    unknown = [label for label in y.tolist() if label not in position]
    if unknown:
        raise ValueError(f"y_val has the label {unknown[0]!r}, which y does not have.")
    return np.array([position[label] for label in y.tolist()])


def check_indicators(y: Any, texts: list[str]) -> np.ndarray:
    """An indicator matrix of labels, dense or sparse, as an array of 0 and 1 of shape (n_texts, n_labels)."""
    check_consistent_length(texts, y)
    y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"An indicator matrix holds 0 and 1 only; y has {np.unique(y)[:6].tolist()}.")
    return y.astype(np.int64)


def check_values(y: Any, texts: list[str], name: str) -> np.ndarray:
    """Targets of a regression, float64 of shape (n_texts,) or (n_texts, n_targets).

    Raises
    ------
    ValueError
        If y is missing, of another length, not numeric, not finite, or has more than two dimensions.
    """
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    check_consistent_length(texts, y)
    return y


def is_indicator_matrix(y: Any) -> bool:
    """Whether y says of every text which of several labels it has."""
    if not hasattr(y, "toarray"):
        try:
            y = np.asarray(y)
        except ValueError:  # rows of different lengths
            return False
        if y.ndim != 2 or y.shape[1] < 2:
            return False
    return type_of_target(y, input_name="y") == "multilabel-indicator"


def check_weights(sample_weight: Any, n_texts: int) -> np.ndarray:
    """Sample weights with a mean of 1 over those above 0; ones where there are none.

    Raises
    ------
    ValueError
        If they are of another shape, negative, not finite or all zero.
    """
    if sample_weight is None:
        return np.ones(n_texts)
    weights = np.array(sample_weight, dtype=np.float64)
    weights = np.full(n_texts, weights) if weights.ndim == 0 else weights
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got an array of shape {weights.shape}.")
    if len(weights) != n_texts:
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n_texts,)}!")
    if not np.isfinite(weights).all() or (weights < 0).any():
        row = int(np.flatnonzero(~np.isfinite(weights) | (weights < 0))[0])
        raise ValueError(f"sample_weight must be finite and >= 0; row {row} is {weights[row]}.")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return of_mean_one(weights)


def class_weights(weights: np.ndarray, class_weight: Any, classes: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Weight of each class, of which `indices` gives each text's; 1 for a class whose texts all have no weight."""
    found = np.ones(len(classes))
    if class_weight is not None:
        labels = classes[indices[weights > 0]]
        present = np.unique(labels)
        found[np.isin(classes, present)] = compute_class_weight(class_weight, classes=present, y=labels)
        _check_class_weights(found, class_weight)
    return found


def of_mean_one(weights: np.ndarray) -> np.ndarray:
    """Weights with a mean of 1 over those above 0."""
    return weights / weights[weights > 0].mean()


def positive_weights(class_weight: Any, indicators: np.ndarray) -> np.ndarray | None:
    """How much more the presence of each label counts than its absence, shape (n_labels,).

    "balanced" gives both the same sum of weights; a dict names labels by their column.
    """
    if class_weight is None:
        return None
    n_labels = indicators.shape[1]
    if isinstance(class_weight, dict):
        unknown = set(class_weight) - set(range(n_labels))
        if unknown:
            raise ValueError(f"class_weight names labels {sorted(unknown)}, but y has columns 0 to {n_labels - 1}.")
        weights = np.array([float(class_weight.get(label, 1.0)) for label in range(n_labels)])
    elif isinstance(class_weight, str) and class_weight == "balanced":
        n_positive = indicators.sum(axis=0)
        weights = np.where(n_positive > 0, (len(indicators) - n_positive) / np.maximum(n_positive, 1), 1.0)
        weights[weights == 0] = 1.0  # a label that every text has
    else:
        raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}.")
    _check_class_weights(weights, class_weight)
    return weights


def _check_class_weights(weights: np.ndarray, class_weight: Any) -> None:
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(f"class_weight must be finite, >= 0 and not all 0, got {class_weight!r}.")


def check_number(value: Any, name: str, kind: type, *, low: float, high: float | None = None, bounds: str = "both"):
    """Raise unless a hyper-parameter is a number of a kind (Real, Integral) within bounds."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an instance of {kind.__name__}, not bool.")
    check_scalar(value, name, kind, min_val=low, max_val=high, include_boundaries=bounds)


def check_number_or_auto(value: Any, name: str, kind: type, **bounds: Any) -> None:
    """Raise unless a hyper-parameter is "auto" or a number of a kind within bounds."""
    if isinstance(value, str) and value != "auto":
        raise TypeError(f"{name} must be 'auto' or a number, got {value!r}.")
    if not isinstance(value, str):
        check_number(value, name, kind, **bounds)


def check_choice(value: Any, name: str, choices: Iterable) -> None:
    """Raise unless a hyper-parameter is one of some values."""
    choices = list(choices)
    if not any(value is choice or (type(value) is type(choice) and value == choice) for choice in choices):
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, choices))}.")


def check_epochs(value: Any) -> None:
    """Raise unless epochs is "auto" or a positive integer."""
    if value != "auto":
        if not isinstance(value, Integral):
            raise TypeError(f"epochs must be 'auto' or an int, got {value!r}.")
        check_number(value, "epochs", Integral, low=1)
