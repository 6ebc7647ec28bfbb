"""Indicators: several labels a text, or none, as a matrix of 0 and 1."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from skulmfit.estimators.label_values import label_array, own_values, plain
from skulmfit.estimators.phrase_regression import phrase_regressions
from skulmfit.estimators.regressions import logistic_regression
from skulmfit.estimators.targets import ClassTargets, check_vectors
from skulmfit.estimators.validation import ClassWeight, check_class_weights, check_lengths
from skulmfit.nn.target_losses import weighted_binary_cross_entropy
from skulmfit.nn.threads import one_thread_an_operation
from skulmfit.training.head import Readings, Solution


@dataclass(frozen=True, eq=False)
class Indicators(ClassTargets):
    """Several labels a text, each with a probability of its own.

    Parameters
    ----------
    classes : ndarray of shape (n_labels,)
        Names of the columns of y, or their numbers.
    positive_weights : ndarray of shape (n_labels,), optional
        How much more the presence of each label counts than its absence.
    always_some : bool, default=False
        Whether every text has a label: all labelled ones of `fit` had, or none was labelled. Then every prediction has
        one.
    """

    ends_solved = False  # a regression is too timid about labels that few texts have (docs/log)
    classes: np.ndarray
    positive_weights: np.ndarray | None = None
    always_some: bool = False

    @classmethod
    def learn(
        cls, y: Any, texts: list[str], class_weight: ClassWeight, weights: np.ndarray
    ) -> tuple["Indicators", np.ndarray, np.ndarray]:
        """The labels in the y of a fit, the indicators as an array, and the weights of the texts."""
        indicators, classes = check_indicators(y, texts), cls.of_columns_of(y).classes
        counted = indicators[weights > 0]
        always_some = bool(counted.any(axis=1).all())
        return cls(classes, positive_weights(class_weight, counted, classes), always_some), indicators, weights

    @classmethod
    def of_columns_of(cls, y: Any) -> "Indicators":
        """A label for each column of an indicator matrix of any container, of whose rows nothing is known."""
        matrix, names = label_matrix(y), column_names(y)
        assert matrix is not None
        classes = np.arange(matrix.shape[1]) if names is None else names
        repeated = [label for label, count in Counter(classes.tolist()).items() if count > 1]
        if repeated:
            raise ValueError(f"y has several columns of the name {repeated[0]!r}. Give every label a name of its own.")
        return cls(classes)

    def of_columns(self, columns: np.ndarray) -> np.ndarray:
        """One label each."""
        return np.eye(self.n_outputs, dtype=np.int64)[columns]

    def check(self) -> None:
        """Raise unless there is a name for every column, with a weight each if there are any."""
        label_array(self.classes, "classes")
        check_vectors(len(self.classes), positive_weights=self.positive_weights)

    def encode(self, y: Any, texts: list[str]) -> np.ndarray:
        """Indicators of validation texts.

        Raises
        ------
        ValueError
            If there is another number of columns, or they have other names.
        """
        indicators = check_indicators(y, texts, "y_val")
        if indicators.shape[1:] != self.classes.shape:
            raise ValueError(f"y_val has the shape {indicators.shape}, but y has {len(self.classes)} columns.")
        names, is_named = column_names(y), not np.array_equal(self.classes, np.arange(self.n_outputs))
        if is_named and names is not None and not np.array_equal(names, self.classes):
            raise ValueError(
                f"y_val has the columns {names.tolist()}, y has {self.classes.tolist()}. Give the same ones in "
                "the same order."
            )
        return indicators

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Binary cross-entropy, averaged over the labels."""
        return weighted_binary_cross_entropy(
            outputs, targets, weights, label_smoothing=label_smoothing, positive_weights=self.positive_weights
        )

    def counts(self, encoded: np.ndarray) -> dict[Any, int]:
        """Number of texts that have each label."""
        return dict(zip(self.classes.tolist(), encoded.sum(axis=0).tolist()))

    def score(self, outputs: np.ndarray, encoded: np.ndarray) -> float:
        """Share of texts whose labels are all right."""
        return float(np.mean((self.decode(outputs) == encoded).all(axis=1)))

    def groups(self, encoded: np.ndarray) -> np.ndarray | None:
        """Texts with the same labels are a group; None if all have the same."""
        sets, places = np.unique(encoded, axis=0, return_inverse=True)
        return places.reshape(-1) if len(sets) > 1 else None  # NumPy 2.0 has it in two dimensions

    def solve(self, readings: Readings) -> Solution:
        """A logistic regression for each label, or what phrases say of it beside that."""
        balance = np.ones(self.n_outputs) if self.positive_weights is None else self.positive_weights
        if readings.words is not None:
            return phrase_regressions(readings, readings.words, self.labels, balance)
        solutions = []
        for column, positive in enumerate(balance):
            has_label = readings.targets[:, column]
            weights = readings.weights * np.where(has_label, positive, 1.0)
            solutions.append(logistic_regression(readings.features, has_label, weights, 2))
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

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Log-sigmoid."""
        return F.logsigmoid(torch.from_numpy(logits)).numpy()

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Indicators of the labels that are more probable than not, and of the most probable one if `always_some`.

        With many labels, or few examples, no label may be more probable than not, though one is far ahead.
        """
        present = logits > 0
        if self.always_some:
            present[np.arange(len(logits)), logits.argmax(axis=1)] = True
        return present.astype(np.int64)


