"""Indicators: several labels a text, or none, as a matrix of 0 and 1."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import type_of_target
from torch import Tensor

from skulmfit.estimators.phrase_regression import phrase_regression
from skulmfit.estimators.regressions import logistic_regression
from skulmfit.estimators.targets import ClassTargets
from skulmfit.estimators.validation import ClassWeight, check_class_weights
from skulmfit.nn.target_losses import weighted_binary_cross_entropy
from skulmfit.nn.threads import one_thread_an_operation
from skulmfit.training.head_fine_tuning import Readings, Solution


@dataclass(frozen=True, eq=False)
class Indicators(ClassTargets):
    """Several labels a text, each with a probability of its own.

    Parameters
    ----------
    classes : ndarray of shape (n_labels,)
        Numbers of the columns of y.
    positive_weights : ndarray of shape (n_labels,), optional
        How much more the presence of each label counts than its absence.
    """

    classes: np.ndarray
    positive_weights: np.ndarray | None = None

    @classmethod
    def learn(
        cls, y: Any, texts: list[str], class_weight: ClassWeight, weights: np.ndarray
    ) -> tuple["Indicators", np.ndarray, np.ndarray]:
        """The labels in the y of a fit, the indicators as an array, and the weights of the texts."""
        indicators = check_indicators(y, texts)
        balance = positive_weights(class_weight, indicators[weights > 0])
        return cls(np.arange(indicators.shape[1]), balance), indicators, weights

    def of_columns(self, columns: np.ndarray) -> np.ndarray:
        """One label each."""
        return np.eye(self.n_outputs, dtype=np.int64)[columns]

    def encode(self, y: Any, texts: list[str]) -> np.ndarray:
        """Indicators of validation texts.

        Raises
        ------
        ValueError
            If there is another number of columns.
        """
        indicators = check_indicators(y, texts)
        if indicators.shape[1:] != self.classes.shape:
            raise ValueError(f"y_val has the shape {indicators.shape}, but y has {len(self.classes)} columns.")
        return indicators

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Binary cross-entropy, averaged over the labels."""
        return weighted_binary_cross_entropy(
            outputs, targets, weights, label_smoothing=label_smoothing, positive_weights=self.positive_weights
        )

    def score(self, outputs: np.ndarray, encoded: np.ndarray) -> float:
        """Share of texts whose labels are all right."""
        return float(np.mean((self.decode(outputs) == encoded).all(axis=1)))

    def solve(self, readings: Readings) -> Solution:
        """A logistic regression for each label, or what phrases say of it against all others."""
        balance = np.ones(self.n_outputs) if self.positive_weights is None else self.positive_weights
        solutions = [_solve_one(readings, column, positive) for column, positive in enumerate(balance)]
        return (
            np.stack([weight[1] - weight[0] for weight, _ in solutions]),
            np.stack([bias[1] - bias[0] for _, bias in solutions]),
        )

    def _mean_logits(self, logits: Tensor) -> Tensor:
        log_presence, log_absence = (
            torch.stack([F.logsigmoid(part) for part in signed]).logsumexp(0) - math.log(len(logits))
            for signed in (logits, -logits)
        )
        return log_presence - log_absence

    def decisions(self, logits: np.ndarray) -> np.ndarray:
        """Logits."""
        return logits

    def evidence(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Logits."""
        return self.logits(outputs).astype(np.float64)

    def decided(self, evidence: np.ndarray) -> list[int]:
        """The labels that are more probable than not, the most probable first; if there are none, the most probable."""
        order = np.argsort(-evidence, kind="stable")
        return [int(column) for place, column in enumerate(order) if evidence[column] > 0 or place == 0]

    @one_thread_an_operation()
    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Sigmoid."""
        return torch.sigmoid(torch.from_numpy(logits)).numpy()

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Indicators of the labels that are more probable than not."""
        return (logits > 0).astype(np.int64)


def _solve_one(readings: Readings, column: int, positive: float) -> Solution:
    """The linear model of a label's absence and presence."""
    has_label = readings.targets[:, column]
    own = replace(readings, targets=has_label, weights=readings.weights * np.where(has_label, positive, 1.0))
    if readings.words is None:
        return logistic_regression(own.features, own.targets, own.weights, 2)
    return phrase_regression(
        own, replace(readings.words, targets=readings.words.targets[:, column]), ("the others", column)
    )


def is_indicator_matrix(y: Any) -> bool:
    """Whether y is a matrix that says which labels each text has."""
    if not hasattr(y, "toarray"):
        try:
            y = np.asarray(y)
        except ValueError:  # rows of different lengths
            return False
        if y.ndim != 2 or y.shape[1] < 2:
            return False
    return type_of_target(y, input_name="y") == "multilabel-indicator"


def check_indicators(y: Any, texts: list[str]) -> np.ndarray:
    """An indicator matrix of labels, dense or sparse, as an array of 0 and 1 of shape (n_texts, n_labels)."""
    check_consistent_length(texts, y)
    y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"An indicator matrix holds 0 and 1 only; y has {np.unique(y)[:6].tolist()}.")
    return y.astype(np.int64)


def positive_weights(class_weight: ClassWeight, indicators: np.ndarray) -> np.ndarray | None:
    """How much more the presence of each label counts than its absence, shape (n_labels,).

    "balanced" gives both the same sum of weights; a dict names labels by their column.
    """
    if class_weight is None:
        return None
    n_labels = indicators.shape[1]
    if isinstance(class_weight, dict):
        unknown = set(class_weight) - set(range(n_labels))
        if unknown:
            raise ValueError(f"class_weight names labels {sorted(unknown)}, but y has columns 0 to {n_labels - 1}.")
        weights = np.array([float(class_weight.get(label, 1.0)) for label in range(n_labels)])
    elif isinstance(class_weight, str) and class_weight == "balanced":
        n_positive = indicators.sum(axis=0)
        weights = np.where(n_positive > 0, (len(indicators) - n_positive) / np.maximum(n_positive, 1), 1.0)
        weights[weights == 0] = 1.0  # a label that every text has
    else:
        raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}.")
    check_class_weights(weights, class_weight)
    return weights
