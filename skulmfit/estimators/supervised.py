"""What classifier and regressor share: the two halves of ULMFiT behind one fit."""

import os
from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from numbers import Integral
from typing import Any, Generic, Literal, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skulmfit.estimators.base import TextEstimator
from skulmfit.estimators.caching import encode, fit_language_model
from skulmfit.estimators.doubts import doubt_language, doubt_rare, warn_caller
from skulmfit.estimators.estimator_card import data_sizes, render
from skulmfit.estimators.fine_tuner import LMFineTuner
from skulmfit.estimators.fit_remedies import new_clock
from skulmfit.estimators.fit_session import FitSession
from skulmfit.estimators.fit_texts import FitTexts
from skulmfit.estimators.fitted_state import AnyTargets, FittedState, SupervisedState
from skulmfit.estimators.hints import check_not_swapped
from skulmfit.estimators.supervised_data import SupervisedData
from skulmfit.estimators.validation import Memory, check_cache, check_lengths, check_weights
from skulmfit.inference.explanation import Explanation, Explanations
from skulmfit.inference.leaving_out import contributions
from skulmfit.inference.texts import head_outputs
from skulmfit.models.fine_tuned_model import FineTunedModel
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.sentence_map import build_features
from skulmfit.nn.features import Features
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.tables import Table
from skulmfit.training.head import Head
from skulmfit.training.head_fine_tuning import fine_tune_with_head
from skulmfit.training.outcome import Outcome
from skulmfit.training.parameters import check_choice, check_epochs, check_number, check_number_or_auto
from skulmfit.training.projection import passes_of_head
from skulmfit.training.recipe import Recipe
from skulmfit.training.recipes import CLASSIFIER_RECIPES
from skulmfit.training.stages import Stage


