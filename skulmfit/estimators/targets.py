"""Targets: how y becomes numbers for a loss, and how the outputs of a head become predictions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skulmfit.nn.threads import one_thread_an_operation
from skulmfit.training.head import Readings, Solution
from skulmfit.training.recipe import Recipe
from skulmfit.training.supervised_task import OutputLoss


class Targets(ABC):
    """A kind of targets, as learnt from the y of a fit."""

    ends_solved = True  # whether a head whose texts were drawn together ends as a regression

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Outputs of the head."""

    @abstractmethod
    def check(self) -> None:
        """Raise a ValueError unless all arrays, as a file has them, fit each other."""

    @abstractmethod
    def encode(self, y: Any, texts: list[str]) -> np.ndarray:
        """The y_val of validation texts, as the loss takes it: (n_texts, ...)."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Mean loss of outputs (B, C), given targets (B, ...) and weights (B,)."""

    def training_loss(self, recipe: Recipe) -> OutputLoss:
        """The loss in training."""
        return self.loss

    @abstractmethod
    def score(self, outputs: np.ndarray, encoded: np.ndarray) -> float:
        """What the estimator's `score` gives of outputs (n_texts, C), given encoded targets: the higher the better."""

    @abstractmethod
    def solve(self, readings: Readings) -> Solution:
        """Weight (C, F) and bias (C,) of the linear model of features that solves a head."""

    @property
    @abstractmethod
    def labels(self) -> tuple[Any, ...]:
        """What the outputs stand for: classes, or numbers of targets."""

    @abstractmethod
    def evidence(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Log-odds of each label, or the predicted numbers, of the outputs of each model: float64, (n_texts, C)."""

    @abstractmethod
    def decided(self, evidence: np.ndarray) -> list[int]:
        """The outputs that a prediction is about, given the evidence (C,) of a text."""

    def weights(self, encoded: np.ndarray) -> np.ndarray:
        """Weight that each text has for its targets alone, (n_texts,)."""
        return np.ones(len(encoded))

    def strata(self, encoded: np.ndarray) -> np.ndarray | None:
        """Classes (n_texts,) whose proportions early stopping keeps, if there are any."""
        return None

    def groups(self, encoded: np.ndarray) -> np.ndarray | None:
        """Group of each text, (n_texts,): training draws the texts of a group together. None if there are none."""
        return None

    def counts(self, encoded: np.ndarray) -> dict[Any, int]:
        """Number of texts of each class, if there are any."""
        return {}


def check_vectors(n_outputs: int, **vectors: np.ndarray | None) -> None:
    """Raise unless each vector has a finite number for every output.

    Raises
    ------
    ValueError
    """
    for name, vector in vectors.items():
        if vector is None:
            continue
        if vector.shape != (n_outputs,) or vector.dtype.kind not in "fiu" or not np.isfinite(vector).all():
            raise ValueError(f"{name} of {n_outputs} targets: {vector!r}")


class ClassTargets(Targets):
    """Targets of a classifier, which have an output for each class."""

    classes: np.ndarray  # in the order of the outputs

    @property
    def n_outputs(self) -> int:
        """One output for each class."""
        return len(self.classes)

    @property
    def labels(self) -> tuple[Any, ...]:
        """The classes."""
        return tuple(self.classes.tolist())

    @abstractmethod
    def of_columns(self, columns: np.ndarray) -> np.ndarray:
        """Targets, as the loss takes them, of texts that each have one class, given its column: (n_texts, ...)."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Mean loss of outputs (B, C), given targets (B, ...) and weights (B,)."""

    def training_loss(self, recipe: Recipe) -> OutputLoss:
        """The loss with label smoothing."""
        return partial(self.loss, label_smoothing=recipe.label_smoothing)

    @one_thread_an_operation()
    def logits(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Logits (n_texts, n_classes) from the outputs of each model: those of the mean of their probabilities."""
        if len(outputs) == 1:
            return outputs[0]
        return self._mean_logits(torch.stack([torch.from_numpy(part) for part in outputs])).numpy()

    @abstractmethod
    def _mean_logits(self, logits: Tensor) -> Tensor:
        """Logits of the mean of the probabilities that logits (n_models, n_texts, n_classes) stand for."""

    @abstractmethod
    def decisions(self, logits: np.ndarray) -> np.ndarray:
        """What `decision_function` gives, (n_texts,) or (n_texts, n_classes)."""

    @abstractmethod
    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Probability of every class, (n_texts, n_classes)."""

    @abstractmethod
    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Logarithm of every probability, exact also where that rounds to 0, (n_texts, n_classes)."""

    @abstractmethod
    def decode(self, logits: np.ndarray) -> np.ndarray:
        """What `predict` gives, (n_texts,) or (n_texts, n_labels)."""
