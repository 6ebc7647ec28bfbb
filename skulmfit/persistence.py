"""Fitted estimators as files: one .npz without pickles, read without running or importing anything it names."""

import os
import warnings
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

import skulmfit
from skulmfit.archive import damage_reported, read_archive, write_archive
from skulmfit.base import check_device
from skulmfit.nn.awd_lstm import Architecture
from skulmfit.nn.dropout import Dropouts
from skulmfit.text.tokenizer import Tokenizer
from skulmfit.text.words import WordTokenizer, load_tokenizer
from skulmfit.training.recipes import Auto, Phase, Recipe
from skulmfit.training.schedules import OneCycle, SlantedTriangular
from skulmfit.training.stages import Stage

FORMAT = 1
_KIND = "skulmfit estimator"
_ESTIMATORS = ("LMFineTuner", "ULMFiTClassifier", "ULMFiTRegressor")
_DATA = {
    kind.__name__: kind for kind in (Architecture, Auto, Dropouts, OneCycle, Phase, Recipe, SlantedTriangular, Stage)
}
# Fitted attributes: those that every file has, those of a kind, those that some have.
_COMMON = {"recipe_", "stages_", "history_", "n_iter_", "vocab_size_", "_architecture", "_interrupted"}
_SUPERVISED = _COMMON | {"lm_stages_", "_n_outputs", "_hidden_dim"}
_REQUIRED = {
    "LMFineTuner": _COMMON,
    "ULMFiTClassifier": _SUPERVISED | {"classes_", "_is_multilabel"},
    "ULMFiTRegressor": _SUPERVISED | {"_target_mean", "_target_scale", "_is_multioutput"},
}
_OPTIONAL = {"_network", "_tokenizer", "directions_", "vocab_transfer_", "_sklearn_output_config"}
_TYPES: dict[str, Any] = {
    "recipe_": Recipe, "stages_": list, "lm_stages_": list, "history_": list, "n_iter_": int, "vocab_size_": int,
    "_architecture": Architecture, "_interrupted": bool, "_n_outputs": int, "_hidden_dim": int, "classes_": np.ndarray,
    "_is_multilabel": bool, "_is_multioutput": bool, "_target_mean": np.ndarray, "_target_scale": np.ndarray,
    "_network": dict, "_tokenizer": Tokenizer | WordTokenizer, "directions_": dict, "vocab_transfer_": dict,
    "_sklearn_output_config": dict,
}  # fmt: skip


def save(estimator: Any, path: str | os.PathLike) -> None:
    """Write a fitted estimator to a file that `load` reads."""
    check_is_fitted(estimator)
    writer = _Writer()
    meta = {"skulmfit": skulmfit.__version__, "root": writer.encode(estimator, type(estimator).__name__)}
    write_archive(path, _KIND, FORMAT, meta, writer.arrays)


def load(path: str | os.PathLike) -> Any:
    """Read an estimator that its `save` has written.

    Nothing in the file is run, unpickled or imported; names, shapes and version are checked.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    LMFineTuner, ULMFiTClassifier or ULMFiTRegressor
        As it was when saved: the same parameters, the same predictions. A device that is not here becomes "auto".

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
    meta, arrays = read_archive(path, _KIND, FORMAT)
    reader = _Reader(arrays)
    with damage_reported(path, _KIND):
        estimator = reader.estimator(meta["root"])
    for device in sorted(reader.missing_devices):
        warnings.warn(f"device={device!r} is not here; 'auto' takes its place.", stacklevel=2)
    return estimator


class _Writer:
    """Turns values of a closed set of types into JSON, and puts arrays aside."""

    def __init__(self):
        self.arrays: dict[str, np.ndarray] = {}

    def encode(self, value: Any, name: str) -> Any:
        """JSON of a value; `name` is for the message about one that has none."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list | tuple):
            items = [self.encode(item, name) for item in value]
            return items if isinstance(value, list) else {"tuple": items}
        if isinstance(value, dict):
            return {
                "dict": [[self.encode(key, name), self.encode(item, f"{name}[{key!r}]")] for key, item in value.items()]
            }
        if isinstance(value, np.ndarray):
            return self._encode_array(value, name)
        if isinstance(value, os.PathLike):
            return {"path": os.fspath(value)}
        if is_dataclass(value) and type(value).__name__ in _DATA:
            contents = {field.name: self.encode(getattr(value, field.name), name) for field in fields(value)}
            return {"data": type(value).__name__, "fields": contents}
        if isinstance(value, Tokenizer | WordTokenizer):
            model = self._encode_array(np.frombuffer(value.model, np.uint8), name)
            return {"tokenizer": model, "direction": value.direction}
        if isinstance(value, FrozenEstimator):
            return {"frozen": self.encode(value.estimator, name)}
        if type(value).__name__ in _ESTIMATORS and type(value) is getattr(skulmfit, type(value).__name__):
            params = set(value.get_params(deep=False))
            known = params | _REQUIRED[type(value).__name__] | _OPTIONAL
            state = {key: item for key, item in value.__getstate__().items() if key in known}
            state |= {"memory": None} if "memory" in params else {}  # a file names no folder of pickles
            _check_state(type(value).__name__, state, params)
            contents = {key: self.encode(item, f"{name}.{key}") for key, item in state.items()}
            return {"estimator": type(value).__name__, "state": contents}
        raise ValueError(
            f"{name}={value!r} cannot be saved without code. Numbers, strings, None, lists, dicts and arrays of them, "
            "paths and skulmfit's estimators can; for anything else use joblib.dump."
        )

    def _encode_array(self, array: np.ndarray, name: str) -> Any:
        if array.dtype.kind == "O":  # Python objects have no place in an .npz file
            items = [self.encode(item, name) for item in array.ravel().tolist()]
            return {"items": items, "shape": list(array.shape)}
        self.arrays[f"array/{len(self.arrays)}"] = array
        return {"array": f"array/{len(self.arrays) - 1}"}


