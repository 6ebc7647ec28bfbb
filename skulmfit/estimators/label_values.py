"""Labels as values: of one type, none missing, and the same when they come back from `predict`."""

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d

_ACCEPTED = "Labels are strings, booleans, whole numbers or NumPy dates"
_INT64, _UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)


def label_array(y: Any, name: str = "y") -> np.ndarray:
    """Labels of any container, shape (n_texts,): an array of the values that were given, in a type that holds them all.

    Raises
    ------
    ValueError
        If a label is missing, or is no label, or is of another type than those before it; the message names the row.
    """
    y = y.toarray() if hasattr(y, "toarray") else y
    _check_one_label_each(y, name)
    values = own_values(y)
    if values.ndim not in (1, 2):
        raise ValueError(
            f"{name} should be a 1d array with a label for each text, got a {type(y).__name__} of shape {values.shape}."
        )
    values = values.astype(object) if values.dtype.kind in "cVS" else values  # their rows are named below
    array = column_or_1d(values, input_name=name, warn=True)
    if array.dtype.kind in "OTScV":
        array = _typed([plain(label) for label in array.tolist()], name, fixed_width=isinstance(y, list | tuple))
    _check_values(array, name)
    return array


def own_values(y: Any) -> np.ndarray:
    """An array of the values of a container as they are: no integer becomes a float where others are missing."""
    return np.asarray(y) if isinstance(getattr(y, "dtype", None), np.dtype) else np.asarray(y, dtype=object)


def plain(value: Any) -> Any:
    """The Python value of one of pyarrow's scalars."""
    return value.as_py() if hasattr(value, "as_py") else value


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, NaT, pandas' NA."""
    if isinstance(value, float | np.floating | np.datetime64 | np.timedelta64):
        return bool(value != value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def missing_label(row: int, label: Any, name: str) -> ValueError:
    """The error for a text without a label."""
    return ValueError(
        f"Input {name} contains NaN or another missing value: row {row} is {label!r}. Leave out texts without a "
        "label, or give them a label of their own."
    )


def label_type(labels: np.ndarray) -> type:
    """The type that all labels of an array count as."""
    return _type_of(labels[0]) or type(labels[0])


def _type_of(label: Any) -> type | None:
    """The type that a label counts as: NumPy's are Python's; None for what is no label."""
    if isinstance(label, bool | np.bool_):
        return bool
    if isinstance(label, np.datetime64 | np.timedelta64):
        return type(label)
    if type(label) is int or isinstance(label, np.integer):
        return int
    if type(label) is float or isinstance(label, np.floating):
        return float
    if isinstance(label, str):
        return str if type(label) in (str, np.str_) else type(label)  # members of an enum stay what they are
    return None


def _typed(labels: list[Any], name: str, *, fixed_width: bool) -> np.ndarray:
    """An array of labels that are all of one type; strings of `fixed_width` where that can hold them."""
    found: dict[type, int] = {}
    for row, label in enumerate(labels):
        if is_missing(label):
            raise missing_label(row, label, name)
        kind = _type_of(label)
        if kind is None:
            remedy = "decode bytes first." if isinstance(label, bytes) else "make it one of these first, as by str()."
            raise ValueError(f"{_ACCEPTED}; row {row} of {name} is {_shown(label)}: {remedy}")
        found.setdefault(kind, row)
        if len(found) > 1:
            first = next(iter(found.values()))
            raise ValueError(
                f"Labels must all be of one type; row {row} of {name} is {_shown(label)}, but row {first} is "
                f"{_shown(labels[first])}. Make them the same, as by [str(label) for label in {name}]."
            )
    if not labels:
        return np.array([], dtype=object)
    (kind,) = found
    if kind is int:
        return _integers([int(label) for label in labels], name)
    is_string = issubclass(kind, str)
    if not is_string or (kind is str and fixed_width and not any(label.endswith("\0") for label in labels)):
        return np.array(labels)
    return np.fromiter(labels, dtype=object, count=len(labels))


def _integers(labels: list[int], name: str) -> np.ndarray:
    """Integers in 64 bits."""
    lowest, highest = min(labels), max(labels)
    if lowest >= _INT64.min and highest <= _INT64.max:
        return np.array(labels, np.int64)
    if lowest >= 0 and highest <= _UINT64.max:
        return np.array(labels, np.uint64)
    row = next(row for row, label in enumerate(labels) if not _INT64.min <= label <= _INT64.max)
    raise ValueError(f"{_ACCEPTED}; row {row} of {name} is {labels[row]}, which 64 bits cannot hold. Give str(label).")


def _check_values(array: np.ndarray, name: str) -> None:
    """Raise if a label of an array that NumPy has typed is missing, or is a number that is not whole."""
    kind = array.dtype.kind
    if kind in "Mm" and np.isnat(array).any():
        row = int(np.flatnonzero(np.isnat(array))[0])
        raise missing_label(row, array[row], name)
    if kind != "f":
        return
    if np.isnan(array).any():
        row = int(np.flatnonzero(np.isnan(array))[0])
        raise missing_label(row, float(array[row]), name)
    if np.isinf(array).any():
        row = int(np.flatnonzero(np.isinf(array))[0])
        raise ValueError(f"Input {name} contains infinity: row {row} is {array[row]}. Labels must be finite.")
    is_broken = array != np.floor(array)
    if is_broken.any():
        row = int(np.flatnonzero(is_broken)[0])
        raise ValueError(
            f"Unknown label type: continuous. Row {row} of {name} is {array[row]}, but labels that are numbers must be "
            "whole. For numbers as targets take ULMFiTRegressor."
        )


def _check_one_label_each(y: Any, name: str) -> None:
    """Raise if y has lists of labels. For several labels a text, y must be an indicator matrix."""
    is_list = isinstance(y, list | tuple)
    if not (is_list or getattr(y, "ndim", 0) == 1):
        return
    several = [(row, label) for row, label in enumerate(y) if _is_collection(label)]
    are_rows = is_list and len(several) == len(y) and not isinstance(y[0] if y else None, set | frozenset)
    if are_rows and all(len(label) == 1 for _, label in several):
        return  # a column
    for row, label in sorted(several, key=lambda pair: len(pair[1]) == 1):
        raise ValueError(
            f"Every label of {name} must be one value; row {row} is {label!r}. For several labels a text give an "
            f"indicator matrix: sklearn.preprocessing.MultiLabelBinarizer().fit_transform({name})."
        )


def _is_collection(label: Any) -> bool:
    return isinstance(label, list | tuple | set | frozenset) or (isinstance(label, np.ndarray) and label.ndim > 0)


def _shown(label: Any) -> str:
    return f"{label!r} of type {type(label).__name__}"
