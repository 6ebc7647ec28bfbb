"""Values of a closed set of types as JSON and arrays, and back: a table from type to writer and reader."""

import os
import types
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from skulmfit.estimators.fitted_state import FittedState, SupervisedState
from skulmfit.estimators.indicator_targets import Indicators
from skulmfit.estimators.label_targets import Labels
from skulmfit.estimators.number_targets import Numbers
from skulmfit.models.archive import Archive
from skulmfit.models.fine_tuned_model import FineTunedModel, HeadShape
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.sentence_map import SentenceMap
from skulmfit.nn.dropout import Dropouts
from skulmfit.nn.encoder import Architecture
from skulmfit.text.any_tokenizer import load_tokenizer
from skulmfit.text.tokenizer import Tokenizer
from skulmfit.text.words import WordTokenizer
from skulmfit.training.outcome import Outcome
from skulmfit.training.recipe import EpochsForUpdates, Phase, Recipe
from skulmfit.training.schedules import OneCycle, SlantedTriangular
from skulmfit.training.stages import Stage

_PLAIN = (bool, int, float, str, type(None))  # are JSON as they are
_DATACLASSES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Architecture, Dropouts, EpochsForUpdates, FineTunedModel, FittedState, HeadShape, Indicators, Labels,
        LanguageModel, Numbers, OneCycle, Outcome, Phase, Recipe, SentenceMap, SlantedTriangular, Stage,
        SupervisedState,
    )
}  # fmt: skip


class Unwritable(TypeError):
    """A value that only code could describe."""


@dataclass(frozen=True)
class Codec:
    """How values of a type are written and read.

    Parameters
    ----------
    kinds : type or tuple of types
    write : callable
        From a writer, a value and its name to JSON.
    read : callable
        From a reader and JSON to the value.
    """

    kinds: type | tuple[type, ...]
    write: Callable[["Writer", Any, str], Any]
    read: Callable[["Reader", Any], Any]


class Writer:
    """Turns values into JSON, and puts arrays aside.

    Parameters
    ----------
    codecs : dict of str to Codec
        By the key under which a value of theirs stands in JSON.
    """

    def __init__(self, codecs: dict[str, Codec]):
        self.codecs, self.arrays = codecs, dict[str, np.ndarray]()

    def write(self, value: Any, name: str) -> Any:
        """JSON of a value.

        Raises
        ------
        Unwritable
            If its type is not in the table; the message begins with the `name`.
        """
        is_date = isinstance(value, np.datetime64 | np.timedelta64)  # whose item is a number or loses its unit
        value = value.item() if isinstance(value, np.generic) and not is_date else value
        if type(value) in _PLAIN:  # a member of an enum of strings is more than its string
            return value
        if type(value) is list:
            return [self.write(item, name) for item in value]
        for key, codec in self.codecs.items():
            if isinstance(value, codec.kinds):
                return {key: codec.write(self, value, name)}
        raise Unwritable(f"{name}={value!r}")


class Reader:
    """Turns what a `Writer` has made back into values.

    Parameters
    ----------
    codecs : dict of str to Codec
    arrays : Archive
    """

    def __init__(self, codecs: dict[str, Codec], arrays: Archive):
        self.codecs, self.arrays = codecs, arrays

    def read(self, code: Any) -> Any:
        """The value of a piece of JSON."""
        if isinstance(code, list):
            return [self.read(item) for item in code]
        if not isinstance(code, dict):
            return code
        if len(code) != 1 or next(iter(code)) not in self.codecs:
            raise ValueError(f"a value of an unknown kind, with {sorted(code)}")
        ((key, contents),) = code.items()
        return self.codecs[key].read(self, contents)


def _write_dict(writer: Writer, value: dict, name: str) -> list:
    return [[writer.write(key, name), writer.write(item, f"{name}[{key!r}]")] for key, item in value.items()]


def _read_dict(reader: Reader, code: list) -> dict:
    return {reader.read(key): reader.read(item) for key, item in code}


def _write_array(writer: Writer, array: np.ndarray, name: str) -> Any:
    if array.dtype.kind == "O":  # Python objects have no place in an .npz file
        return [list(array.shape), [writer.write(item, name) for item in array.ravel().tolist()]]
    key = f"array/{len(writer.arrays)}"
    writer.arrays[key] = array
    return key


def _read_array(reader: Reader, code: Any) -> np.ndarray:
    if isinstance(code, str):
        return reader.arrays[code]
    shape, items = code
    array = np.empty(len(items), dtype=object)
    array[:] = reader.read(items)
    return array.reshape(shape)


def _read_date(reader: Reader, code: list) -> np.datetime64 | np.timedelta64:
    dtype = np.dtype(code[0])
    if dtype.kind not in "Mm":
        raise ValueError(f"a date of type {dtype}")
    date: np.datetime64 | np.timedelta64 = np.int64(code[1]).view(dtype)
    return date


def _write_dataclass(writer: Writer, value: Any, name: str) -> list:
    if type(value) is not _DATACLASSES.get(type(value).__name__):
        raise Unwritable(f"{name}={value!r}")
    contents = {field.name: writer.write(getattr(value, field.name), name) for field in fields(value)}
    return [type(value).__name__, contents]


def _read_dataclass(reader: Reader, code: list) -> Any:
    name, contents = code
    kind = _DATACLASSES[name]
    values, hints = {key: reader.read(item) for key, item in contents.items()}, get_type_hints(kind)
    for key, value in values.items():
        if not _fits(value, hints[key]):
            raise ValueError(f"{key} of {name} is of type {type(value).__name__}")
    return kind(**values)


def _write_tokenizer(writer: Writer, value: Tokenizer | WordTokenizer, name: str) -> list:
    return [_write_array(writer, np.frombuffer(value.model, np.uint8), name), value.direction]


def _read_tokenizer(reader: Reader, code: list) -> Tokenizer | WordTokenizer:
    model, direction = code
    return load_tokenizer(_read_array(reader, model).tobytes(), direction)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type as it stands in an annotation."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if isinstance(hint, TypeVar):
        return _fits(value, hint.__bound__)
    if origin in (Union, types.UnionType):
        return any(_fits(value, kind) for kind in args)
    if origin is Literal:
        return value in args
    if origin is tuple:
        kinds = args[:1] * len(value) if args[-1] is Ellipsis else args
        return type(value) is tuple and len(value) == len(kinds) and all(map(_fits, value, kinds))
    if origin is list:
        return type(value) is list and all(_fits(item, args[0]) for item in value)
    if origin is dict:
        return type(value) is dict and all(_fits(key, args[0]) and _fits(item, args[1]) for key, item in value.items())
    return isinstance(value, int | float if hint is float else hint)


VALUES: dict[str, Codec] = {
    "tuple": Codec(tuple, lambda w, v, name: [w.write(item, name) for item in v], lambda r, code: tuple(r.read(code))),
    "dict": Codec(dict, _write_dict, _read_dict),
    "array": Codec(np.ndarray, _write_array, _read_array),
    "date": Codec((np.datetime64, np.timedelta64), lambda w, v, name: [v.dtype.str, int(v.view(np.int64))], _read_date),
    "path": Codec(os.PathLike, lambda w, v, name: os.fspath(v), lambda r, code: Path(code)),
    "data": Codec(tuple(_DATACLASSES.values()), _write_dataclass, _read_dataclass),
    "tokenizer": Codec((Tokenizer, WordTokenizer), _write_tokenizer, _read_tokenizer),
}
