"""Numbers: one or several targets a text for a regressor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_array, column_or_1d
from torch import Tensor

from skulmfit.estimators.regressions import ridge_regression
from skulmfit.estimators.targets import Targets, check_vectors
from skulmfit.estimators.validation import check_lengths, exponents, number_array
from skulmfit.nn.target_losses import weighted_squared_error
from skulmfit.training.head import Readings, Solution

_QUARTERS = (0.25, 0.5, 0.75)  # quantiles that divide numbers into quarters
_LARGEST = 1e300  # so that no prediction is beyond float64


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
        mean, scale = _mean_and_scale(columns, weights)
        targets = cls(mean, scale, y.ndim == 2)
        return targets, targets._standardise(columns)

    @property
    def n_outputs(self) -> int:
        """One output for each number."""
        return len(self.mean)

    def check(self) -> None:
        """Raise unless there are a mean and a scale for every output."""
        check_vectors(len(self.mean), mean=self.mean, scale=self.scale)
        if len(self.mean) > 1 and not self.is_matrix:
            raise ValueError(f"{len(self.mean)} numbers a text in one column")

    def encode(self, y: Any, texts: list[str]) -> np.ndarray:
        """Standardised targets of validation texts, (n_texts, n_targets).

        Raises
        ------
        ValueError
            If there is another number of targets a text.
        """
        y = check_values(y, texts, "y_val")
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs:
            raise ValueError(f"y_val has {columns.shape[1]} target(s) a text, y has {self.n_outputs}.")
        return self._standardise(columns, "y_val")

    def _standardise(self, columns: np.ndarray, name: str = "y") -> np.ndarray:
        with np.errstate(over="ignore"):  # is refused below
            standardised = ((columns - self.mean) / np.where(self.scale > 0, self.scale, 1)).astype(np.float32)
        for row, column in np.argwhere(~np.isfinite(standardised)):
            raise ValueError(
                f"Row {row} of {name} is {columns[row, column]}, too far from the others to learn from: their mean is "
                f"{self.mean[column]}, their standard deviation {self.scale[column]}. Check it, or leave it out."
            )
        return standardised

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Squared error, averaged over the targets."""
        return weighted_squared_error(outputs, targets, weights)

    def score(self, outputs: np.ndarray, encoded: np.ndarray) -> float:
        """R squared, which a single text has not."""
        return float(r2_score(encoded, outputs)) if len(outputs) > 1 else np.nan

    def groups(self, encoded: np.ndarray) -> np.ndarray | None:
        """The quarters of a single number, from the lowest to the highest; None if all texts have the same."""
        if self.n_outputs > 1:
            return None
        quarters = np.digitize(encoded[:, 0], np.quantile(encoded, _QUARTERS))
        return quarters if len(np.unique(quarters)) > 1 else None

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


def _mean_and_scale(columns: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of columns of numbers, with weights. Powers of 2 keep squares within float64."""
    powers = exponents(columns)
    mean = np.ldexp(np.average(np.ldexp(columns, -powers), axis=0, weights=weights), powers)
    deviations = columns - mean
    powers = exponents(deviations)
    variance = np.average(np.ldexp(deviations, -powers) ** 2, axis=0, weights=weights)
    return mean, np.ldexp(np.sqrt(variance), powers)


def check_values(y: Any, texts: list[str], name: str = "y") -> np.ndarray:
    """Targets of a regression, float64 of shape (n_texts,) or (n_texts, n_targets).

    Raises
    ------
    ValueError
        If y is of another length, not numeric, not finite, beyond 1e300, or has more than two dimensions.
    """
    y = y.toarray() if hasattr(y, "toarray") else y
    values = check_array(number_array(y, name), ensure_2d=False, ensure_all_finite=False, input_name=name)
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(values, warn=True)
    if values.ndim == 0:
        raise ValueError(f"{name} must hold a number for each text, got a {type(y).__name__} of shape ().")
    check_lengths(texts, values)
    for row in np.unique(np.argwhere(~(np.abs(values) <= _LARGEST))[:, :1]):
        value = values[row]
        problem = "NaN" if np.isnan(value).any() else "infinity or a value beyond 1e300"
        raise ValueError(
            f"Input {name} contains {problem}: row {row} is {value}. Leave out such texts, or scale {name}."
        )
    return values
