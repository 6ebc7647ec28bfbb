"""What is given to a supervised fit, checked and encoded."""

from dataclasses import dataclass
from typing import Generic

import numpy as np
from sklearn.model_selection import train_test_split

from skulmfit.estimators.fitted_state import AnyTargets
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.supervised_task import Examples


@dataclass(frozen=True, eq=False)
class SupervisedData(Generic[AnyTargets]):
    """Texts, their targets as the loss takes them, and their weights. Those for validation come last.

    Parameters
    ----------
    texts : list of str
    encoded : ndarray of shape (n_texts, ...)
    weights : ndarray of shape (n_texts,)
    targets : Targets
    n_validation : int
        How many of the last texts are the user's own for validation.
    """

    texts: list[str]
    encoded: np.ndarray
    weights: np.ndarray
    targets: AnyTargets
    n_validation: int = 0

    @property
    def training_texts(self) -> list[str]:
        """All texts but the user's own for validation."""
        return self.texts[: len(self.texts) - self.n_validation]

    def without_weightless(self, name: str) -> "SupervisedData[AnyTargets]":
        """Only the texts with a weight above 0.

        Raises
        ------
        ValueError
            If there are less than 2. The estimator's name is for the message.
        """
        kept = np.flatnonzero(self.weights)
        if len(kept) < 2:
            raise ValueError(f"{name} needs at least 2 texts with a weight above 0, got {len(kept)} sample(s).")
        return SupervisedData([self.texts[row] for row in kept], self.encoded[kept], self.weights[kept], self.targets)

    def with_validation(self, texts: list[str], encoded: np.ndarray) -> "SupervisedData[AnyTargets]":
        """The same with the user's own texts for validation."""
        weights = np.concatenate([self.weights, self.targets.weights(encoded)])
        return SupervisedData(
            self.texts + texts, np.concatenate([self.encoded, encoded]), weights, self.targets, len(texts)
        )

    def split(self, early_stopping: bool, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows to train on, and rows for validation: the user's own, or a fraction for early stopping.

        Raises
        ------
        ValueError
            If too few are left to train on.
        """
        rows = np.arange(len(self.texts))
        if self.n_validation:
            return rows[: -self.n_validation], rows[-self.n_validation :]
        if not early_stopping:
            return rows, None
        n_validation = int(np.ceil(fraction * len(rows)))
        n_left = len(rows) - n_validation
        if n_left < 2:
            raise ValueError(
                f"early_stopping=True leaves {n_left} of {len(rows)} texts to train on. Give more texts, a smaller "
                f"validation_fraction than {fraction}, or X_val and y_val."
            )
        strata = self.targets.strata(self.encoded)
        if strata is not None:
            counts = np.unique(strata, return_counts=True)[1]
            can_stratify = counts.min() > 1 and len(counts) <= min(n_validation, n_left)
            strata = strata if can_stratify else None
        kept, validation = train_test_split(rows, test_size=n_validation, random_state=seed, stratify=strata)
        return np.sort(kept), np.sort(validation)

    def examples(self, corpus: TokenCorpus, rows: np.ndarray) -> Examples:
        """Some of the texts, which `corpus` holds encoded, with their targets and weights."""
        return Examples(corpus.take(rows), self.encoded[rows], self.weights[rows])
