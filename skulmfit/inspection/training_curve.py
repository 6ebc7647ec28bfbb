"""TrainingCurveDisplay: losses and learning rates over updates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skulmfit.extras import import_extra
from skulmfit.inspection.smoothing import smooth
from skulmfit.training.stages import Stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class StageCurve:
    """One stage of a training.

    Parameters
    ----------
    name : str
    losses : ndarray of shape (n_updates,)
    rates : dict of str to ndarray of shape (n_updates,)
        Learning rate of each layer group.
    validation : list of (int, float)
        Number of updates and loss on validation data, at the end of each epoch that measured it.
    """

    name: str
    losses: np.ndarray
    rates: dict[str, np.ndarray]
    validation: list[tuple[int, float]]


class TrainingCurveDisplay:
    """Losses and learning rates over the updates of a fit, its stages marked.

    Make one with `from_estimator`.

    Parameters
    ----------
    curves : sequence of StageCurve

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of shape (2,) of matplotlib Axes
        The losses above, the learning rates below.
    """

    figure_: Any
    axes_: np.ndarray

    def __init__(self, curves: Sequence[StageCurve]):
        self.curves = list(curves)

    @classmethod
    def from_estimator(cls, estimator: Any, *, axes: "Sequence[Axes] | None" = None) -> Self:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : ULMFiTClassifier, ULMFiTRegressor or LMFineTuner
            Fitted. Of two directions, one of `directions_`.
        axes : sequence of 2 matplotlib Axes, optional
            Where to draw; by default on a new figure.

        Returns
        -------
        TrainingCurveDisplay

        Raises
        ------
        ValueError
            If the estimator reads both ways, has trained nothing, or does not know the loss of each update, since an
            earlier version has fitted it.
        """
        check_is_fitted(estimator)
        name = type(estimator).__name__
        if len(estimator.directions_) > 1:
            raise ValueError(f"This {name} has two trainings: give one of estimator.directions_.values().")
        if not estimator.loss_curve_:
            raise ValueError(
                f"This {name} has no loss_curve_: it has trained nothing, or an earlier version fitted it."
            )
        return cls(_curves(estimator)).plot(axes=axes)

    def plot(self, *, axes: "Sequence[Axes] | None" = None) -> Self:
        """Draw.

        Parameters
        ----------
        axes : sequence of 2 matplotlib Axes, optional
            Where to draw; by default on a new figure.

        Returns
        -------
        TrainingCurveDisplay
            Itself.
        """
        if axes is None:
            pyplot = import_extra("matplotlib.pyplot", type(self).__name__)
            axes = pyplot.subplots(2, 1, sharex=True, figsize=(7, 5), layout="constrained")[1]
        above, below = self.axes_ = np.asarray(axes)
        self.figure_ = above.figure
        start = 0
        for curve in self.curves:
            self._draw(curve, start, above, below)
            start += len(curve.losses)
        above.set(ylabel="loss", yscale="log")
        below.set(xlabel="updates", ylabel="learning rate", yscale="log")
        below.legend(fontsize="small", ncols=3)
        if any(curve.validation for curve in self.curves):
            above.legend(fontsize="small")
        return self

    def _draw(self, curve: StageCurve, start: int, above: "Axes", below: "Axes") -> None:
        updates, is_first = start + np.arange(len(curve.losses)), start == 0
        above.plot(updates, curve.losses, color="C0", alpha=0.25, linewidth=0.8)
        above.plot(updates, smooth(curve.losses, 0.9), color="C0", label="training" if is_first else None)
        if curve.validation:
            at, losses = zip(*curve.validation)
            above.plot(start + np.array(at) - 1, losses, "o-", color="C1", markersize=4, label="validation")
        for index, (name, rates) in enumerate(curve.rates.items()):
            label = None if name in below.get_legend_handles_labels()[1] else name
            below.plot(updates, rates, color=f"C{index}", linewidth=1, label=label)
        for ax in (above, below):
            ax.axvline(start, color="grey", linewidth=0.8, linestyle=":")
        above.annotate(
            curve.name, (start, 1), xycoords=("data", "axes fraction"), xytext=(3, 3), textcoords="offset points",
            fontsize="small",
        )  # fmt: skip


def _curves(estimator: Any) -> list[StageCurve]:
    """The curves of a fitted estimator's stages."""
    rows, losses = list(estimator.history_), np.asarray(estimator.loss_curve_)
    curves, start = [], 0
    for stage in [*getattr(estimator, "lm_stages_", []), *estimator.stages_]:
        own: list[dict[str, Any]] = []
        while rows and rows[0]["stage"] == stage.name and len(own) < stage.epochs:
            own.append(rows.pop(0))
        ends = np.cumsum([row["updates"] for row in own]).astype(int)
        # An interrupted stage has updates after its last epoch: those that no other stage accounts for.
        is_whole = len(own) == stage.epochs
        n_updates = int(ends[-1]) if is_whole else len(losses) - start - sum(row["updates"] for row in rows)
        validation = [(int(end), row["validation_loss"]) for end, row in zip(ends, own) if "validation_loss" in row]
        curves.append(
            StageCurve(stage.name, losses[start : start + n_updates], _rates(stage, own, n_updates), validation)
        )
        start += n_updates
    return [curve for curve in curves if len(curve.losses)]


def _rates(stage: Stage, rows: list[dict[str, Any]], n_updates: int) -> dict[str, np.ndarray]:
    """Learning rate of each layer group in each update, as the schedule has it."""
    planned = stage.epochs * rows[0]["updates"] if rows else n_updates
    factors = np.array([stage.schedule.rate(update, max(planned, n_updates)) for update in range(n_updates)])
    return {name: peak * factors for name, peak in stage.learning_rates.items()}
