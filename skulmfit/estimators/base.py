"""What the estimators share: texts come in, one fitted state is kept, features go out."""

import copy
import os
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skulmfit.estimators.compat import CallbackSupportMixin
from skulmfit.estimators.fitted_state import FittedState
from skulmfit.estimators.saving import save
from skulmfit.estimators.targets import Targets
from skulmfit.estimators.validation import check_texts
from skulmfit.inference.texts import pooled_states
from skulmfit.models.model import Model
from skulmfit.nn.runtime import Runtime
from skulmfit.training.recipe import Recipe
from skulmfit.training.stages import Stage

AnyState = TypeVar("AnyState", bound=FittedState)


class TextEstimator(CallbackSupportMixin, TransformerMixin, BaseEstimator, Generic[AnyState]):
    """A scikit-learn estimator over raw texts.

    What `fit` has learnt is one value, `_fitted`, and `fit` assigns it last: whoever predicts meanwhile in another
    thread sees the old one or the new one, whole.
    """

    # scikit-learn explains parameters in a notebook only beside a link; until there are pages online, to the paper.
    _doc_link_module = "skulmfit"
    _doc_link_template = "https://aclanthology.org/P18-1031/"

    _model_kind: ClassVar[type[Model]]  # of which the fitted state is made
    _targets_kind: ClassVar[type[Targets] | None]

    device: str
    random_state: Any
    verbose: int
    _fitted: AnyState
    history_: list[dict[str, Any]]
    recipe_: Recipe
    stages_: list[Stage]
    n_iter_: int
    vocab_size_: int

    def _check_texts(self, X: Any, *, reset: bool) -> list[str]:
        """Texts of X as a list; `reset` is True in fit."""
        return check_texts(X)

    def _resolved_recipe(self) -> Recipe:
        """The recipe, with the parameters that are not "auto" in place of its own."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_fitted")

    def fit_transform(self, X: Iterable[str], y: ArrayLike | None = None, **fit_params: Any) -> np.ndarray:
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

        The file is one .npz with everything in it, also the tokenizer, but not `memory` and `checkpoint`. Unlike a
        pickle it holds no code. A parameter that only code can describe, such as a callable `tokenizer`, is refused.

        Parameters
        ----------
        path : str or path
            The file, replaced if there is one.

        Raises
        ------
        ValueError
            If a parameter cannot be saved without code.
        """
        save(self, path)

    @property
    def directions_(self) -> dict[str, Self]:
        """The fitted estimator of each direction: one, or "forward" and "backward"."""
        return {name: self._with(fitted) for name, fitted in self._state().by_direction().items()}

    @property
    def vocab_transfer_(self) -> dict[str, float]:
        """What became of the pretrained vocabulary; only of one direction, and with a tokenizer of one's own."""
        reports = self._state().vocab_transfers
        if len(reports) != 1 or reports[0] is None:
            raise AttributeError(f"This {type(self).__name__} has no vocab_transfer_.")
        return reports[0]

    def _state(self) -> AnyState:
        """What the last fit has left."""
        check_is_fitted(self)
        return self._fitted

    def _publish(self, fitted: AnyState) -> Self:
        """Take over what a fit leaves."""
        self.recipe_ = fitted.recipe
        self.stages_ = fitted.outcomes[0].stages
        self.history_ = fitted.history
        self.n_iter_ = len(fitted.outcomes[0].history)
        self.vocab_size_ = len(fitted.models[0].tokenizer)
        self._fitted = fitted
        return self

    def _with(self, fitted: AnyState) -> Self:
        """A copy with these parameters and another fitted state."""
        return copy.copy(self)._publish(fitted)

    def _draw_seed(self) -> int:
        """One seed per fit: all randomness inside comes from it."""
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _pooled_states(self, X: Any) -> list[np.ndarray]:
        """[last, max, mean] of the hidden states of texts, (n_texts, 3*E), of each model."""
        models, texts = self._state().models, self._check_texts(X, reset=False)
        runtime = Runtime.resolve(self.device)
        return [pooled_states(model, texts, runtime, verbose=self.verbose) for model in models]

    def _feature_names(self, poolings: tuple[str, ...]) -> np.ndarray:
        """Names of the columns of `transform`; of two directions, with the direction in them."""
        models = self._state().models
        prefixes = [f"{model.direction}_" if len(models) > 1 else "" for model in models]
        names = [
            f"{type(self).__name__.lower()}_{prefix}{pooling}{index}"
            for prefix, model in zip(prefixes, models)
            for pooling in poolings
            for index in range(model.architecture.embedding_dim)
        ]
        return np.array(names, dtype=object)
