"""What `memory=` keeps: tokenisation and the language-model stage, by the content of the texts and the parameters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import joblib
from sklearn.utils.validation import check_memory

from skulmfit.estimators.fine_tuner import LMFineTuner
from skulmfit.estimators.fit_tasks import FitTasks
from skulmfit.estimators.fit_texts import FitTexts
from skulmfit.estimators.fitted_state import FittedState
from skulmfit.estimators.identity import fit_identity
from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.threads import n_threads
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.version import __version__

try:
    import fcntl
except ImportError:  # Windows: processes that want the same at the same time all compute it
    fcntl = None  # type: ignore[assignment]


class _Interrupted(Exception):
    """Carries an interrupted language model past the cache, which must not keep it."""

    def __init__(self, fitted: FittedState[LanguageModel]):
        super().__init__("interrupted")
        self.fitted = fitted


def fit_language_model(
    memory: str | joblib.Memory | None, lm: LMFineTuner, texts: FitTexts, tasks: FitTasks
) -> FittedState[LanguageModel]:
    """Fit a language-model stage as one of the tasks of a fit, or take what it leaves from the cache."""
    memory = check_memory(memory)
    lm._check_parameters()
    is_cached = _is_cache(memory) and not callable(lm.tokenizer)  # a function may be edited under the same name
    try:
        if is_cached:
            return _cached(memory, _fit, fit_identity(lm, texts.texts), lm, texts, tasks)
        return _fit("", lm, texts, tasks)
    except _Interrupted as interruption:
        return interruption.fitted


def encode(memory: str | joblib.Memory | None, tokenizer: AnyTokenizer, texts: list[str]) -> TokenCorpus:
    """Encode texts, or take their ids from the cache."""
    memory = check_memory(memory)
    if not _is_cache(memory) or getattr(tokenizer, "split", None) is not None:
        return tokenizer.encode(texts, n_threads=n_threads())
    return _cached(memory, _encode, joblib.hash((__version__, tokenizer, texts)), tokenizer, texts)


def _fit(key: str, lm: LMFineTuner, texts: FitTexts, tasks: FitTasks) -> FittedState[LanguageModel]:
    lm.__dict__["_texts"] = texts
    with tasks.part("language model", lm):
        lm.fit(texts.texts)
    if lm._fitted.interrupted:
        raise _Interrupted(lm._fitted)
    return lm._fitted


def _encode(key: str, tokenizer: AnyTokenizer, texts: list[str]) -> TokenCorpus:
    return tokenizer.encode(texts, n_threads=n_threads())


def _is_cache(memory: joblib.Memory) -> bool:
    return not isinstance(memory, joblib.Memory) or memory.location is not None


def _cached(memory: joblib.Memory, function: Callable, key: str, *args: Any) -> Any:
    """Call a function, or take its result from the cache. The key stands for all other arguments."""
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    location = getattr(memory, "location", None)
    lock = _lock(Path(location) / "skulmfit" / f"{function.__name__}-{key}.lock") if location else nullcontext()
    with lock:
        return memory.cache(function, ignore=list(names))(key, *args)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one process compute a result while others that want the same one wait."""
    if fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given up when the file is closed, also by a process that is killed
        yield
