"""Projection: how long a fit of several trainings will take, known after a few updates of the first."""

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from skulmfit.training.callback import Callback, TrainingRun
from skulmfit.training.head_fine_tuning import batch_size
from skulmfit.training.layer_groups import EMBEDDING, HEAD, layer_names
from skulmfit.training.recipe import Recipe
from skulmfit.training.stages import Stage

LONG_SECONDS = 600.0  # of a whole fit: above it there is a warning
_UPDATES, _SECONDS = 5, 10.0  # that are timed before the warning
_HEAD_ALONE = 0.02  # of the cost of a pass with all layers: the encoder's states are computed once


@dataclass
class FitClock:
    """The trainings of one fit, and which of them has begun.

    Parameters
    ----------
    titles : dict of str to str
        What each training is called, by its name, in their order.
    head_passes : float, default=0
        Passes over all texts that each training of a head makes, in units of a pass in which all layers train.
    remedies : callable
        What to do if the fit takes too long, as far as it applies.
    """

    titles: Mapping[str, str]
    head_passes: float = 0.0
    remedies: Callable[[], list[str]] = list
    started: float = field(default_factory=lambda: time.monotonic())
    first: int | None = None  # training that has begun before all others
    has_warned: bool = False

    def begin(self, name: str) -> None:
        """Note that a training begins. Those before the first one are not needed: their results were there."""
        if self.first is None:
            self.first = list(self.titles).index(name)

    def title(self, name: str) -> str:
        """What a training is called, numbered if there are several."""
        first = self.first or 0
        n_trainings, place = len(self.titles) - first, list(self.titles).index(name) - first + 1
        return self.titles[name] if n_trainings < 2 else f"{place}/{n_trainings} {self.titles[name]}"

    def later(self, name: str) -> list[str]:
        """Names of the trainings after one."""
        names = list(self.titles)
        return names[names.index(name) + 1 :]


class Later(NamedTuple):
    """A training that is still to come."""

    title: str
    seconds: float


class Projection(Callback):
    """Times the updates of a training, and warns once if the whole fit will take long.

    A later training is projected from the speed of this one: a pass over all texts in which all layers train takes a
    language model about as long as a classifier.

    Parameters
    ----------
    clock : FitClock
    name : str
        Of the training, one of the clock's.
    """

    def __init__(self, clock: FitClock, name: str):
        self.clock, self.name = clock, name
        self._began = self._elapsed = 0.0  # since the first update of the stage
        self._n_timed = 0
        self._passes_after = 0.0  # of the stages to come, in units of a pass in which all layers train
        self._cost = 1.0  # of a pass of the stage
        self._own_passes = 0.0  # of the whole training

    def on_train_begin(self, run: TrainingRun) -> None:
        """Tell the clock."""
        self.clock.begin(self.name)

    def on_stage_begin(self, run: TrainingRun) -> None:
        """Time anew: another stage has another speed."""
        self._n_timed = -1  # the first update is slow: memory is allocated
        most = max(len(stage.learning_rates) for stage, _ in run.plan)
        costs = [stage.epochs * relative_cost(stage, most) for stage, _ in run.plan]
        self._cost = relative_cost(run.stage, most)
        self._passes_after, self._own_passes = sum(costs[run.stage_index + 1 :]), sum(costs)

    def on_update(self, run: TrainingRun) -> None:
        """Count an update."""
        now = time.monotonic()
        if self._n_timed < 0:
            self._began = now
        self._n_timed += 1
        self._elapsed = now - self._began
        if self._n_timed >= _UPDATES and self._elapsed >= _SECONDS and not self.clock.has_warned:
            self._warn(run)

    def title(self, run: TrainingRun) -> str:
        """What is under way: the training, and the stage if there are several."""
        title = self.clock.title(self.name)
        if len(run.plan) < 2:
            return title
        return f"{title}, stage {run.stage_index + 1}/{len(run.plan)} {run.stage.name}"

    def seconds_left(self, run: TrainingRun) -> float | None:
        """Seconds until the end of the whole fit; None while that cannot be known."""
        own = self._own_seconds_left(run)
        return None if own is None else own + sum(later.seconds for later in self._later(run))

    def _own_seconds_left(self, run: TrainingRun) -> float | None:
        if self._n_timed < 1 or (self._cost == _HEAD_ALONE and (self._passes_after or self.clock.later(self.name))):
            return None
        per_update = self._elapsed / self._n_timed
        return per_update * (run.n_updates - run.update) + self._passes_after * self._seconds_per_pass(run)

    def _seconds_per_pass(self, run: TrainingRun) -> float:
        """Of a pass over all texts in which all layers train."""
        return self._elapsed / self._n_timed * run.n_batches / self._cost

    def _later(self, run: TrainingRun) -> list[Later]:
        kind, seconds = self.name.rpartition("-")[0], self._seconds_per_pass(run)
        passes = {
            name: self._own_passes if name.startswith(kind) else self.clock.head_passes for name in self.clock.titles
        }
        return [Later(self.clock.titles[name], passes[name] * seconds) for name in self.clock.later(self.name)]

    def _warn(self, run: TrainingRun) -> None:
        left, own = self.seconds_left(run), self._own_seconds_left(run)
        elapsed = time.monotonic() - self.clock.started
        if left is None or own is None or elapsed + left < LONG_SECONDS:
            return
        self.clock.has_warned = True
        parts = [f"{self.clock.titles[self.name]} {duration(elapsed + own)}"]
        parts += [f"{later.title} {duration(later.seconds)}" for later in self._later(run)]
        shares = f" ({', '.join(parts)})" if len(parts) > 1 else ""
        remedies = "".join(f"\n- {remedy}" for remedy in self.clock.remedies())
        warnings.warn(
            f"This fit will take about {duration(elapsed + left)}{shares}. What makes it shorter:{remedies}\n"
            "verbose=1 shows how far it is.",
            stacklevel=2,
        )  # fmt: skip


def relative_cost(stage: Stage, n_groups: int) -> float:
    """Cost of a pass of a stage, in units of a pass in which all `n_groups` layer groups train.

    A backward pass takes twice as long as a forward pass, and ends at the lowest layer that trains.
    """
    trained = list(stage.learning_rates)
    if trained == [HEAD] and n_groups > 1:
        return _HEAD_ALONE
    return (1 + 2 * len(trained) / n_groups) / 3


def passes_of_head(recipe: Recipe, n_texts: int) -> float:
    """Passes over all texts that the training of a head makes, in units of a pass in which all layers train."""
    names = [EMBEDDING, *layer_names(3), HEAD]
    n_batches = math.ceil(n_texts / batch_size(recipe, n_texts))
    stages = recipe.stages(names, lambda alone: n_batches)
    return sum(stage.epochs * relative_cost(stage, len(names)) for stage in stages)


def duration(seconds: float) -> str:
    """A time as a person says it.

    >>> duration(42), duration(600), duration(16_000)
    ('42 s', '10 min', '4 h 27 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
