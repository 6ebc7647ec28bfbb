"""What `memory=` keeps: tokenisation and the language-model stage, by the content of the texts and the parameters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import joblib
from sklearn.utils.validation import check_memory

import skulmfit
from skulmfit.callbacks import FitTasks
from skulmfit.finetuner import LMFineTuner
from skulmfit.pretrained.registry import locate
from skulmfit.text.corpus import TokenCorpus
from skulmfit.text.words import AnyTokenizer

try:
    import fcntl
except ImportError:  # Windows: processes that want the same at the same time all compute it
    fcntl = None  # type: ignore[assignment]


class _Interrupted(Exception):
    """Carries a language model that the user interrupted past the cache, which must not keep it."""

    def __init__(self, lm: LMFineTuner):
        super().__init__("interrupted")
        self.lm = lm


def fit_language_model(memory: Any, lm: LMFineTuner, texts: list[str], tasks: FitTasks) -> LMFineTuner:
    """Fit a language-model stage as one of the tasks of a fit, or take it from the cache."""
    memory = check_memory(memory)
    lm._check_parameters()
    if not _is_cache(memory) or callable(lm.tokenizer):  # a function may be edited under the same name
        with tasks.of(lm, "language model"):
            return lm.fit(texts)
    params = lm.get_params()
    # What does not change the result must not change the key.
    apart = {name: params.pop(name) for name in ("device", "pooling", "verbose") if name in params}
    key = (type(lm).__qualname__, params, _file_contents(lm), texts)
    try:
        fitted = _cached(memory, _fit, key, lm, texts, tasks)
    except _Interrupted as interruption:
        return interruption.lm
    return fitted.set_params(**apart)


def encode(memory: Any, tokenizer: AnyTokenizer, texts: list[str], n_threads: int) -> TokenCorpus:
    """Encode texts, or take their ids from the cache."""
    memory = check_memory(memory)
    if not _is_cache(memory) or getattr(tokenizer, "split", None) is not None:
        return tokenizer.encode(texts, n_threads=n_threads)
    return _cached(memory, _encode, (tokenizer, texts), tokenizer, texts, n_threads)


def _file_contents(lm: LMFineTuner) -> list[bytes]:
    """Contents of the files that parameters name: another file under the same name is another model."""
    files = [] if lm.pretrained is None else [locate(lm.pretrained, lm.direction)]
    if lm.tokenizer not in (None, "train"):
        files.append(Path(lm.tokenizer))
    return [path.read_bytes() for path in files if path.is_file()]


def _fit(key: str, lm: LMFineTuner, texts: list[str], tasks: FitTasks) -> LMFineTuner:
    with tasks.of(lm, "language model"):
        lm.fit(texts)
    if lm._interrupted:
        raise _Interrupted(lm)
    return lm


def _encode(key: str, tokenizer: AnyTokenizer, texts: list[str], n_threads: int) -> TokenCorpus:
    return tokenizer.encode(texts, n_threads=n_threads)


def _is_cache(memory: Any) -> bool:
    return not isinstance(memory, joblib.Memory) or memory.location is not None


def _cached(memory: Any, function: Callable, key: Any, *args: Any) -> Any:
    """Call a function of a key and of arguments that the key stands for."""
    digest = joblib.hash((skulmfit.__version__, key))
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    location = getattr(memory, "location", None)
    lock = _lock(Path(location) / "skulmfit" / f"{function.__name__}-{digest}.lock") if location else nullcontext()
    with lock:
        return memory.cache(function, ignore=list(names))(digest, *args)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Of several processes that want the same result, let one compute it while the others wait for it."""
    if fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given up when the file is closed, also by a process that is killed
        yield
