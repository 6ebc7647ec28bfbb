"""The fitted state: one value. Inference reads nothing else, and a file holds it beside the parameters."""

from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

from skulmfit.estimators.targets import Targets
from skulmfit.models.fine_tuned_model import FineTunedModel
from skulmfit.models.model import Model
from skulmfit.tables import Table
from skulmfit.training.outcome import Outcome
from skulmfit.training.recipe import Recipe

AnyModel = TypeVar("AnyModel", bound=Model)
AnyTargets = TypeVar("AnyTargets", bound=Targets)


@dataclass(frozen=True, eq=False)
class FittedState(Generic[AnyModel]):
    """The fitted models and how they came to be.

    Parameters
    ----------
    recipe : Recipe
    models : tuple of LanguageModel or of FineTunedModel
        One; or two, of which the first reads forward and the second backward.
    outcomes : tuple of Outcome
        Of each model.
    vocab_transfers : tuple of dict or None
        Of each model, what became of the pretrained vocabulary.
    """

    recipe: Recipe
    models: tuple[AnyModel, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    vocab_transfers: tuple[dict[str, float] | None, ...] = ()

    def with_model(self, model: AnyModel, outcome: Outcome, vocab_transfer: dict[str, float] | None) -> Self:
        """The same with one more model."""
        return replace(
            self, models=(*self.models, model), outcomes=(*self.outcomes, outcome),
            vocab_transfers=(*self.vocab_transfers, vocab_transfer),
        )  # fmt: skip

    @property
    def interrupted(self) -> bool:
        """Whether the user ended the fit."""
        return any(outcome.interrupted for outcome in self.outcomes)

    @property
    def history(self) -> Table[dict[str, Any]]:
        """The rows of all trainings, direction by direction. With two models, each row names its direction."""
        by_model = [[row for one in trainings for row in one.history] for trainings in self._trainings()]
        if len(by_model) == 1:
            return Table(by_model[0])
        return Table(
            {"direction": model.direction} | row for model, rows in zip(self.models, by_model) for row in rows
        )  # fmt: skip

    @property
    def loss_curve(self) -> list[float]:
        """The loss of every update, in the order of the history."""
        return [loss for trainings in self._trainings() for one in trainings for loss in one.losses]

    def _trainings(self) -> list[list[Outcome]]:
        """What each model has gone through."""
        return [[outcome] for outcome in self.outcomes]

    def by_direction(self) -> dict[str, Self]:
        """The state of each model on its own, by its direction."""
        return {model.direction: self._alone(slice(index, index + 1)) for index, model in enumerate(self.models)}

    def _alone(self, one: slice) -> Self:
        return replace(
            self, models=self.models[one], outcomes=self.outcomes[one], vocab_transfers=self.vocab_transfers[one]
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class SupervisedState(FittedState[FineTunedModel], Generic[AnyTargets]):
    """The fitted models of a classifier or regressor.

    Parameters
    ----------
    recipe, models, outcomes, vocab_transfers
        As in `FittedState`.
    lm_outcomes : tuple of Outcome
        Of the language model under each model.
    targets : Targets
        How outputs of a head are read.
    data : dict
        Sizes of what was learnt from, for the model card.
    """

    lm_outcomes: tuple[Outcome, ...] = ()
    targets: AnyTargets = field(kw_only=True)
    data: dict[str, Any] = field(default_factory=dict)

    def with_head(
        self, model: FineTunedModel, outcome: Outcome, vocab_transfer: dict[str, float] | None, lm_outcome: Outcome
    ) -> Self:
        """The same with one more model, and how the language model under it came to be."""
        return replace(
            self.with_model(model, outcome, vocab_transfer), lm_outcomes=(*self.lm_outcomes, lm_outcome)
        )  # fmt: skip

    def _trainings(self) -> list[list[Outcome]]:
        return [[before, after] for before, after in zip(self.lm_outcomes, self.outcomes)]

    def _alone(self, one: slice) -> Self:
        return replace(super()._alone(one), lm_outcomes=self.lm_outcomes[one])
