"""Recipes: whole plans of training by name, as plain data. What a network and its data add makes them stages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from skulmfit.nn.dropout import LM_DROPOUTS, PAPER_DROPOUTS, Dropouts
from skulmfit.training.schedules import OneCycle, Schedule, SlantedTriangular
from skulmfit.training.stages import Stage, discriminative_rates

ALL = 0  # layer groups of a phase in which everything trains
EACH = -1  # a phase for every group but the lowest and the highest, from the top


@dataclass(frozen=True)
class Auto:
    """As many epochs as come nearest to a number of updates.

    So 100 documents are not left with a handful of updates, and 25,000 do not take all day.
    """

    updates: int
    most: int
    least: int = 1

    def epochs(self, n_batches: int) -> int:
        """Epochs of `n_batches` updates each, between `least` and `most`."""
        return min(max(round(self.updates / n_batches), self.least), self.most)


@dataclass(frozen=True)
class Phase:
    """A stage before the network and the data are known.

    Parameters
    ----------
    groups : int
        How many layer groups train, counted from the top; `ALL`, or `EACH` for gradual unfreezing one by one.
    epochs : int or Auto
    rate : float, default=1.0
        Factor on the recipe's learning rate.
    """

    groups: int
    epochs: int | Auto
    rate: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """How one half of the method is trained.

    Parameters
    ----------
    phases : tuple of Phase
        In their order; the last one is that in which everything trains.
    learning_rate, lr_decay : float
        Peak rate of the highest layer group, and how much slower each group learns than the one above it.
    batch_size : int or "auto"
        Streams of a language model, documents of a classifier.
    dropouts : Dropouts
        For a multiplier of 1.
    dropout_multiplier, weight_decay : float
    clip : float or None
        Largest norm of the gradient.
    betas : tuple of 2 floats
        Of Adam.
    schedule : SlantedTriangular or OneCycle
    lowest_rate : float, optional
        Rate of the lowest group as a share of the highest one's, the others in between; instead of `lr_decay`.
    alpha, beta : float
        AR and TAR of a language model.
    label_smoothing : float
        Of a classifier.
    gradual_unfreezing : bool, default=True
        Whether the phases in which not all layers train take place.
    """

    phases: tuple[Phase, ...]
    learning_rate: float
    lr_decay: float
    batch_size: Any
    dropouts: Dropouts
    dropout_multiplier: float
    weight_decay: float
    clip: float | None
    betas: tuple[float, float]
    schedule: Schedule = field(default_factory=SlantedTriangular)
    lowest_rate: float | None = None
    alpha: float = 0.0
    beta: float = 0.0
    label_smoothing: float = 0.0
    gradual_unfreezing: bool = True

    def override(self, *, epochs: Any = "auto", **changes: Any) -> "Recipe":
        """The recipe with what is not "auto" in its place; epochs are those of the last phase."""
        given = {name: value for name, value in changes.items() if value != "auto"}
        changed = replace(self, **given, lowest_rate=None if "lr_decay" in given else self.lowest_rate)
        if epochs == "auto":
            return changed
        return replace(changed, phases=(*changed.phases[:-1], replace(changed.phases[-1], epochs=epochs)))

    def stages(
        self, groups: Sequence[str], n_batches: Callable[[bool], int], *, whole: str = "all layers"
    ) -> list[Stage]:
        """The plan for layer groups, lowest first; a stage in which all train is called `whole`.

        `n_batches` gives the number of updates in an epoch; its argument is whether the highest group trains alone.
        """
        n_steps = max(len(groups) - 1, 1)
        decay = self.lr_decay if self.lowest_rate is None else self.lowest_rate ** (-1 / n_steps)
        rates = discriminative_rates(groups, self.learning_rate, decay)
        stages = []
        for phase in self.phases:
            if phase.groups != ALL and not self.gradual_unfreezing:
                continue
            for n_groups in _expand(phase.groups, len(groups)):
                epochs = phase.epochs
                if isinstance(epochs, Auto):
                    epochs = epochs.epochs(n_batches(n_groups == 1))
                trained = groups[len(groups) - n_groups :]
                name = whole if trained == groups else trained[0] if n_groups == 1 else f"from {trained[0]}"
                stages.append(
                    Stage(name, {group: phase.rate * rates[group] for group in trained}, epochs, self.schedule)
                )
        return stages


def _expand(n_groups: int, total: int) -> Sequence[int]:
    if n_groups == EACH:
        return range(2, total)
    return [total if n_groups == ALL else min(n_groups, total)]


def classifier_batch_size(n_documents: int) -> int:
    """Documents per update: enough updates for few documents, enough speed for many.

    >>> [classifier_batch_size(n) for n in (50, 500, 5_000, 50_000)]
    [16, 16, 62, 64]
    """
    return min(max(n_documents // 80, 16), 64)


_MULTIFIT_DROPOUTS = Dropouts(embedding=0.02, input=0.2, hidden=0.1, output=0.25, weight=0.15)

# The first is the default, found by measurement (docs/benchmarks.md). The others are the published ones, with what the
# paper leaves open taken from its authors' code; docs/recipes.md says where they differ from their sources.
LANGUAGE_MODEL_RECIPES = {
    "skulmfit": Recipe(
        phases=(Phase(ALL, Auto(300, most=10)),), learning_rate=4e-3, lr_decay=2.6, batch_size=64,
        dropouts=LM_DROPOUTS, dropout_multiplier=0.5, weight_decay=0.01, clip=1.0, betas=(0.7, 0.99),
        alpha=2.0, beta=1.0,
    ),
    "paper": Recipe(
        phases=(Phase(ALL, 15),), learning_rate=4e-3, lr_decay=2.6, batch_size=64,
        dropouts=PAPER_DROPOUTS, dropout_multiplier=1.0, weight_decay=1e-7, clip=0.3, betas=(0.7, 0.99),
        alpha=2.0, beta=1.0,
    ),
    "fastai": Recipe(
        phases=(Phase(1, 1, rate=10.0), Phase(ALL, 10)), learning_rate=1e-3, lr_decay=1.0, batch_size=64,
        dropouts=LM_DROPOUTS, dropout_multiplier=1.0, weight_decay=0.1, clip=None, betas=(0.8, 0.99),
        schedule=OneCycle(), alpha=2.0, beta=1.0,
    ),
    "multifit": Recipe(
        phases=(Phase(1, 1, rate=10.0), Phase(ALL, 20)), learning_rate=1e-3, lr_decay=1.0, batch_size=20,
        dropouts=_MULTIFIT_DROPOUTS, dropout_multiplier=0.3, weight_decay=1e-7, clip=0.12, betas=(0.8, 0.99),
        schedule=OneCycle(), alpha=2.0, beta=1.0,
    ),
}  # fmt: skip
CLASSIFIER_RECIPES = {
    "skulmfit": Recipe(
        phases=(Phase(1, Auto(10, most=2)), Phase(EACH, Auto(10, most=2)), Phase(ALL, Auto(150, most=20, least=5))),
        learning_rate=0.01, lr_decay=1.6, batch_size="auto", dropouts=PAPER_DROPOUTS, dropout_multiplier=0.2,
        weight_decay=0.01, clip=1.0, betas=(0.7, 0.99), gradual_unfreezing=False,
    ),
    "paper": Recipe(
        phases=(Phase(1, 1), Phase(EACH, 1), Phase(ALL, 46)), learning_rate=0.01, lr_decay=2.6, batch_size=64,
        dropouts=PAPER_DROPOUTS, dropout_multiplier=1.0, weight_decay=1e-6, clip=25.0, betas=(0.7, 0.99),
    ),
    "fastai": Recipe(
        phases=(Phase(1, 1, rate=2.0), Phase(2, 1), Phase(3, 1, rate=0.5), Phase(ALL, 2, rate=0.1)),
        learning_rate=0.01, lr_decay=2.6, batch_size=64, dropouts=PAPER_DROPOUTS, dropout_multiplier=0.5,
        weight_decay=0.01, clip=None, betas=(0.8, 0.99), schedule=OneCycle(),
    ),
    "multifit": Recipe(
        phases=(Phase(1, 1), Phase(EACH, 1), Phase(ALL, 8)), learning_rate=0.02, lr_decay=2.6, lowest_rate=0.5 / 2.6**4,
        batch_size=18, dropouts=_MULTIFIT_DROPOUTS, dropout_multiplier=0.5, weight_decay=0.01, clip=0.12,
        betas=(0.8, 0.99), schedule=OneCycle(), label_smoothing=0.1,
        gradual_unfreezing=False,
    ),
}  # fmt: skip
