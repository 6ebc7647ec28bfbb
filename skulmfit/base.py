"""What the estimators share: the texts hook, tags, feature names, plain-data state."""

import os
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skulmfit.callbacks import FitTasks
from skulmfit.compat import CallbackSupportMixin, without_callbacks
from skulmfit.pretrained.language_model import load_numpy, to_numpy
from skulmfit.text.corpus import TokenCorpus
from skulmfit.text.words import AnyTokenizer
from skulmfit.training.inference import document_outputs
from skulmfit.training.runtime import Runtime
from skulmfit.validation import check_texts

_DOCUMENTS_AT_ONCE = 1 << 15  # so that the memory of a pass is bounded, however many there are
POOLINGS = ("last", "max", "mean")  # in the order of the pooled states


class TextEstimator(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """A scikit-learn estimator over raw texts with a torch network inside.

    The network lives in `_network` between calls and becomes named numpy arrays in a pickle, so that pickles, copies
    and hashes are plain data that any device and any process can read.
    """

    # scikit-learn explains parameters in a notebook only beside a link; until there are pages online, to the paper.
    _doc_link_module = "skulmfit"
    _doc_link_template = "https://aclanthology.org/P18-1031/"

    _network: Any  # a LanguageModel or a TextClassifier, once fitted
    _tokenizer: AnyTokenizer
    directions_: dict[str, Any]  # an estimator of each direction instead of a network, where both were asked for

    def _check_texts(self, X: Any, *, reset: bool) -> list[str]:
        """Texts of X as a list; `reset` is True in fit."""
        return check_texts(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network") or hasattr(self, "directions_")

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_network" in state:
            state["_network"] = to_numpy(state["_network"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        weights = state.pop("_network", None)
        super().__setstate__(state)
        if weights is not None:
            with torch.device("meta"):
                self._network = self._build_network()
            load_numpy(self._network, weights)
            self._network.eval()

    def fit_transform(self, X, y=None, **fit_params):
        """Fit on texts and return what `transform` makes of them.

        Parameters
        ----------
        X : iterable of str
        y : array-like, optional
        **fit_params
            Further arguments of `fit`.

        Returns
        -------
        ndarray of shape (n_texts, n_features_out)
        """
        texts = list(X) if isinstance(X, Iterator) else X  # a generator can be read only once
        return super().fit_transform(texts, y, **fit_params)

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted estimator to a file that `skulmfit.load` reads.

        The file is one .npz with everything in it, tokenizer included, but for `memory`. Unlike a pickle it holds no
        code. A parameter that only code can describe, such as a callable `tokenizer`, is refused.

        Parameters
        ----------
        path : str or path
            The file, replaced if there is one.

        Raises
        ------
        ValueError
            If a parameter cannot be saved without code.
        """
        from skulmfit.persistence import save  # which knows all estimators, and so imports this module

        save(self, path)

    def _build_network(self) -> torch.nn.Module:
        """A network of the fitted architecture, its weights still to be loaded; each estimator has its own."""
        raise AttributeError(f"{type(self).__name__} has no network to rebuild.")

    def _members(self) -> list[Any]:
        """The fitted estimator of each direction, where there are two, to be used as this one is set now."""
        check_is_fitted(self)
        now = {name: getattr(self, name) for name in ("device", "verbose", "pooling") if hasattr(self, name)}
        return [member.set_params(**now) for member in getattr(self, "directions_", {}).values()]

    def _adopt(self, members: dict[str, Any]) -> None:
        """Take over the fitted state of two estimators: what they share from the first, both as `directions_`.

        Only the first is there if the user interrupted its fit.
        """
        first = next(iter(members.values()))
        shared = {name: value for name, value in vars(first).items() if name not in self.get_params(deep=False)}
        for name in ("_network", "_tokenizer", "vocab_transfer_"):
            shared.pop(name, None)
            self.__dict__.pop(name, None)
        self.__dict__.update(shared)
        self.directions_ = members
        self.history_ = [{"direction": name} | row for name, member in members.items() for row in member.history_]
        self._interrupted = any(member._interrupted for member in members.values())

    def _fit_members(self, members: dict[str, Any], tasks: FitTasks, fit: Callable[[Any], Any]) -> None:
        """Fit the estimator of each direction as a task of this one's fit, until the user interrupts."""
        fitted = {}
        for name, member in members.items():
            if not isinstance(self.random_state, Integral | None):
                member.set_params(random_state=self._draw_seed())  # a copied RandomState would not move on
            with tasks.of(without_callbacks(member), name):
                fitted[name] = fit(member)
            if member._interrupted:
                break
        self._adopt(fitted)
        tasks.snapshot = dict  # the estimator itself is fitted now
        tasks.end()

    def _draw_seed(self) -> int:
        """One seed per fit: all randomness inside comes from it."""
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _runtime(self) -> Runtime:
        return Runtime.resolve(self.device)

    def _document_outputs(self, X: Any, head: torch.nn.Module | None = None) -> np.ndarray:
        """Pooled states of texts, or what a head makes of them, one row per text."""
        check_is_fitted(self)
        texts = self._check_texts(X, reset=False)
        rows = np.empty((len(texts), 0), np.float32)
        for block, corpus in self._encoded_blocks(texts):
            outputs = document_outputs(
                self._network.encoder, corpus, self._runtime(), pad_id=self._tokenizer.pad_id, head=head,
                verbose=self.verbose,
            )  # fmt: skip
            if rows.shape[1] == 0:
                rows = np.empty((len(texts), outputs.shape[1]), np.float32)
            rows[block] = outputs
        return rows

    def _encoded_blocks(self, texts: list[str]) -> Iterator[tuple[slice, TokenCorpus]]:
        """Texts by blocks of a bounded number: which ones, and their ids."""
        for start in range(0, len(texts), _DOCUMENTS_AT_ONCE):
            block = slice(start, start + _DOCUMENTS_AT_ONCE)
            yield block, self._tokenizer.encode(texts[block], n_threads=n_threads())

    def _feature_names(self, poolings: tuple[str, ...]) -> np.ndarray:
        """Names of the columns of `transform`; of two directions, with the direction in them."""
        check_is_fitted(self)
        members = getattr(self, "directions_", {}) or {"": self}
        names = [
            "_".join(filter(None, [type(self).__name__.lower(), direction, f"{pooling}{index}"]))
            for direction, member in members.items()
            for pooling in poolings
            for index in range(member._architecture.embedding_dim)
        ]
        return np.array(names, dtype=object)


def n_threads() -> int:
    """Threads for the tokenizer: as many as torch uses, which joblib's workers limit."""
    return torch.get_num_threads()


def check_device(device: Any) -> None:
    """Raise unless tensors can be made on the device."""
    try:
        usable = torch.empty(1, device=Runtime.resolve(device).device).device.type != "meta"
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} is not 'auto' or a device of this machine, such as 'cpu' or 'cuda': {error}"
        ) from error
    if not usable:
        raise ValueError(f"device={device!r} holds no values; give 'auto', 'cpu' or 'cuda'.")