class SupervisedEstimator(TextEstimator[SupervisedState[AnyTargets]], Generic[AnyTargets]):
    """A language model's encoder under a pooling head, fine-tuned on targets. Subclasses say what targets are."""

    _model_kind = FineTunedModel
    _named_recipes = CLASSIFIER_RECIPES
    lm_stages_: Table[Stage]

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
        memory: Memory = None,
        checkpoint: str | os.PathLike | None = None,
        device: str = "auto",
        precision: Literal["float32", "bfloat16"] = "float32",
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
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @abstractmethod
    def _learn_targets(
        self, y: Any, texts: list[str], weights: np.ndarray
    ) -> tuple[AnyTargets, np.ndarray, np.ndarray]:
        """The targets in y, y as the loss takes it, and the weights of the texts with those of their targets."""

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those of the language-model stage by `lm__`.

        Parameters
        ----------
        **params
            By name.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If there is no parameter of the name, or no `lm` whose parameter it could be.
        """
        nested = [name for name in params if name.startswith("lm__")]
        if nested and params.get("lm", self.lm) is None:
            raise ValueError(f"{nested[0]} is a parameter of lm, but lm is None. Give lm=LMFineTuner() first.")
        return super().set_params(**params)

    def _fit(
        self, X: Iterable[str], y: ArrayLike | None, sample_weight: ArrayLike | None,
        X_val: Iterable[str] | None, y_val: ArrayLike | None,
    ) -> Self:  # fmt: skip
        """Fit both halves of the method, in the order of the paper."""
        self._check_parameters()
        texts, data = self._check_data(X, y, sample_weight, X_val, y_val)
        recipe = self._resolved_recipe()
        plan = self._plan(recipe, data)
        clock = new_clock(self, self._training_titles(), passes_of_head(plan, len(data.texts)))
        with FitSession(self, texts, y, data.all_texts, data.encoded, data.weights, clock=clock) as session:
            return self._train(session, data, recipe, plan)

    def _train(self, session: FitSession, data: SupervisedData[AnyTargets], recipe: Recipe, plan: Recipe) -> Self:
        """Fine-tune the language models, then their encoders under a head."""
        watches = self.early_stopping and bool(plan.phases)
        rows, validation_rows = data.split(watches, self.validation_fraction, session.seed)

        # 1. A pretrained language model is fine-tuned on the texts alone; two of them, if texts are read both ways.
        own = FitTexts(data.all_texts, partial(encode, self.memory))
        lm = self._fitted_language_model(own.take(data.training_rows), session)
        is_cut_short = lm.interrupted and not isinstance(self.lm, FrozenEstimator)  # the user wants an end
        plan = recipe.head_alone() if is_cut_short and plan.phases else plan
        # 2. Its whole encoder gets a head.
        head = self._head(data.targets, recipe)
        fitted: SupervisedState[AnyTargets] = SupervisedState(
            recipe, targets=data.targets, data=data_sizes(data, rows)
        )  # fmt: skip
        for language_model, lm_outcome, vocab_transfer in zip(lm.models, lm.outcomes, lm.vocab_transfers):
            direction, corpus = language_model.direction, own.encoded_by(language_model.tokenizer)
            if isinstance(self.lm, FrozenEstimator) and not fitted.models:
                doubt_language(language_model.tokenizer, corpus)
            as_fitted = partial(self._as_fitted, fitted, language_model, lm_outcome)
            # 3. Both are fine-tuned on the targets: all layers at once, or by gradual unfreezing from the head down.
            with session.training(direction if len(lm.models) > 1 else None) as rng:
                model, outcome = fine_tune_with_head(
                    language_model, head, data.examples(corpus, rows), plan,
                    validation=None if validation_rows is None else data.examples(corpus, validation_rows),
                    words=data.words(corpus, language_model.tokenizer),
                    patience=self.n_iter_no_change, runtime=session.runtime, rng=rng,
                    callbacks=session.callbacks(f"head-{direction}", corpus, as_fitted, saves=not is_cut_short),
                )  # fmt: skip
            fitted = fitted.with_head(model, outcome, vocab_transfer, lm_outcome)
            if outcome.interrupted:
                break
        self._publish(fitted)
        session.end(interrupted=is_cut_short or fitted.interrupted)
        return self

    def _check_data(
        self, X: Iterable[str], y: ArrayLike | None, sample_weight: ArrayLike | None,
        X_val: Iterable[str] | None, y_val: ArrayLike | None,
    ) -> tuple[list[str], SupervisedData[AnyTargets]]:  # fmt: skip
        """All texts of X, and those to learn from with their targets and weights."""
        texts = self._check_texts(X, reset=True)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: give both or none.")
        validation_texts = [] if X_val is None else self._check_texts(X_val, reset=False)
        check_lengths(texts, y)
        check_not_swapped(texts, y)
        if not any(map(str.strip, texts)):
            raise ValueError(f"X has no words: all of its {len(texts)} texts are empty. Is it the right column?")
        data = self._learn(y, texts, check_weights(sample_weight, len(texts))).without_weightless(type(self).__name__)
        doubt_rare(data.rare())
        if validation_texts:
            data = data.with_validation(validation_texts, data.targets.encode(y_val, validation_texts))
        return texts, data

    def _learn(self, y: Any, texts: list[str], weights: np.ndarray) -> SupervisedData[AnyTargets]:
        """Targets and texts."""
        targets, encoded, weights = self._learn_targets(y, texts, weights)
        return SupervisedData(texts, encoded, weights, targets)

    def _has_untrained_head(self) -> bool:
        """Whether there is a head without training."""
        return False

    def _plan(self, recipe: Recipe, data: SupervisedData[AnyTargets]) -> Recipe:
        """How encoder and head are trained."""
        return recipe

    def _check_parameters(self) -> None:
        lm = self.lm.estimator if isinstance(self.lm, FrozenEstimator) else self.lm
        if lm is not None and not isinstance(lm, LMFineTuner):
            raise TypeError(f"lm must be an LMFineTuner, a FrozenEstimator of a fitted one, or None; got {self.lm!r}.")
        if isinstance(self.lm, FrozenEstimator):
            check_is_fitted(lm)
        super()._check_parameters()
        if self.epochs == 0 and not self._has_untrained_head():
            raise ValueError(
                "epochs == 0, must be >= 1: without training there is no head. For features of the language model as it"
                " is, use make_pipeline(LMFineTuner(epochs=0), LogisticRegression())."
            )
        check_epochs(self.epochs, low=0 if self._has_untrained_head() else 1)
        check_number_or_auto(self.batch_size, "batch_size", Integral, low=2)
        check_number(self.hidden_dim, "hidden_dim", Integral, low=1)
        check_choice(self.gradual_unfreezing, "gradual_unfreezing", ("auto", True, False))
        check_cache(self.memory)

    def _fitted_language_model(self, texts: FitTexts, session: FitSession) -> FittedState[LanguageModel]:
        """The fitted state of the language-model stage: that of a frozen one, or that of a fit on the texts."""
        if isinstance(self.lm, FrozenEstimator):
            return self.lm.estimator._fitted
        if self.lm is None:
            lm = self._default_language_model()
        else:
            if hasattr(self.lm, "_fitted"):
                warn_caller(
                    "lm is fitted already, but is fitted anew on these texts: what it has learnt is not used. To use "
                    "it as it is, give sklearn.frozen.FrozenEstimator(lm); to have it fitted, sklearn.base.clone(lm)."
                )
            lm = clone(self.lm)
            lm.set_params(
                verbose=lm.verbose or self.verbose, device=self.device if lm.device == "auto" else lm.device
            )  # fmt: skip
        if lm.random_state is None and (self.memory is None or self.random_state is not None):
            lm.set_params(random_state=session.seed)  # a cache would never see the seed of an unseeded fit again
        if session.checkpoint.path is not None:
            lm.set_params(checkpoint=session.checkpoint.path)
        lm.__dict__["_clock"] = session.clock
        return fit_language_model(self.memory, lm, texts, session.tasks)

    def _training_titles(self) -> dict[str, str]:
        """What each training of a fit is called, by its name, in their order."""
        if isinstance(self.lm, FrozenEstimator):
            titles: dict[str, str] = {}
            directions = [model.direction for model in self.lm.estimator._fitted.models]
        else:
            titles = (self.lm or LMFineTuner())._training_titles()
            directions = [name.rpartition("-")[2] for name in titles]
        kind = "classifier" if is_classifier(self) else "regressor"
        return titles | {f"head-{way}": kind if len(directions) == 1 else f"{kind} {way}" for way in directions}

    def _default_language_model(self) -> LMFineTuner:
        """What `lm=None` stands for."""
        recipe = self.recipe if isinstance(self.recipe, str) else "skulmfit"
        return LMFineTuner(recipe=recipe, device=self.device, verbose=self.verbose)

    def _resolved_recipe(self) -> Recipe:
        return super()._resolved_recipe().override(gradual_unfreezing=self.gradual_unfreezing)

    def _content(self) -> list[Any]:
        name, params, recipe = super()._content()
        if self.lm is None:
            params["lm"] = self.recipe  # which the default language model follows
        elif isinstance(self.lm, LMFineTuner):
            params["lm"] = self.lm._content()
        return [name, params, recipe]

    def _head(self, targets: AnyTargets, recipe: Recipe) -> Head:
        """The head that targets ask for."""
        return Head(
            targets.n_outputs,
            self.hidden_dim,
            targets.loss,
            targets.training_loss(recipe),
            targets.solve,
            targets.score,
            targets.groups,
            targets.ends_solved,
        )

    def _as_fitted(
        self,
        so_far: SupervisedState[AnyTargets],
        language_model: LanguageModel,
        lm_outcome: Outcome,
        network: DocumentNetwork,
    ) -> dict[str, Any]:
        """Attributes that a fit would end with if the network were its last."""
        shape = self._head(so_far.targets, so_far.recipe).shape(language_model, so_far.recipe)
        model = FineTunedModel.from_network(network, language_model, shape)
        return dict(vars(self._with(so_far.with_head(model, Outcome(), None, lm_outcome))))

    def _attributes(self, fitted: SupervisedState[AnyTargets]) -> dict[str, Any]:
        return super()._attributes(fitted) | {"lm_stages_": Table(fitted.lm_outcomes[0].stages)}

    def card(self) -> str:
        """Model card: what was learnt from, labels, settings, and scores on held-out texts if there were any.

        Returns
        -------
        str
            Markdown. It has sizes and labels, and nothing of the texts.
        """
        return render(self, self._state())

    def fine_tuned_model(self, direction: str | None = None) -> FineTunedModel:
        """The fine-tuned model as plain data: the way to token ids and to the torch module.

        Its `tokenizer.encode(texts)` gives ids, its `network` is a `torch.nn.Module` on the CPU, without dropout, that
        takes ids (B, T), lengths (B,) and a `chunk_size`, and returns logits (B, C). Do not train that module: it
        belongs to the estimator's copy that you hold.

        Parameters
        ----------
        direction : {"forward", "backward"}, optional
            Which of two.

        Returns
        -------
        FineTunedModel
            Architecture, tokenizer, weights, head.

        Raises
        ------
        ValueError
            If there are two and none is named, or none reads in this direction.
        """
        return self._model_of(direction)

    def _features_of(self, model: FineTunedModel) -> Features:
        """What the head sees; under the paper's head, [last, max, mean] of the last layer."""
        return build_features(model.head.features or "last_layer", model.architecture, model.sentence_map)

    def _outputs(self, X: Iterable[str], fitted: SupervisedState[AnyTargets]) -> list[np.ndarray]:
        """What each head makes of texts, float32 of shape (n_texts, n_outputs)."""
        return self._outputs_of_texts(self._check_texts(X, reset=False), fitted)

    def _outputs_of_texts(self, texts: list[str], fitted: SupervisedState[AnyTargets]) -> list[np.ndarray]:
        runtime = Runtime.resolve(self.device, self.precision)
        return [head_outputs(model, texts, runtime, verbose=self.verbose) for model in fitted.models]

    def _explain(self, X: Iterable[str], columns: list[int] | None, *, is_probability: bool) -> Explanations:
        """Explanations of texts, for some outputs or for those that each prediction is about."""
        fitted, texts = self._state(), self._check_texts(X, reset=False)
        targets = fitted.targets
        found = contributions(
            texts,
            judge=lambda variants: targets.evidence(self._outputs_of_texts(variants, fitted)),
            choose=targets.decided if columns is None else lambda evidence: columns,
        )
        return Explanations([
            Explanation(
                text, tuple(targets.labels[column] for column in own), tuple(evidence[own].tolist()), parts,
                is_probability,
            )
            for text, (evidence, own, parts) in zip(texts, found)
        ])  # fmt: skip
