"""What classifier and regressor share: the two halves of ULMFiT behind one fit."""

import os
from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from numbers import Integral, Real
from typing import Any, Generic, Literal, Self

import joblib
import numpy as np
from numpy.random import RandomState
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, check_memory

from skulmfit.estimators.base import TextEstimator
from skulmfit.estimators.caching import encode, fit_language_model
from skulmfit.estimators.fine_tuner import LMFineTuner
from skulmfit.estimators.fit_session import FitSession
from skulmfit.estimators.fitted_state import AnyTargets, FittedState, SupervisedState
from skulmfit.estimators.supervised_data import SupervisedData
from skulmfit.estimators.validation import check_folder, check_weights
from skulmfit.inference.texts import head_outputs
from skulmfit.models.fine_tuned_model import FineTunedModel
from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.pooling import POOLINGS
from skulmfit.nn.runtime import Runtime, check_device
from skulmfit.training.head_fine_tuning import Head, fine_tune_with_head
from skulmfit.training.outcome import Outcome
from skulmfit.training.parameters import check_choice, check_epochs, check_number, check_number_or_auto
from skulmfit.training.recipe import Recipe
from skulmfit.training.recipes import CLASSIFIER_RECIPES, find_recipe
from skulmfit.training.stages import Stage


class SupervisedEstimator(TextEstimator[SupervisedState[AnyTargets]], Generic[AnyTargets]):
    """A language model's encoder under a pooling head, fine-tuned on targets; subclasses say what targets are."""

    _model_kind = FineTunedModel
    lm_stages_: list[Stage]

    def __init__(
        self,
        lm: LMFineTuner | FrozenEstimator | None = None,
        *,
        recipe: str | Recipe = "skulmfit",
        epochs: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        lr_decay: float | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        gradual_unfreezing: bool | Literal["auto"] = "auto",
        dropout_multiplier: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        hidden_dim: int = 50,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        memory: str | joblib.Memory | None = None,
        checkpoint: str | os.PathLike | None = None,
        device: str = "auto",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ):
        self.lm = lm
        self.recipe = recipe
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.gradual_unfreezing = gradual_unfreezing
        self.dropout_multiplier = dropout_multiplier
        self.weight_decay = weight_decay
        self.hidden_dim = hidden_dim
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.memory = memory
        self.checkpoint = checkpoint
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @abstractmethod
    def _learn_targets(
        self, y: Any, texts: list[str], weights: np.ndarray
    ) -> tuple[AnyTargets, np.ndarray, np.ndarray]:
        """The targets in y, y as the loss takes it, and the weights of the texts with those of their targets."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any) -> Self:
        """Fit both halves of the method, in the order of the paper."""
        self._check_parameters()
        texts, data = self._check_data(X, y, sample_weight, X_val, y_val)
        session = FitSession(self, texts, y, data.texts, data.encoded, data.weights)
        recipe = plan = self._resolved_recipe()
        rows, validation_rows = data.split(self.early_stopping, self.validation_fraction, session.seed)

        # A pretrained language model, fine-tuned on the texts alone; one for each direction.
        lm = self._fitted_language_model(data.training_texts, session)
        if lm.interrupted and not isinstance(self.lm, FrozenEstimator):
            plan = recipe.head_alone()  # the user wants an end
        # Its whole encoder gets a head, and both are fine-tuned on the targets: all layers at once, or the head first
        # and the layers below unfrozen one by one.
        head = Head(data.targets.n_outputs, self.hidden_dim, data.targets.loss, data.targets.training_loss(recipe))
        fitted: SupervisedState[AnyTargets] = SupervisedState(recipe, targets=data.targets)
        for language_model, lm_outcome, vocab_transfer in zip(lm.models, lm.outcomes, lm.vocab_transfers):
            corpus = encode(self.memory, language_model.tokenizer, data.texts)
            with session.training(language_model.direction if len(lm.models) > 1 else None) as rng:
                model, outcome = fine_tune_with_head(
                    language_model, head, data.examples(corpus, rows), plan,
                    validation=None if validation_rows is None else data.examples(corpus, validation_rows),
                    patience=self.n_iter_no_change, runtime=session.runtime, rng=rng, callbacks=session.callbacks(
                        f"head {language_model.direction}", corpus, partial(self._as_fitted, fitted, language_model)
                    ),
                )  # fmt: skip
            fitted = fitted.with_head(model, outcome, vocab_transfer, lm_outcome)
            if outcome.interrupted:
                break
        self._publish(fitted)
        session.end(interrupted=fitted.interrupted)
        return self

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any
    ) -> tuple[list[str], SupervisedData[AnyTargets]]:
        """All texts of X, and those to learn from with their targets and weights."""
        texts = self._check_texts(X, reset=True)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: give both or none.")
        validation_texts = [] if X_val is None else self._check_texts(X_val, reset=False)
        targets, encoded, weights = self._learn_targets(y, texts, check_weights(sample_weight, len(texts)))
        data = SupervisedData(texts, encoded, weights, targets).without_weightless(type(self).__name__)
        if validation_texts:
            data = data.with_validation(validation_texts, targets.encode(y_val, validation_texts))
        return texts, data

    def _check_parameters(self) -> None:
        lm = self.lm.estimator if isinstance(self.lm, FrozenEstimator) else self.lm
        if lm is not None and not isinstance(lm, LMFineTuner):
            raise TypeError(f"lm must be an LMFineTuner, a FrozenEstimator of a fitted one, or None; got {self.lm!r}.")
        if isinstance(self.lm, FrozenEstimator):
            check_is_fitted(lm)
        find_recipe(self.recipe, CLASSIFIER_RECIPES)
        check_epochs(self.epochs)
        check_number_or_auto(self.batch_size, "batch_size", Integral, low=2)
        check_number_or_auto(self.learning_rate, "learning_rate", Real, low=0, bounds="neither")
        check_number_or_auto(self.lr_decay, "lr_decay", Real, low=1)
        check_number_or_auto(self.dropout_multiplier, "dropout_multiplier", Real, low=0)
        check_number_or_auto(self.weight_decay, "weight_decay", Real, low=0)
        check_number(self.hidden_dim, "hidden_dim", Integral, low=1)
        check_number(self.validation_fraction, "validation_fraction", Real, low=0, high=1, bounds="neither")
        check_number(self.n_iter_no_change, "n_iter_no_change", Integral, low=1)
        check_number(self.verbose, "verbose", Integral, low=0)
        check_choice(self.gradual_unfreezing, "gradual_unfreezing", ("auto", True, False))
        check_choice(self.early_stopping, "early_stopping", (True, False))
        check_memory(self.memory)
        check_folder(self.checkpoint, "checkpoint")
        check_device(self.device)

    def _fitted_language_model(self, texts: list[str], session: FitSession) -> FittedState[LanguageModel]:
        """What the language-model stage leaves: of a frozen one as it is, of another after a fit on the texts."""
        if isinstance(self.lm, FrozenEstimator):
            return self.lm.estimator._fitted
        if self.lm is None:
            recipe = self.recipe if isinstance(self.recipe, str) else "skulmfit"
            lm = LMFineTuner(recipe=recipe, device=self.device, verbose=self.verbose)
        else:
            lm = clone(self.lm)
        if lm.random_state is None and (self.memory is None or self.random_state is not None):
            lm.set_params(random_state=session.seed)  # a cache would never see the seed of an unseeded fit again
        if session.checkpoint.path is not None:
            lm.set_params(checkpoint=session.checkpoint.path)
        return fit_language_model(self.memory, lm, texts, session.tasks)

    def _resolved_recipe(self) -> Recipe:
        names = ("epochs", "learning_rate", "lr_decay", "batch_size", "dropout_multiplier", "weight_decay")
        changes = {name: getattr(self, name) for name in (*names, "gradual_unfreezing")}
        return find_recipe(self.recipe, CLASSIFIER_RECIPES).override(**changes)

    def _as_fitted(
        self, so_far: SupervisedState[AnyTargets], language_model: LanguageModel, network: DocumentNetwork
    ) -> dict[str, Any]:
        """Attributes that a fit would end with if the network were its last."""
        model = FineTunedModel.from_network(network, language_model, so_far.targets.n_outputs, self.hidden_dim)
        return dict(vars(self._with(so_far.with_head(model, Outcome(), None, Outcome()))))

    def _publish(self, fitted: SupervisedState[AnyTargets]) -> Self:
        self.lm_stages_ = fitted.lm_outcomes[0].stages
        return super()._publish(fitted)

    def transform(self, X: Iterable[str]) -> np.ndarray:
        """Pooled hidden states of texts in the fine-tuned encoder: [last, max, mean].

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, 3 * embedding_dim), float32
            Of two directions, the states of the one beside those of the other.
        """
        return np.hstack(self._pooled_states(X))

    def _outputs(self, X: Any, fitted: SupervisedState[AnyTargets]) -> list[np.ndarray]:
        """What each head makes of texts, float32 of shape (n_texts, n_outputs)."""
        texts, runtime = self._check_texts(X, reset=False), Runtime.resolve(self.device)
        return [head_outputs(model, texts, runtime, verbose=self.verbose) for model in fitted.models]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of `transform`: the class's name with _last0, ..., _max0, ..., _mean0, ...

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        return self._feature_names(POOLINGS)
