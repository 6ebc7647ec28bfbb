"""Checks of texts, weights and folders: one clear error before any training."""

import os
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from numbers import Real
from typing import Any, Literal, TypeAlias

import joblib
import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_memory

from skulmfit.estimators.hints import column_hint, text_hint
from skulmfit.estimators.label_values import is_missing, own_values, plain

Memory: TypeAlias = str | os.PathLike | joblib.Memory | None
ClassWeight = dict[Any, float] | Literal["balanced"] | None


def check_texts(X: Iterable[str]) -> list[str]:
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
    if isinstance(X, Mapping | Set) or (isinstance(X, tuple) and hasattr(X, "_fields")):
        raise ValueError(
            f"X must be the texts themselves in their order, got a {type(X).__name__}. Of named columns select that of "
            "the texts, as X['text']; make a list of what has no order."
        )
    if not hasattr(X, "__array__") and not isinstance(X, list | tuple):
        if not isinstance(X, Iterable):
            raise ValueError(f"X must be an iterable of str, got {type(X).__name__}.")
        X = list(X)
    texts = _one_column(X)
    if not texts:
        raise ValueError(
            "Found array with 0 sample(s) while a minimum of 1 is required: X is empty. Give at least one text; a "
            "generator can be read only once."
        )
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"Every text must be a str; row {row} of X is {text!r} of type {type(text).__name__}. {text_hint(text)}"
            )
    return texts


def _one_column(X: Iterable[str]) -> list[Any]:
    """Rows of a 1-D container, or of a 2-D one with a single column."""
    if isinstance(X, list | tuple) and not any(isinstance(row, list | tuple | np.ndarray) for row in X):
        return [_text(text) for text in X]
    array = np.asarray(X, dtype=object)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"X must be one column of texts, got an array of shape {array.shape}. {column_hint(X, array.shape[-1])}"
        )
    return [_text(text) for text in array.tolist()]


def _text(text: Any) -> Any:
    """A str of one of NumPy's or pyarrow's scalars."""
    return str(text) if type(text) is np.str_ else plain(text)


def check_lengths(texts: list[str], y: Any) -> None:
    """Raise unless there are as many targets as texts.

    Raises
    ------
    ValueError
    """
    n_targets = y.shape[0] if hasattr(y, "shape") and len(y.shape) else len(y) if hasattr(y, "__len__") else None
    if n_targets not in (None, len(texts)):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {len(texts)} texts, y has {n_targets} "
            "rows. Give one for each text, in the order of X."
        )


def check_weights(sample_weight: ArrayLike | None, n_texts: int) -> np.ndarray:
    """Sample weights with a mean of 1 over those above 0; ones where there are none.

    Raises
    ------
    ValueError
        If they are of another shape, no numbers, negative, not finite or all zero.
    """
    if sample_weight is None:
        return np.ones(n_texts)
    weights = number_array(sample_weight, "sample_weight")
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
    return normalise_weights(weights)


def number_array(values: Any, name: str) -> np.ndarray:
    """Numbers of any container in float64, in their shape.

    Raises
    ------
    ValueError
        If a value is missing or is no number, as a string or a date; the message names the row.
    """
    array = own_values(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    for row, items in enumerate(array.astype(object).reshape(len(array), -1).tolist() if array.ndim else [[array[()]]]):
        for value in items:
            if is_missing(value):
                raise ValueError(
                    f"Input {name} contains NaN or another missing value: row {row} is {value!r}. Leave out such texts."
                )
            if not isinstance(value, Real | Decimal | bool | np.bool_) or isinstance(value, np.timedelta64):
                raise ValueError(
                    f"{name} must hold numbers; row {row} is {value!r} of type {type(value).__name__}. Make numbers of "
                    "strings and dates first."
                )
    return array.astype(np.float64)


def normalise_weights(weights: np.ndarray) -> np.ndarray:
    """Weights with a mean of 1 over those above 0."""
    weights = np.ldexp(weights, -exponents(weights))  # so that no sum of them is infinite
    return weights / weights[weights > 0].mean()


def exponents(columns: np.ndarray) -> np.ndarray:
    """The power of 2 next above all values of each column. To divide by it changes no digit of them."""
    return np.frexp(np.abs(columns).max(axis=0))[1]


def check_class_weights(weights: np.ndarray, class_weight: ClassWeight) -> None:
    """Raise unless the weights that a `class_weight` stands for are finite, not negative, and not all 0."""
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(f"class_weight must be finite, >= 0 and not all 0, got {class_weight!r}.")


def check_folder(value: Any, name: str) -> None:
    """Raise unless a parameter is None or the path of a folder that is there or can be made."""
    if not isinstance(value, str | os.PathLike | None):
        raise TypeError(f"{name} must be None or the path of a folder, got {value!r}.")
    if value is not None and os.path.exists(value) and not os.path.isdir(value):
        raise ValueError(f"{name}={os.fspath(value)!r} is a file. Give the path of a folder, or None.")


def check_cache(memory: Memory) -> joblib.Memory:
    """The cache that `memory=` stands for.

    Raises
    ------
    ValueError
        If it is none, or its folder cannot be written.
    """
    folder = getattr(memory, "location", memory)
    if isinstance(folder, str | os.PathLike):
        check_folder(folder, "memory")
        try:
            os.makedirs(folder, exist_ok=True)
            is_writable = os.access(folder, os.W_OK | os.X_OK)
        except OSError:
            is_writable = False
        if not is_writable:
            raise ValueError(f"memory={os.fspath(folder)!r} cannot be written. Give a folder of your own, or None.")
    return check_memory(os.fspath(memory) if isinstance(memory, os.PathLike) else memory)
