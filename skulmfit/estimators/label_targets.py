"""Labels: one class a text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import logsumexp
from sklearn.utils import compute_class_weight
from torch import Tensor

from skulmfit.estimators.doubts import doubt_absent
from skulmfit.estimators.label_texts import Phrases
from skulmfit.estimators.label_values import label_array, label_type
from skulmfit.estimators.phrase_regression import phrase_regression
from skulmfit.estimators.regressions import logistic_regression
from skulmfit.estimators.targets import ClassTargets, check_vectors
from skulmfit.estimators.validation import ClassWeight, check_class_weights, check_lengths, normalise_weights
from skulmfit.nn.target_losses import weighted_cross_entropy
from skulmfit.nn.threads import one_thread_an_operation
from skulmfit.training.head import Readings, Solution


@dataclass(frozen=True, eq=False)
class Labels(ClassTargets):
    """One class a text.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted.
    class_weights : ndarray of shape (n_classes,), optional
        Weight of each class in the loss.
    """

    classes: np.ndarray
    class_weights: np.ndarray | None = None

    @classmethod
    def learn(
        cls, y: Any, texts: list[str], name: str, class_weight: ClassWeight, weights: np.ndarray
    ) -> tuple["Labels", np.ndarray, np.ndarray]:
        """The classes in the y of an estimator's fit, the index of each text's class, and the weights of the texts.

        Raises
        ------
        ValueError
            If y is missing, of another length, not a classification target, or of one class.
        """
        classes, indices = check_labels(y, texts, name)
        targets = cls(classes, class_weights(weights, class_weight, classes, indices))
        return targets, indices, normalise_weights(weights * targets.weights(indices))

    @classmethod
    def learn_beside(
        cls, phrases: Phrases, y: Any, texts: list[str], class_weight: ClassWeight, weights: np.ndarray
    ) -> tuple["Labels", np.ndarray, np.ndarray]:
        """The same where every class has phrases: texts may be none, and classes without one.

        Raises
        ------
        ValueError
            If y has a class without a phrase.
        """
        if not texts:
            return cls(phrases.classes()), np.empty(0, np.int64), weights
        present, indices = check_label_column(y, texts)
        phrases.check_cover(present)
        classes = phrases.classes(present)
        doubt_absent(classes[~np.isin(classes, present)].tolist(), phrases.name)
        indices = np.searchsorted(classes, present)[indices]
        targets = cls(classes, class_weights(weights, class_weight, classes, indices))
        return targets, indices, normalise_weights(weights * targets.weights(indices))

    def of_columns(self, columns: np.ndarray) -> np.ndarray:
        """The columns themselves."""
        return columns

    def check(self) -> None:
        """Raise unless the classes are labels in their order, with a weight each if there are any."""
        if not np.array_equal(np.unique(label_array(self.classes, "classes")), self.classes):
            raise ValueError("classes that are not sorted")
        check_vectors(len(self.classes), class_weights=self.class_weights)

    def encode(self, y: Any, texts: list[str]) -> np.ndarray:
        """Index of the class of every validation text.

        Raises
        ------
        ValueError
            If y is of another length or has a label that the training data do not have.
        """
        labels = label_array(y, "y_val")
        check_lengths(texts, labels)
        if label_type(labels) is not label_type(self.classes):
            raise ValueError(
                f"y_val has labels of type {label_type(labels).__name__}, y of type {label_type(self.classes).__name__}"
                f": row 0 of y_val is {labels[0]!r}. Give both the same."
            )
        indices = np.searchsorted(self.classes, labels).clip(max=len(self.classes) - 1)
        is_unknown = self.classes[indices] != labels
        if is_unknown.any():
            row = int(np.flatnonzero(is_unknown)[0])
            raise ValueError(f"Row {row} of y_val has the label {labels.tolist()[row]!r}, which y does not have.")
        return indices

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy."""
        return weighted_cross_entropy(outputs, targets, weights, label_smoothing=label_smoothing)

    def weights(self, encoded: np.ndarray) -> np.ndarray:
        """Weights of the classes."""
        return np.ones(len(encoded)) if self.class_weights is None else self.class_weights[encoded]

    def strata(self, encoded: np.ndarray) -> np.ndarray:
        """The classes."""
        return encoded

    def groups(self, encoded: np.ndarray) -> np.ndarray:
        """The classes."""
        return encoded

    def counts(self, encoded: np.ndarray) -> dict[Any, int]:
        """Number of texts of each class."""
        return dict(zip(self.classes.tolist(), np.bincount(encoded, minlength=self.n_outputs).tolist()))

    def score(self, outputs: np.ndarray, encoded: np.ndarray) -> float:
        """Accuracy."""
        return float(np.mean(outputs.argmax(axis=1) == encoded))

    def solve(self, readings: Readings) -> Solution:
        """Logistic regression, or what phrases say of the classes beside it."""
        if readings.words is not None:
            return phrase_regression(readings, readings.words, self.labels)
        return logistic_regression(readings.features, readings.targets, readings.weights, self.n_outputs)

    def _mean_logits(self, logits: Tensor) -> Tensor:
        return torch.stack([F.log_softmax(part, dim=1) for part in logits]).logsumexp(0) - math.log(len(logits))

    def decisions(self, logits: np.ndarray) -> np.ndarray:
        """Logits. With two classes, the second one's minus the first one's."""
        return logits[:, 1] - logits[:, 0] if len(self.classes) == 2 else logits

    def evidence(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Each class's logit above those of all others together."""
        logits = self.logits(outputs).astype(np.float64)
        others = [logsumexp(np.delete(logits, column, axis=1), axis=1) for column in range(logits.shape[1])]
        return logits - np.stack(others, axis=1)

    def decided(self, evidence: np.ndarray) -> list[int]:
        """The most probable class."""
        return [int(evidence.argmax())]

    @one_thread_an_operation()
    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Softmax."""
        return torch.softmax(torch.from_numpy(logits), dim=1).numpy()

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Log-softmax."""
        return F.log_softmax(torch.from_numpy(logits), dim=1).numpy()

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """The most probable class."""
        return self.classes[logits.argmax(axis=1)]


def check_labels(y: Any, texts: list[str], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Classes in sorted order, and the index of every label among them.

    Raises
    ------
    ValueError
        If y is missing, of another length, not a classification target, or of one class.
    """
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    classes, indices = check_label_column(y, texts)
    if len(classes) < 2:
        raise ValueError(
            f"{name} needs samples of at least 2 classes in y, but it contains only one class: {classes.tolist()[0]!r}."
            " Give texts of another class too."
        )
    return classes, indices


def check_label_column(y: Any, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Classes in sorted order, be it one or several, and the index of every label among them.

    Raises
    ------
    ValueError
        If y is of another length or not a classification target.
    """
    labels = label_array(y)
    check_lengths(texts, labels)
    classes, indices = np.unique(labels, return_inverse=True)
    return classes, indices


def class_weights(
    weights: np.ndarray, class_weight: ClassWeight, classes: np.ndarray, indices: np.ndarray
) -> np.ndarray:
    """Weight of each class, given each text's weight and the index of its class. A class without weight gets 1."""
    found = np.ones(len(classes))
    if class_weight is not None:
        labels = classes[indices[weights > 0]]
        present = np.unique(labels)
        of_present = compute_class_weight(class_weight, classes=present, y=labels)
        check_class_weights(of_present, class_weight)
        found[np.isin(classes, present)] = of_present
    return found
