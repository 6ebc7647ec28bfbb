"""Fitted estimators from files, without running or importing anything that a file names."""

import os
from typing import Any

import numpy as np

from skulmfit.estimators.base import TextEstimator
from skulmfit.estimators.classifier import ULMFiTClassifier
from skulmfit.estimators.codec import Reader
from skulmfit.estimators.fine_tuner import LMFineTuner
from skulmfit.estimators.fitted_state import FittedState, SupervisedState
from skulmfit.estimators.format_1 import upgrade
from skulmfit.estimators.regressor import ULMFiTRegressor
from skulmfit.estimators.saving import FORMAT, KIND, OF_THIS_MACHINE, OUTPUT, codecs
from skulmfit.models.archive import open_archive
from skulmfit.models.model import Model
from skulmfit.text.token_corpus import DIRECTIONS

_KINDS: dict[str, type[TextEstimator]] = {
    kind.__name__: kind for kind in (LMFineTuner, ULMFiTClassifier, ULMFiTRegressor)
}


def load(path: str | os.PathLike) -> LMFineTuner | ULMFiTClassifier | ULMFiTRegressor:
    """Read an estimator that its `save` has written.

    Nothing in the file is run, unpickled or imported; names, types, shapes and version are checked.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    LMFineTuner, ULMFiTClassifier or ULMFiTRegressor
        As it was when saved: the same parameters, the same predictions. What belongs to a machine is no part of a file:
        `memory` and `checkpoint` are None, `device` is "auto".

    Raises
    ------
    ValueError
        If the file is something else, is damaged, or was written by a newer version of skulmfit.

    Examples
    --------
    >>> import tempfile, skulmfit
    >>> lm = skulmfit.LMFineTuner(epochs=0).fit(["-"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lm.save(f"{folder}/lm.npz")
    ...     skulmfit.load(f"{folder}/lm.npz")
    LMFineTuner(epochs=0)
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no file {os.fspath(path)!r}. Give the path of one that `save` has written.")
    with open_archive(path, KIND, FORMAT) as (meta, archive):
        root = upgrade(meta["root"]) if meta["format"] == 1 else meta["root"]
        estimator = Reader(codecs(_read_estimator), archive).read(root)
        if not isinstance(estimator, TextEstimator):
            raise ValueError(f"a {type(estimator).__name__}")
    return estimator  # type: ignore[return-value]


def _read_estimator(reader: Reader, code: dict[str, Any]) -> TextEstimator:
    """One of our estimators, fitted or not. A parameter that the file does not have keeps its default."""
    if code["name"] not in _KINDS:
        raise ValueError(f"an estimator {code['name']!r}")
    estimator = _KINDS[code["name"]]()
    params, known = code["params"], set(estimator.get_params(deep=False))
    if set(params) - known:
        raise ValueError(f"{code['name']} with the parameters {', '.join(sorted(set(params) - known))}")
    for name, value in params.items():
        setattr(estimator, name, OF_THIS_MACHINE.get(name, reader.read(value)))
    estimator._check_parameters()
    fitted, output = reader.read(code["fitted"]), reader.read(code["output"])
    if output is not None:
        if output not in [{"transform": kind} for kind in ("default", "pandas", "polars")]:
            raise ValueError(f"the output {output!r}")
        setattr(estimator, OUTPUT, output)
    if fitted is not None:
        _check_fitted(estimator, fitted)
        estimator._publish(fitted)
    return estimator


def _check_fitted(estimator: TextEstimator, fitted: FittedState) -> None:
    """Raise unless a fitted state is one that the estimator can have and its parts fit each other."""
    name, is_supervised = type(estimator).__name__, estimator._targets_kind is not None
    kind = SupervisedState if is_supervised else FittedState
    if type(fitted) is not kind or not 1 <= len(fitted.models) <= 2:
        raise ValueError(f"{name} without its models")
    n_parts = {len(fitted.models), len(fitted.outcomes), len(fitted.vocab_transfers)}
    n_parts |= {len(fitted.lm_outcomes)} if isinstance(fitted, SupervisedState) else set()
    if len(n_parts) > 1:
        raise ValueError(f"{len(fitted.models)} models, but another number of what belongs to each")
    for model in fitted.models:
        _check_model(model, estimator)
    directions = tuple(model.direction for model in fitted.models)
    if len(directions) == 2 and directions != DIRECTIONS:
        raise ValueError(f"two models that read {' and '.join(directions)}")
    if isinstance(fitted, SupervisedState):
        _check_targets(fitted, estimator)


def _check_model(model: Model, estimator: TextEstimator) -> None:
    if not isinstance(model, estimator._model_kind):
        raise ValueError(f"{type(estimator).__name__} with a {type(model).__name__}")
    model.check(f"a {type(model).__name__}")
    wrong = {key for key, weight in model.weights.items() if weight.dtype != np.float32}
    if wrong:
        raise ValueError(f"weights that are not float32: {', '.join(sorted(wrong))}")


def _check_targets(fitted: SupervisedState, estimator: TextEstimator) -> None:
    kind = estimator._targets_kind
    if kind is None or not isinstance(fitted.targets, kind):
        raise ValueError(f"{type(estimator).__name__} with the targets {type(fitted.targets).__name__}")
    for model in fitted.models:
        if model.head.n_outputs != fitted.targets.n_outputs:
            raise ValueError(f"{model.head.n_outputs} outputs, but {fitted.targets.n_outputs} targets")
    fitted.targets.check()
