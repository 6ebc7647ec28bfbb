"""LabelCurveDisplay: scores against the number of labels."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from skulmfit.extras import import_extra
from skulmfit.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "os^Dv*"


class LabelCurveDisplay:
    """Score on texts that nobody has learnt from, against the number of labels, with its spread.

    Make one with `from_estimator`, for one estimator or several.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of labels.
    scores : dict of str to ndarray of shape (n_sizes, n_draws)
        Of each estimator, by its name.
    score_name : str, default="score"

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    lines_ : list of matplotlib Line2D
    """

    figure_: Any
    ax_: "Axes"
    lines_: list[Any]

    def __init__(self, sizes: Sequence[int], scores: Mapping[str, ArrayLike], score_name: str = "score"):
        self.sizes, self.score_name = list(sizes), score_name
        self.scores = {name: np.asarray(own, dtype=float) for name, own in scores.items()}

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Iterable[str], y: ArrayLike, *, sizes: Sequence[int] = (20, 50, 100, 200),
        baselines: Mapping[str, Any] | None = None, n_draws: int = 3, test_size: float | int = 0.5,
        scoring: str | None = None, random_state: int = 0, ax: "Axes | None" = None,
    ) -> Self:  # fmt: skip
        """Fit estimators on draws of labels, and draw their scores on the same held-out texts.

        Parameters
        ----------
        estimator : estimator
            Over texts. It is copied for each fit.
        X : iterable of str
        y : array-like of shape (n_texts,)
        sizes : sequence of int, default=(20, 50, 100, 200)
            Numbers of labels to learn from. A larger draw holds the smaller ones.
        baselines : dict of str to estimator, optional
            Others to draw beside it, by their names: `{"TF-IDF": make_pipeline(TfidfVectorizer(), ...)}`.
        n_draws : int, default=3
            Draws of labels. Draw `d` shuffles with the seed `random_state + d`, and sets that as `random_state` of
            estimators that have one.
        test_size : float or int, default=0.5
            Share or number of the texts that are held out, the same in all draws. Labels keep their shares.
        scoring : str, optional
            As in scikit-learn; by default each estimator's own score.
        random_state : int, default=0
        ax : matplotlib Axes, optional
            Where to draw; by default on a new figure.

        Returns
        -------
        LabelCurveDisplay

        Raises
        ------
        ValueError
            If there are fewer texts to learn from than the largest of `sizes`.
        """
        texts, y = np.array(list(X), dtype=object), np.asarray(y)
        pool, test = train_test_split(
            np.arange(len(texts)), test_size=test_size, random_state=random_state,
            stratify=y if is_classifier(estimator) else None,
        )  # fmt: skip
        if max(sizes) > len(pool):
            raise ValueError(f"sizes={list(sizes)!r} has more labels than the {len(pool)} texts to learn from.")
        estimators = {type(estimator).__name__: estimator, **(baselines or {})}
        scores = {name: np.empty((len(sizes), n_draws)) for name in estimators}
        for draw in range(n_draws):
            order = _spread_labels(pool, y, np.random.default_rng(random_state + draw), is_classifier(estimator))
            for row, size in enumerate(sizes):
                train = order[:size]
                for name, own in estimators.items():
                    fitted = _seeded(own, random_state + draw).fit(texts[train], y[train])
                    scores[name][row, draw] = check_scoring(fitted, scoring)(fitted, texts[test], y[test])
        default = "accuracy" if is_classifier(estimator) else "R squared"
        return cls(sizes, scores, scoring or default).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw means over the draws, and a standard deviation above and below.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default on a new figure.

        Returns
        -------
        LabelCurveDisplay
            Itself.
        """
        ax = ax or import_extra("matplotlib.pyplot", type(self).__name__).subplots(layout="constrained")[1]
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        for index, (name, scores) in enumerate(self.scores.items()):
            mean, deviation = scores.mean(axis=1), scores.std(axis=1)
            self.lines_ += ax.plot(self.sizes, mean, marker=_MARKERS[index % len(_MARKERS)], label=name)
            ax.fill_between(self.sizes, mean - deviation, mean + deviation, alpha=0.2)
        ax.set(xlabel="labels", ylabel=self.score_name, xscale="log")
        ax.set_xticks(self.sizes, [str(size) for size in self.sizes])
        ax.minorticks_off()
        ax.legend()
        return self

    def to_table(self) -> Table[dict[str, Any]]:
        """A row for each estimator and number of labels: mean and standard deviation of the score."""
        return Table(
            {"estimator": name, "labels": size, "mean": float(own.mean()), "deviation": float(own.std())}
            for name, scores in self.scores.items()
            for size, own in zip(self.sizes, scores)
        )


def _spread_labels(pool: np.ndarray, y: np.ndarray, rng: np.random.Generator, is_classification: bool) -> np.ndarray:
    """The rows of a pool in random order; of a classification each class comes once before any comes again."""
    order = rng.permutation(pool)
    if not is_classification:
        return order
    _, first = np.unique(y[order], axis=0, return_index=True)
    return np.concatenate([order[np.sort(first)], np.delete(order, first)])


def _seeded(estimator: Any, seed: int) -> Any:
    """A copy with a seed, if it takes one."""
    copy = clone(estimator)
    return copy.set_params(random_state=seed) if "random_state" in copy.get_params(deep=False) else copy
