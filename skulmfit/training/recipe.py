"""Recipe: a whole plan of training as plain data. Network and documents make it a list of stages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, Literal

from skulmfit.nn.dropout import Dropouts
from skulmfit.tables import as_html, as_text, short
from skulmfit.training.parameters import check_number, check_number_or_auto
from skulmfit.training.schedules import Schedule, SlantedTriangular
from skulmfit.training.stages import Stage, discriminative_rates


@dataclass(frozen=True)
class EpochsForUpdates:
    """As many epochs as come nearest to a number of updates.

    So 100 documents get more than a handful of updates, and 25,000 do not take all day.

    Parameters
    ----------
    updates : int
    most, least : int
        Bounds of the number of epochs.
    """

    updates: int
    most: int
    least: int = 1

    def __post_init__(self) -> None:
        for name in ("updates", "most", "least"):
            check_number(getattr(self, name), f"{name} of EpochsForUpdates", Integral, low=1)

    def epochs(self, n_batches: int) -> int:
        """Epochs of `n_batches` updates each, between `least` and `most`."""
        return min(max(round(self.updates / n_batches), self.least), self.most)


@dataclass(frozen=True)
class Phase:
    """A part of a recipe: which layers train, and for how long.

    Parameters
    ----------
    unfrozen : int, "all" or "one by one"
        How many layer groups train, counted from the top. "one by one" is gradual unfreezing: a stage with two groups,
        one with three, and so on, up to the one before all.
    epochs : int or EpochsForUpdates
        Of each stage.
    rate : float, default=1.0
        Factor on the recipe's learning rate.
    """

    unfrozen: int | Literal["all", "one by one"]
    epochs: int | EpochsForUpdates
    rate: float = 1.0

    def __str__(self) -> str:
        epochs = self.epochs if isinstance(self.epochs, int) else f"{self.epochs.least} to {self.epochs.most}"
        rate = "" if self.rate == 1 else f", rate x {short(self.rate)}"
        return f"{self.unfrozen} for {epochs} epochs{rate}"

    def __post_init__(self) -> None:
        if not isinstance(self.epochs, EpochsForUpdates):
            check_number(self.epochs, "epochs of a Phase", Integral, low=0)
        if self.unfrozen not in ("all", "one by one"):
            check_number(self.unfrozen, "unfrozen of a Phase", Integral, low=1)
        check_number(self.rate, "rate of a Phase", Real, low=0, bounds="neither")

    def group_counts(self, n_groups: int) -> Sequence[int]:
        """How many of `n_groups` layer groups train in each stage of the phase."""
        if self.unfrozen == "one by one":
            return range(2, n_groups)
        return [n_groups if self.unfrozen == "all" else min(self.unfrozen, n_groups)]


@dataclass(frozen=True)
class Recipe:
    """How a language model, or an encoder with a head, is trained.

    The recipes that have a name are in `skulmfit.LANGUAGE_MODEL_RECIPES` and `skulmfit.CLASSIFIER_RECIPES`. Make your
    own from one of them with `dataclasses.replace`, and give it as `recipe=`.

    Parameters
    ----------
    phases : tuple of Phase
        In their order; all layers train in the last one.
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
        How the rate changes in each stage.
    lowest_rate : float, optional
        Rate of the lowest group as a share of the highest one's, the others in between; instead of `lr_decay`.
    alpha, beta : float
        AR and TAR of a language model.
    label_smoothing : float
        Of a classifier.
    gradual_unfreezing : bool, default=True
        False leaves out the phases in which some layers are frozen.
    features : str, optional
        Of a classifier. None is the paper's head, which learns from nothing. Else the head starts as a regression on
        these features of the encoder as it is, see `LMFineTuner`; "auto" takes what suits the language model. With
        sentence vectors among them, and one class or number a text, it ends as a regression, too.
    contrast : float, default=0.0
        Of a classifier or regressor whose features have sentence vectors: weight of the supervised contrastive loss
        (Khosla et al. 2020), by which an update draws the sentence vectors of a class together. Short documents stand
        beside another one of their class each; of longer ones only those whose class would be alone. Of several labels
        a text the same set of labels is a class, of one number a text the same quarter of the numbers.
    least_tokens : int, default=0
        Of a pretrained language model. Fewer tokens than these leave it as it is.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from skulmfit import CLASSIFIER_RECIPES, ULMFiTClassifier
    >>> longer = replace(CLASSIFIER_RECIPES["paper"], learning_rate=0.005, clip=1.0)
    >>> clf = ULMFiTClassifier(recipe=longer)
    """

    phases: tuple[Phase, ...]
    learning_rate: float
    lr_decay: float
    batch_size: int | Literal["auto"]
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
    features: str | None = None
    contrast: float = 0.0
    least_tokens: int = 0

    def __repr__(self) -> str:
        trained = " then ".join(str(phase.unfrozen) for phase in self._used_phases())
        return f"<Recipe: trains {trained}, learning rate {short(self.learning_rate)}, decay {short(self.lr_decay)}>"

    def __str__(self) -> str:
        return as_text(self._facts())

    def _repr_html_(self) -> str:
        return as_html(self._facts())

    def _facts(self) -> list[dict[str, Any]]:
        """Every field and its value, as a table."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        own["phases"] = "; ".join(map(str, self.phases))
        return [{"parameter": name, "value": short(value)} for name, value in own.items()]

    def _used_phases(self) -> tuple[Phase, ...]:
        """The phases that are not left out."""
        return tuple(phase for phase in self.phases if phase.unfrozen == "all" or self.gradual_unfreezing)

    def __post_init__(self) -> None:
        if not all(isinstance(phase, Phase) for phase in self.phases):
            raise TypeError(f"phases of a Recipe must be a tuple of Phase, got {self.phases!r}.")
        for name in ("learning_rate", "lr_decay"):
            check_number(getattr(self, name), f"{name} of a Recipe", Real, low=0, bounds="neither")
        for name in ("dropout_multiplier", "weight_decay", "alpha", "beta", "contrast"):
            check_number(getattr(self, name), f"{name} of a Recipe", Real, low=0)
        for name in ("clip", "lowest_rate"):
            if getattr(self, name) is not None:
                check_number(getattr(self, name), f"{name} of a Recipe", Real, low=0, bounds="neither")
        check_number_or_auto(self.batch_size, "batch_size of a Recipe", Integral, low=1)
        check_number(self.label_smoothing, "label_smoothing of a Recipe", Real, low=0, high=1, bounds="left")
        check_number(self.least_tokens, "least_tokens of a Recipe", Integral, low=0)
        for beta in self.betas:
            check_number(beta, "each of betas of a Recipe", Real, low=0, high=1, bounds="left")
        for name, probability in vars(self.dropouts).items():
            check_number(probability, f"{name} among dropouts of a Recipe", Real, low=0, high=1)

    def override(self, *, epochs: int | Literal["auto"] = "auto", **changes: Any) -> "Recipe":
        """The recipe with every change that is not "auto".

        Epochs are those of the last phase; who gives them wants training, however few the tokens are.
        """
        given = {name: value for name, value in changes.items() if value != "auto"}
        changed = replace(self, **given, lowest_rate=None if "lr_decay" in given else self.lowest_rate)
        if epochs == "auto":
            return changed
        phases = (*changed.phases[:-1], replace(changed.phases[-1], epochs=epochs))
        return replace(changed, phases=phases, least_tokens=0)

    def head_alone(self) -> "Recipe":
        """A recipe for the shortest way to a usable model: about 200 updates of the highest layer group."""
        return replace(self, phases=(Phase(1, EpochsForUpdates(200, most=50)),), gradual_unfreezing=True)

    def without_training(self) -> "Recipe":
        """A recipe that leaves network and head as they start."""
        return replace(self, phases=())

    @property
    def trains_nothing(self) -> bool:
        """Whether the user has asked for no epoch at all."""
        return self.phases[-1].epochs == 0

    def stages(
        self, names: Sequence[str], n_batches: Callable[[bool], int], *, whole: str = "all layers"
    ) -> list[Stage]:
        """The plan for layer groups of these names, lowest first; a stage in which all train is called `whole`.

        `n_batches` gives the number of updates in an epoch; its argument is whether the highest group trains alone.
        """
        rates = self._rates(names)
        stages = []
        for phase in self._used_phases():
            for n_groups in phase.group_counts(len(names)):
                epochs = phase.epochs
                if isinstance(epochs, EpochsForUpdates):
                    epochs = epochs.epochs(n_batches(n_groups == 1))
                trained = names[len(names) - n_groups :]
                name = whole if trained == names else trained[0] if n_groups == 1 else f"from {trained[0]}"
                stages.append(
                    Stage(name, {group: phase.rate * rates[group] for group in trained}, epochs, self.schedule)
                )
        return stages

    def _rates(self, names: Sequence[str]) -> dict[str, float]:
        """Peak learning rate of each layer group."""
        decay = self.lr_decay
        if self.lowest_rate is not None:
            decay = self.lowest_rate ** (-1 / max(len(names) - 1, 1))
        return discriminative_rates(names, self.learning_rate, decay)
