"""Numbers: one or several targets a text for a regressor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from torch import Tensor

from skulmfit.estimators.regressions import ridge_regression
from skulmfit.estimators.targets import Targets
from skulmfit.nn.target_losses import weighted_squared_error
from skulmfit.training.head_fine_tuning import Readings, Solution


@dataclass(frozen=True, eq=False)
class Numbers(Targets):
    """One or several numbers a text, which the network learns with a mean of 0 and a variance of 1.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_targets,)
        Mean and standard deviation of the training targets.
    is_matrix : bool
        Whether y has two dimensions, and so has what `predict` gives.
    """

    mean: np.ndarray
    scale: np.ndarray
    is_matrix: bool

    @classmethod
    def learn(cls, y: Any, texts: list[str], name: str, weights: np.ndarray) -> tuple["Numbers", np.ndarray]:
        """Mean and scale of the y of an estimator's fit, and the standardised targets, (n_texts, n_targets)."""
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        y = check_values(y, texts)
        columns = y.reshape(len(y), -1)  # (n_texts, n_targets)
        mean = np.average(columns, axis=0, weights=weights)
        scale = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weights))
        targets = cls(mean, scale, y.ndim == 2)
        return targets, targets._standardise(columns)

    @property
    def n_outputs(self) -> int:
        """One output for each number."""
        return len(self.mean)

    def encode(self, y: Any, texts: list[str]) -> np.ndarray:
        """Standardised targets of validation texts, (n_texts, n_targets).

        Raises
        ------
        ValueError
            If there is another number of targets a text.
        """
        y = check_values(y, texts)
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs:
            raise ValueError(f"y_val has {columns.shape[1]} target(s) a text, y has {self.n_outputs}.")
        return self._standardise(columns)

    def _standardise(self, columns: np.ndarray) -> np.ndarray:
        return ((columns - self.mean) / np.where(self.scale > 0, self.scale, 1)).astype(np.float32)

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Squared error, averaged over the targets."""
        return weighted_squared_error(outputs, targets, weights)

    def score(self, outputs: np.ndarray, encoded: np.ndarray) -> float:
        """R squared, which a single text has not."""
        return float(r2_score(encoded, outputs)) if len(outputs) > 1 else np.nan

    def solve(self, readings: Readings) -> Solution:
        """Ridge regression."""
        return ridge_regression(readings.features, readings.targets, readings.weights)

    @property
    def labels(self) -> tuple[int, ...]:
        """Numbers of the targets."""
        return tuple(range(self.n_outputs))

    def evidence(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Predicted numbers: the mean of what each model gives."""
        return np.mean([part * self.scale + self.mean for part in outputs], axis=0)

    def decided(self, evidence: np.ndarray) -> list[int]:
        """All targets."""
        return list(range(len(evidence)))

    def decode(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Predicted numbers (n_texts,) or (n_texts, n_targets)."""
        numbers = self.evidence(outputs)
        return numbers if self.is_matrix else numbers[:, 0]


def check_values(y: Any, texts: list[str]) -> np.ndarray:
    """Targets of a regression, float64 of shape (n_texts,) or (n_texts, n_targets).

    Raises
    ------
    ValueError
        If y is of another length, not numeric, not finite, or has more than two dimensions.
    """
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    check_consistent_length(texts, y)
    return y
