"""Features of a document: what a head, or another estimator, sees of its hidden states.

Letters in shapes: B batch, E embedding, W width of the pooled layers side by side, D width of a sentence vector.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.encoder import Architecture
from skulmfit.nn.pooling import POOLINGS


@dataclass(frozen=True)
class FeatureKind:
    """A choice of features: pooled states of some layers, the sentence vector, or both, and the scale of each.

    Parameters
    ----------
    n_layers : int or "all"
        How many of the top layers are pooled to [last, max, mean]; 0 for none.
    pooled_scale : float, default=1.0
        Factor on the pooled states.
    sentence_scale : float, default=0.0
        Length of the sentence vector; 0 for none.
    """

    n_layers: int | Literal["all"]
    pooled_scale: float = 1.0
    sentence_scale: float = 0.0

    def n_pooled(self, architecture: Architecture) -> int:
        """How many top layers must be pooled: at least the last one, from which sentence vectors are computed."""
        return architecture.n_layers if self.n_layers == "all" else max(self.n_layers, 1)


# "combined" was found by measurement (docs/results): without more scaling it suits a logistic regression with C=1.
FEATURES = {
    "last_layer": FeatureKind(1),
    "last_two_layers": FeatureKind(2),
    "all_layers": FeatureKind("all"),
    "sentence": FeatureKind(0, sentence_scale=1.0),
    "combined": FeatureKind(2, pooled_scale=0.5, sentence_scale=2.5),
}


class Features(nn.Module):
    """Pooled states (B, 3*W) of the top layers to features.

    Parameters
    ----------
    kind : str
        One of `FEATURES`.
    architecture : Architecture
    sentence_dim : int
        Width D of a sentence vector, for the kinds that have one.
    poolings : tuple of str
        Which of the pooled states are among the features.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, kind: str, architecture: Architecture, sentence_dim: int = 0, poolings: tuple[str, ...] = POOLINGS
    ):
        super().__init__()
        self.poolings = poolings
        self.kind = FEATURES[kind]
        self.n_layers = self.kind.n_pooled(architecture)
        self.widths = [width for _, width in architecture.layer_sizes()][-self.n_layers :]
        self.architecture, self.embedding_dim = architecture, architecture.embedding_dim
        self.sentence_dim = sentence_dim if self.kind.sentence_scale else 0
        if self.sentence_dim:
            self.register_buffer("weight", torch.zeros(sentence_dim, len(POOLINGS) * self.embedding_dim))
            self.register_buffer("bias", torch.zeros(sentence_dim))

    @property
    def n_features(self) -> int:
        """Width of the features."""
        return (len(self.poolings) * sum(self.widths) if self.kind.n_layers else 0) + self.sentence_dim

    def names(self) -> list[str]:
        """Names of the features, such as max7 and sentence7; of several layers layer1_max7, counted from 0."""
        names = []
        if self.kind.n_layers:
            first = self.architecture.n_layers - self.n_layers
            prefixes = [f"layer{first + index}_" if self.n_layers > 1 else "" for index in range(self.n_layers)]
            names = [
                f"{prefix}{pooling}{index}"
                for pooling in self.poolings
                for prefix, width in zip(prefixes, self.widths)
                for index in range(width)
            ]
        return names + [f"sentence{index}" for index in range(self.sentence_dim)]

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled states (B, 3*W) to features (B, n_features)."""
        by_pooling = pooled.unflatten(1, (len(POOLINGS), -1))  # (B, 3, W)
        parts = []
        if self.kind.n_layers:
            chosen = by_pooling[:, [POOLINGS.index(pooling) for pooling in self.poolings]]
            parts.append(chosen.flatten(1) * self.kind.pooled_scale)
        if self.sentence_dim:
            parts.append(self.sentence_vectors(pooled) * self.kind.sentence_scale)
        return torch.cat(parts, dim=1)

    def sentence_vectors(self, pooled: Tensor) -> Tensor:
        """Map pooled states (B, 3*W) to sentence vectors (B, D) of length 1."""
        last_layer = pooled.unflatten(1, (len(POOLINGS), -1))[..., -self.embedding_dim :].flatten(1)  # (B, 3*E)
        return F.normalize(F.linear(last_layer, self.weight, self.bias), dim=1)


class Similarities(nn.Module):
    """Features, and beside them the cosines of the sentence vector with vectors that have names.

    Parameters
    ----------
    features : Features
    sentence : Features
        The sentence vector alone.
    vectors : dict of str to ndarray of shape (D,)
        Of length 1.
    """

    vectors: Tensor

    def __init__(self, features: Features, sentence: Features, vectors: dict[str, np.ndarray]):
        super().__init__()
        self.features, self.sentence, self._names = features, sentence, list(vectors)
        self.register_buffer("vectors", torch.from_numpy(np.stack(list(vectors.values()))))

    @property
    def n_layers(self) -> int:
        """How many top layers must be pooled."""
        return self.features.n_layers

    @property
    def n_features(self) -> int:
        """Width of the features, cosines included."""
        return self.features.n_features + len(self._names)

    def names(self) -> list[str]:
        """Names of the features; the cosines are similarity_NAME."""
        return self.features.names() + [f"similarity_{name}" for name in self._names]

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled states (B, 3*W) to features (B, n_features)."""
        return torch.cat([self.features(pooled), F.linear(self.sentence(pooled), self.vectors)], dim=1)
