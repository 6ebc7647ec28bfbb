"""Fitted estimators to files: one .npz without pickles and without code."""

import os
from collections.abc import Callable
from typing import Any, NoReturn

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skulmfit.estimators.codec import VALUES, Codec, Reader, Unwritable, Writer
from skulmfit.models.archive import write_archive
from skulmfit.version import __version__

FORMAT = 2
KIND = "skulmfit estimator"
ESTIMATORS = ("LMFineTuner", "ULMFiTClassifier", "ULMFiTRegressor")
OUTPUT = "_sklearn_output_config"  # what `set_output` leaves
OF_THIS_MACHINE = {"memory": None, "checkpoint": None, "device": "auto"}  # a file names no folder and no device


def save(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Write a fitted estimator to a file that `skulmfit.load` reads.

    Raises
    ------
    ValueError
        If a parameter cannot be saved without code.
    """
    check_is_fitted(estimator)
    writer = Writer(codecs(read_estimator=_cannot_read))
    try:
        root = writer.write(estimator, type(estimator).__name__)
    except Unwritable as error:
        raise ValueError(
            f"{error} cannot be saved without code. Numbers, strings, None, lists, dicts and arrays of them, paths, "
            "recipes and skulmfit's estimators can; for anything else use joblib.dump."
        ) from error
    write_archive(path, KIND, FORMAT, {"skulmfit": __version__, "root": root}, writer.arrays)


def codecs(read_estimator: Callable[[Reader, Any], BaseEstimator]) -> dict[str, Codec]:
    """The table of all that can be in a file. How an estimator is read is an argument, since only its class knows."""
    return VALUES | {
        "frozen": Codec(
            FrozenEstimator,
            lambda w, v, name: w.write(v.estimator, name),
            lambda r, code: FrozenEstimator(r.read(code)),
        ),
        "estimator": Codec(BaseEstimator, _write_estimator, read_estimator),
    }


def _write_estimator(writer: Writer, estimator: BaseEstimator, name: str) -> dict[str, Any]:
    kind = type(estimator)
    if kind.__name__ not in ESTIMATORS or not kind.__module__.startswith("skulmfit."):
        raise Unwritable(f"{name}={estimator!r}")
    params = {key: OF_THIS_MACHINE.get(key, value) for key, value in estimator.get_params(deep=False).items()}
    return {
        "name": kind.__name__,
        "params": {key: writer.write(value, f"{name}.{key}") for key, value in params.items()},
        "fitted": writer.write(getattr(estimator, "_fitted", None), name),
        "output": writer.write(getattr(estimator, OUTPUT, None), name),
    }


def _cannot_read(reader: Reader, code: Any) -> NoReturn:
    raise NotImplementedError