def label_matrix(y: Any) -> np.ndarray | None:
    """The values of y as a matrix, if it has a column for each of several labels."""
    if hasattr(y, "toarray"):
        y = y.toarray()
    if isinstance(y, list | tuple) and not (y and isinstance(y[0], list | tuple | np.ndarray)):
        return None
    try:
        values = own_values(y)
    except ValueError:  # rows of different lengths
        return None
    return values if values.ndim == 2 and values.shape[1] >= 2 else None


def check_indicators(y: Any, texts: list[str], name: str = "y") -> np.ndarray:
    """An indicator matrix of any container as an array of 0 and 1 of shape (n_texts, n_labels).

    Raises
    ------
    ValueError
        If it is none, of another length, or holds anything else; the message names row and column.
    """
    values = label_matrix(y)
    if values is None:
        raise ValueError(f"{name} has no column for each label, as y has. Give an indicator matrix too.")
    check_lengths(texts, values)
    codes = np.array([[_code(plain(value)) for value in row] for row in values.tolist()])
    for row, column in np.argwhere(codes < 0):
        names = column_names(y)
        name_of_column = column if names is None else names[column]
        raise ValueError(
            f"An indicator matrix holds 0 and 1 only, or False and True; row {row} of {name} has "
            f"{values.tolist()[row][column]!r} in column {str(name_of_column)!r}. Give these; lists of labels become "
            "such a matrix by sklearn.preprocessing.MultiLabelBinarizer().fit_transform."
        )
    return codes


def _code(value: Any) -> int:
    """0 or 1; -1 for a value that is neither."""
    return int(value) if isinstance(value, bool | int | float) and value in (0, 1) else -1


def column_names(y: Any) -> np.ndarray | None:
    """Names of the columns of a frame, if y is one and they can be labels."""
    names = getattr(y, "column_names", getattr(y, "columns", None))  # of pyarrow; of pandas and polars
    try:
        return None if names is None else label_array(list(names), "the columns of y")
    except ValueError:
        return None


def positive_weights(class_weight: ClassWeight, indicators: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """How much more the presence of each label counts than its absence, shape (n_labels,).

    "balanced" gives both the same sum of weights; a dict names labels by their column.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, dict):
        unknown = set(class_weight) - set(classes.tolist())
        if unknown:
            raise ValueError(f"class_weight names labels {list(unknown)}, but the columns of y are {classes.tolist()}.")
        weights = np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])
    else:  # "balanced"
        n_positive = indicators.sum(axis=0)
        weights = np.where(n_positive > 0, (len(indicators) - n_positive) / np.maximum(n_positive, 1), 1.0)
        weights[weights == 0] = 1.0  # a label that every text has
    check_class_weights(weights, class_weight)
    return weights
