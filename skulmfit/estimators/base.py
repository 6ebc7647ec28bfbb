"""What the estimators share: texts come in, one fitted state is kept, features go out."""

import copy
import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skulmfit.estimators.compat import CallbackSupportMixin
from skulmfit.estimators.fitted_state import FittedState
from skulmfit.estimators.identity import WITHOUT_EFFECT
from skulmfit.estimators.saving import save
from skulmfit.estimators.targets import Targets
from skulmfit.estimators.validation import check_folder, check_texts
from skulmfit.inference.texts import text_features
from skulmfit.models.model import Model
from skulmfit.nn.features import Features, Similarities
from skulmfit.nn.runtime import Runtime, check_device
from skulmfit.tables import Table
from skulmfit.training.parameters import check_choice, check_learning_rate, check_number, check_number_or_auto
from skulmfit.training.recipe import Recipe
from skulmfit.training.recipes import find_recipe
from skulmfit.training.stages import Stage
from skulmfit.version import DOCUMENTATION

AnyState = TypeVar("AnyState", bound=FittedState)
# Parameters that may be "auto", and then are the recipe's.
_BOUNDS_OR_AUTO: dict[str, dict[str, Any]] = {
    "learning_rate": {"low": 0, "bounds": "neither"},
    "lr_decay": {"low": 1},
    "dropout_multiplier": {"low": 0},
    "weight_decay": {"low": 0},
}


class TextEstimator(CallbackSupportMixin, TransformerMixin, BaseEstimator, Generic[AnyState]):
    """A scikit-learn estimator over raw texts.

    What `fit` has learnt is one value, `_fitted`, which `fit` assigns last, with all that is derived from it. So
    another thread that predicts meanwhile has the old one or the new one, never a mixture.
    """

    # scikit-learn explains parameters in a notebook beside a link, and only where there is one.
    _doc_link_module = "skulmfit"
    _doc_link_template = DOCUMENTATION

    _model_kind: ClassVar[type[Model]]  # of which the fitted state is made
    _targets_kind: ClassVar[type[Targets] | None]

    _named_recipes: ClassVar[Mapping[str, Recipe]]

    recipe: str | Recipe
    learning_rate: float | Literal["auto"]
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    checkpoint: str | os.PathLike | None
    device: str
    precision: str
    random_state: int | RandomState | None
    verbose: int
    _fitted: AnyState
    history_: Table[dict[str, Any]]
    loss_curve_: list[float]
    recipe_: Recipe
    stages_: Table[Stage]
    n_iter_: int
    vocab_size_: int

    def _check_texts(self, X: Iterable[str], *, reset: bool) -> list[str]:
        """Texts of X as a list; `reset` is True in fit."""
        return check_texts(X)

    def _check_parameters(self) -> None:
        """Raise if a parameter is not what it should be. Here are those that all estimators have."""
        find_recipe(self.recipe, self._named_recipes)
        for name, bounds in _BOUNDS_OR_AUTO.items():
            check_number_or_auto(getattr(self, name), name, Real, **bounds)
        check_learning_rate(self.learning_rate)
        check_choice(self.early_stopping, "early_stopping", (True, False))
        check_number(self.validation_fraction, "validation_fraction", Real, low=0, high=1, bounds="neither")
        check_number(self.n_iter_no_change, "n_iter_no_change", Integral, low=1)
        check_number(self.verbose, "verbose", Integral, low=0)
        check_folder(self.checkpoint, "checkpoint")
        check_device(self.device)
        check_choice(self.precision, "precision", ("float32", "bfloat16"))

    def _resolved_recipe(self) -> Recipe:
        """The recipe, with the parameters that are not "auto" in place of its own."""
        changes = {name: getattr(self, name) for name in ("epochs", "batch_size", *_BOUNDS_OR_AUTO)}
        return find_recipe(self.recipe, self._named_recipes).override(**changes)

    def _content(self) -> list[Any]:
        """All that a fit depends on beside its data: the recipe by its content, not by its name."""
        params = {name: value for name, value in self.get_params(deep=False).items() if name not in WITHOUT_EFFECT}
        del params["recipe"]
        return [type(self).__qualname__, params, self._resolved_recipe()]

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
        """What became of the pretrained vocabulary: only with another tokenizer, and with one direction."""
        reports = self._state().vocab_transfers
        if len(reports) != 1 or reports[0] is None:
            raise AttributeError(
                f"This {type(self).__name__} has no vocab_transfer_. A fit with a tokenizer of your own gives it. "
                "With two directions, each in `directions_` has it."
            )
        return reports[0]

    def _model_of(self, direction: str | None) -> Any:
        """A copy of the fitted model of a direction."""
        by_direction = {model.direction: model for model in self._state().models}
        if direction is None and len(by_direction) == 1:
            (direction,) = by_direction
        if direction not in by_direction:
            raise ValueError(f"direction={direction!r} is not one of {', '.join(map(repr, by_direction))}.")
        return copy.deepcopy(by_direction[direction])

    def _state(self) -> AnyState:
        """What the last fit has left."""
        check_is_fitted(self)
        return self._fitted

    def _publish(self, fitted: AnyState) -> Self:
        """Take over what a fit leaves, all at once: another thread sees the old attributes or the new ones."""
        vars(self).update(self._attributes(fitted))
        return self

    def _attributes(self, fitted: AnyState) -> dict[str, Any]:
        """The attributes that a fitted state stands for, the state itself among them."""
        return {
            "recipe_": fitted.recipe,
            "stages_": Table(fitted.outcomes[0].stages),
            "history_": fitted.history,
            "loss_curve_": fitted.loss_curve,
            "n_iter_": len(fitted.outcomes[0].history),
            "vocab_size_": len(fitted.models[0].tokenizer),
            "_fitted": fitted,
        }

    def _with(self, fitted: AnyState) -> Self:
        """A copy with these parameters and another fitted state."""
        return copy.copy(self)._publish(fitted)

    def _draw_seed(self) -> int:
        """One seed per fit: all randomness inside comes from it."""
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    @abstractmethod
    def _features_of(self, model: Any) -> Features | Similarities:
        """What `transform` gives of a model."""

    def transform(self, X: Iterable[str]) -> np.ndarray:
        """Features of texts.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_features), float32
            One row per text, in the order given; a text's row does not depend on the other texts. With two directions,
            those of the forward model come first.
        """
        models, texts = self._state().models, self._check_texts(X, reset=False)
        runtime = Runtime.resolve(self.device, self.precision)
        return np.hstack(
            [text_features(m, self._features_of(m), texts, runtime, verbose=self.verbose) for m in models]
        )  # fmt: skip

    @property
    def n_features_out_(self) -> int:
        """Width of what `transform` returns."""
        return sum(self._features_of(model).n_features for model in self._state().models)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Names of the columns of `transform`.

        A name begins with that of the class. Then follow the direction if there are two, and the layer if there are
        several. It ends in last0, ..., max0, ..., mean0, ... for the pooled states, sentence0, ... for the sentence
        vector, similarity_NAME for phrases of `LMFineTuner`.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        models = self._state().models
        names = [
            "_".join(filter(None, [type(self).__name__.lower(), model.direction if len(models) > 1 else "", name]))
            for model in models
            for name in self._features_of(model).names()
        ]
        return np.array(names, dtype=object)
