"""The sentence map: from a language model's pooled states to the vectors of a sentence encoder that taught it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class SentenceMap:
    """Linear map from pooled states of the last layer, [last, max, mean], onto the vectors of a sentence encoder.

    Parameters
    ----------
    weight : ndarray of shape (n_dimensions, 3 * embedding_dim), float32
    bias : ndarray of shape (n_dimensions,), float32
    """

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, pooled: np.ndarray) -> np.ndarray:
        """Sentence vectors of length 1, (n_texts, n_dimensions), of pooled states (n_texts, 3 * embedding_dim)."""
        vectors = pooled @ self.weight.T + self.bias
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
