"""LearningRateDisplay: the learning-rate range test."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from skulmfit.extras import import_extra
from skulmfit.inspection.smoothing import smooth
from skulmfit.training.recipe import EpochsForUpdates, Phase
from skulmfit.training.schedules import ExponentialRise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORSE = 4.0  # times the least loss: there fastai's lr_find ends


class _AtLeast(EpochsForUpdates):
    """As many epochs as it takes to make a number of updates."""

    def epochs(self, n_batches: int) -> int:
        """Epochs of `n_batches` updates each."""
        return -(-self.updates // n_batches)


class LearningRateDisplay:
    """The loss while the learning rate rises: which rates are too low, which too high.

    Make one with `from_estimator`. The test is that of L. Smith, "Cyclical Learning Rates for Training Neural
    Networks", 2017, section 3.3, as fastai's `lr_find` does it.

    Parameters
    ----------
    rates, losses : ndarray of shape (n_updates,)
        Rate of the highest layer group, and loss of the batch.

    Attributes
    ----------
    suggestion : float
        The rate at which the smoothed loss falls fastest. Where nothing falls, nothing is learnt at any rate.
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    """

    figure_: Any
    ax_: "Axes"

    def __init__(self, rates: ArrayLike, losses: ArrayLike):
        self.rates, self.losses = np.asarray(rates, dtype=float), np.asarray(losses, dtype=float)

    @property
    def smoothed(self) -> np.ndarray:
        """The losses as one line, up to where they are four times the least one."""
        smoothed = smooth(self.losses, 0.9)
        is_worse = smoothed > _WORSE * np.minimum.accumulate(smoothed)
        return smoothed[: int(is_worse.argmax())] if is_worse.any() else smoothed

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls fastest, before its least value."""
        line = self.smoothed
        line = line[: max(int(line.argmin()) + 1, 2)]
        return float(self.rates[int(np.gradient(line).argmin())])

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike | None = None, *, low: float = 1e-6, high: float = 1.0,
        n_updates: int = 100, ax: "Axes | None" = None,
    ) -> Self:  # fmt: skip
        """Train a copy of an estimator with a rising rate, and draw the loss.

        Parameters
        ----------
        estimator : ULMFiTClassifier, ULMFiTRegressor or LMFineTuner
            Need not be fitted, and is left as it is. All its layers train; `lr_decay` and all else are its own. A
            classifier fits its language model first: give a frozen one to save the time.
        X : iterable of str
        y : array-like, optional
            Of a classifier or regressor.
        low, high : float, default=1e-6, 1.0
            First and last rate of the highest layer group.
        n_updates : int, default=100
            At least so many: the last epoch is made whole.
        ax : matplotlib Axes, optional
            Where to draw; by default on a new figure.

        Returns
        -------
        LearningRateDisplay

        Raises
        ------
        FloatingPointError
            If the loss becomes infinite: choose a smaller `high`.
        """
        copy = clone(estimator)
        copy.set_params(
            recipe=replace(
                copy._resolved_recipe(), phases=(Phase("all", _AtLeast(n_updates, most=n_updates)),),
                learning_rate=high, schedule=ExponentialRise(high / low), least_tokens=0,
            ),
            epochs="auto", learning_rate="auto", early_stopping=False, checkpoint=None,
        )  # fmt: skip
        copy.fit(X) if y is None else copy.fit(X, y)
        (rises,) = [[row for row in copy.history_ if row["stage"] == copy.stages_[-1].name]]
        losses = copy.loss_curve_[-sum(row["updates"] for row in rises) :]
        rates = high * np.array([ExponentialRise(high / low).rate(i, len(losses)) for i in range(len(losses))])
        return cls(rates, losses).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default on a new figure.

        Returns
        -------
        LearningRateDisplay
            Itself.
        """
        ax = ax or import_extra("matplotlib.pyplot", type(self).__name__).subplots(layout="constrained")[1]
        self.ax_, self.figure_ = ax, ax.figure
        line = self.smoothed
        ax.plot(self.rates[: len(line)], self.losses[: len(line)], color="C0", alpha=0.25, linewidth=0.8)
        ax.plot(self.rates[: len(line)], line, color="C0")
        ax.axvline(self.suggestion, color="C1", linestyle="--", label=f"falls fastest: {self.suggestion:.1e}")
        ax.set(xlabel="learning rate", ylabel="loss", xscale="log")
        ax.legend()
        return self