class _Reader:
    """Turns what a `_Writer` has made back into values."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        self.arrays = arrays
        self.missing_devices: set[str] = set()

    def decode(self, code: Any) -> Any:
        """The value of a piece of JSON."""
        if isinstance(code, list):
            return [self.decode(item) for item in code]
        if not isinstance(code, dict):
            return code
        readers = {
            "tuple": self._tuple, "dict": self._dict, "array": self._array, "items": self._items, "path": self._path,
            "data": self._data, "tokenizer": self._tokenizer, "frozen": self._frozen, "estimator": self.estimator,
        }  # fmt: skip
        kinds = [kind for kind in readers if kind in code]
        if len(kinds) != 1:
            raise ValueError(f"a value of an unknown kind, with {sorted(code)}")
        return readers[kinds[0]](code)

    def _tuple(self, code: dict) -> Any:
        return tuple(self.decode(code["tuple"]))

    def _dict(self, code: dict) -> Any:
        return {self.decode(key): self.decode(item) for key, item in code["dict"]}

    def _array(self, code: dict) -> np.ndarray:
        return self.arrays[code["array"]]

    def _items(self, code: dict) -> np.ndarray:
        array = np.empty(len(code["items"]), dtype=object)
        array[:] = self.decode(code["items"])
        return array.reshape(code["shape"])

    def _path(self, code: dict) -> Path:
        return Path(code["path"])

    def _data(self, code: dict) -> Any:
        return _DATA[code["data"]](**{name: self.decode(item) for name, item in code["fields"].items()})

    def _tokenizer(self, code: dict) -> Tokenizer | WordTokenizer:
        return load_tokenizer(self.decode(code["tokenizer"]).tobytes(), code["direction"])

    def _frozen(self, code: dict) -> FrozenEstimator:
        return FrozenEstimator(self.estimator(code["frozen"]))

    def estimator(self, code: dict) -> Any:
        """One of our estimators, fitted or not."""
        name = code["estimator"]
        if name not in _ESTIMATORS:
            raise ValueError(f"an estimator {name!r}")
        estimator = getattr(skulmfit, name)()
        state = {key: self.decode(item) for key, item in code["state"].items()}
        _check_state(name, state, set(estimator.get_params(deep=False)))
        estimator.__setstate__(state)  # a parameter that a later version has brought keeps its default
        try:
            check_device(estimator.device)
        except ValueError:
            self.missing_devices.add(str(estimator.device))
            estimator.set_params(device="auto")
        return estimator


def _check_state(name: str, state: dict[str, Any], params: set[str]) -> None:
    """Raise unless an estimator's attributes are those it should have, and fit each other."""
    fitted = set(state) - params
    wrong = fitted - _REQUIRED[name] - _OPTIONAL
    if fitted & {"_network", "directions_"}:
        wrong |= _REQUIRED[name] - fitted
    if "_network" in fitted:
        wrong |= {"_tokenizer"} - fitted
    if wrong:
        raise ValueError(f"{name} with or without {', '.join(sorted(wrong))}")
    for key in fitted:
        if not isinstance(state[key], _TYPES[key]):
            raise ValueError(f"{key} is of type {type(state[key]).__name__}")
    for member in state.get("directions_", {}).values():
        if type(member).__name__ != name or not hasattr(member, "_network"):
            raise ValueError("a direction without a network")
    if "_network" in fitted:
        _check_sizes(state)


def _check_sizes(state: dict[str, Any]) -> None:
    """Raise unless tokenizer, network, classes and targets have the sizes of each other."""
    if len(state["_tokenizer"]) != state["_architecture"].vocab_size:
        raise ValueError(f"{len(state['_tokenizer'])} pieces, but {state['_architecture'].vocab_size} embeddings")
    for key in ("classes_", "_target_mean", "_target_scale"):
        if key in state and state[key].shape != (state["_n_outputs"],):
            raise ValueError(f"{key} of shape {state[key].shape}, but {state['_n_outputs']} outputs")
    wrong = {key for key, weight in state["_network"].items() if weight.dtype != np.float32}
    if wrong:
        raise ValueError(f"weights that are not float32: {', '.join(sorted(wrong))}")
