"""What `memory=` keeps: tokenisation and the language-model stage, by the content of the texts and the parameters."""

import pickle
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import joblib

from skulmfit.estimators.fine_tuner import LMFineTuner
from skulmfit.estimators.fit_tasks import FitTasks
from skulmfit.estimators.fit_texts import FitTexts
from skulmfit.estimators.fitted_state import FittedState
from skulmfit.estimators.identity import fit_identity
from skulmfit.estimators.validation import Memory, check_cache
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.writing import locked
from skulmfit.nn.threads import n_threads
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.version import __version__


class _Interrupted(Exception):
    """Carries an interrupted language model past the cache, which must not keep it."""

    def __init__(self, fitted: FittedState[LanguageModel]):
        super().__init__("interrupted")
        self.fitted = fitted


class _Sealed:
    """A result whose pickle knows its checksum. To read a damaged one raises, and so joblib computes it anew."""

    def __init__(self, value: Any):
        self.value = value

    def __reduce__(self) -> tuple[Callable, tuple[int, bytes]]:
        data = pickle.dumps(self.value, protocol=5)
        return _unsealed, (zlib.crc32(data), data)


def _unsealed(checksum: int, data: bytes) -> _Sealed:
    if zlib.crc32(data) != checksum:
        raise ValueError("The cached result is damaged.")
    return _Sealed(pickle.loads(data))


class _Given(tuple):
    """Arguments that joblib does not print in its messages, since they hold all texts."""

    def __repr__(self) -> str:
        return "..."


def fit_language_model(memory: Memory, lm: LMFineTuner, texts: FitTexts, tasks: FitTasks) -> FittedState[LanguageModel]:
    """Fit a language-model stage as one of the tasks of a fit, or take what it leaves from the cache."""
    memory = check_cache(memory)
    lm._check_parameters()
    is_cached = _is_cache(memory) and not callable(lm.tokenizer)  # a function may be edited under the same name
    given = _Given((lm, texts, tasks))
    try:
        if is_cached:
            return _cached(memory, _fit, fit_identity(lm, texts.texts), given)
        return _fit("", given).value
    except _Interrupted as interruption:
        return interruption.fitted


def encode(memory: Memory, tokenizer: AnyTokenizer, texts: list[str]) -> TokenCorpus:
    """Encode texts, or take their ids from the cache."""
    memory = check_cache(memory)
    if not _is_cache(memory) or getattr(tokenizer, "split", None) is not None:
        return tokenizer.encode(texts, n_threads=n_threads())
    return _cached(memory, _encode, joblib.hash((__version__, tokenizer, texts)), _Given((tokenizer, texts)))


def _fit(key: str, given: _Given) -> _Sealed:
    lm, texts, tasks = given
    lm.__dict__["_texts"] = texts
    with tasks.part("language model", lm):
        lm.fit(texts.texts)
    if lm._fitted.interrupted:
        raise _Interrupted(lm._fitted)
    return _Sealed(lm._fitted)


def _encode(key: str, given: _Given) -> _Sealed:
    tokenizer, texts = given
    return _Sealed(tokenizer.encode(texts, n_threads=n_threads()))


def _is_cache(memory: joblib.Memory) -> bool:
    return not isinstance(memory, joblib.Memory) or memory.location is not None


def _cached(memory: joblib.Memory, function: Callable[[str, _Given], _Sealed], key: str, given: _Given) -> Any:
    """Call a function, or take its result from the cache. The key stands for what is given."""
    location = getattr(memory, "location", None)
    path = Path(location or "") / "skulmfit" / f"{function.__name__}-{key}.lock"
    lock = locked(path, "The cache", wait=True) if location else nullcontext()
    with lock:
        result = memory.cache(function, ignore=["given"])(key, given)
    return (result if isinstance(result, _Sealed) else function(key, given)).value
